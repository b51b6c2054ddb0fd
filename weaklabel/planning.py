"""What a run would do, before it does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .casting import Ballot
from .corpus import Corpus, Shard
from .job import Job
from .keys import digest
from .pipeline import default_folder
from .prepare import Prepared, check_input, documents, llm_settings, prepare
from .stages import Work


def plan_lines(path: Path | str, out: Path | str | None = None) -> Iterator[str]:
    """Documents, sources, what is there already, and what the prompts would cost."""
    job = Job.load(path)
    prepared = prepare(job)
    check_input(job)
    folder = (Path(out) if out is not None else default_folder(path)).absolute()
    corpus = Corpus(documents(job), lang=job.lang, shard_documents=job.shard_documents)
    sizes = [len(batch) for batch in corpus.batches()]
    yield f"{sum(sizes):,} documents in {len(sizes)} shards"
    work = Work(folder, job.folder, digest(job.file.text), prepared)
    for task, made in prepared.sources.items():
        ballots = [Ballot(work, task, i) for i in range(len(sizes))]
        model = job.tasks[task].chosen_model.use
        yield f"{task}: {len(made)} sources, model {model}"
        for one in made:
            there = sum(ballot.has(one) for ballot in ballots)
            state = (
                "votes are there" if there == len(sizes) else f"{len(sizes) - there} shards to do"
            )
            yield f"  {one.source.name} ({one.source.kind}): {state}"
    yield from _prompts(prepared, folder, list(corpus) if _has_prompts(prepared) else [])


def _has_prompts(prepared: Prepared) -> bool:
    return any(m.round == "bound" for made in prepared.sources.values() for m in made)


def _prompts(prepared: Prepared, folder: Path, shards: Sequence[Shard]) -> Iterator[str]:
    if not shards:
        return
    from .sources.llm.plan import plan
    from .sources.llm.session import Session

    settings = llm_settings(prepared.job)
    if (folder / "llm.sqlite").exists():
        settings.setdefault("cache", folder / "llm.sqlite")
    session = Session.from_settings(settings)
    try:
        sources = [m.source for made in prepared.sources.values() for m in made]
        yield from plan(sources, shards, session).lines()
    finally:
        session.close()
