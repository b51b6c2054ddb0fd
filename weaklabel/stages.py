"""What is done to one shard, in whichever process: tokenize, cast votes, predict labels.

Every function reads its input from the run folder and leaves its output there, with a note of the
key it was made from. What is already there is not made again, so each can be called twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from .apply import SourceCounts, in_order, to_votes
from .columns import load_labels, load_shard, save_labels, save_shard
from .corpus import Document, Shard
from .errors import WeaklabelError
from .job import Job
from .keys import Stamps, digest, gold_digest
from .labels import Labels
from .models.base import LabelModel
from .models.base import registry as models
from .prepare import Made, Prepared, prepare
from .run import Run
from .sources.base import Cast, LabelReader, VoteReader
from .votes import Gold, Votes

LLM_MEANS = {"offline", "concurrency", "cache", "api_key_env", "timeout", "retries", "max_wait"}
"""Settings of the LLM session that change how answers are got, not which."""

Metric = dict[str, Any]
"""One line of metrics.jsonl: stage, shard, seconds, and what was counted."""


@dataclass(frozen=True)
class Work:
    """A run folder and a job, small enough to send to another process.

    folder: the run folder. job_folder: what paths in the job are relative to. job_digest: of
    RUN/job.yaml, so that no process works on with sources of another job.
    """

    folder: Path
    job_folder: Path
    job_digest: str
    made_here: Prepared | None = field(default=None, compare=False, repr=False)

    @property
    def prepared(self) -> Prepared:
        """Sources and models, made once per process."""
        return self.made_here or _prepared(self)

    @cached_property
    def run(self) -> Run:
        """The run folder."""
        return Run(self.folder)

    @cached_property
    def stamps(self) -> Stamps:
        """Its notes."""
        return Stamps(self.folder)

    def __getstate__(self) -> dict[str, Any]:
        sent = {name: vars(self)[name] for name in self.__dataclass_fields__}
        return {**sent, "made_here": None}


@cache
def _prepared(work: Work) -> Prepared:
    return prepare(Job.load(work.folder / "job.yaml", folder=work.job_folder))


def tokenize(work: Work, lang: str, item: tuple[int, str, Sequence[Document]]) -> list[Metric]:
    """(shard, key, documents) -> shards/00000.parquet."""
    index, key, documents = item
    path = work.run.shard_path(index)
    if work.stamps.read(path, key):
        return []
    began = time.perf_counter()
    shard = Shard.from_documents(documents, lang)
    work.stamps.clear(path)
    save_shard(path, shard)
    layers = {
        "spans": sorted({layer for document in documents for layer in document.spans}),
        "classes": sorted({layer for document in documents for layer in document.classes}),
    }
    tokens = int(shard.indptr[-1])
    work.stamps.write(path, key, documents=len(shard), tokens=tokens, layers=layers)
    return [_metric("tokenize", index, began, documents=len(shard), tokens=tokens)]


def cast_votes(work: Work, item: tuple[int, str]) -> list[Metric]:
    """(shard, round) -> the votes of every source of that round on the shard.

    Rounds: "documents" (sources that look at documents), "bound" (those that share one LLM
    session), "votes" (those that read votes), "labels" (those that read first-round labels).
    """
    index, wanted = item
    shard: Shard | None = None
    metrics = []
    for task, made in round_of(work.prepared, wanted):
        key = votes_key(work, task, made, index)
        path = work.run.votes_path(task, made.source.name, index)
        if work.stamps.read(path, key):
            continue
        began = time.perf_counter()
        shard = load_shard(work.run.shard_path(index)) if shard is None else shard
        cast = _look(work, task, made, shard, index)
        counts = _save_votes(work, task, made, shard, index, key, cast)
        facts = {"task": task, "source": made.source.name, "documents": len(shard)}
        metrics.append(_metric("votes", index, began, **facts, votes=counts.votes))
    return metrics


def give_up(work: Work, item: tuple[int, str], reason: str) -> None:
    """Note that the next source in turn, which ended every attempt, failed on a whole shard."""
    index, wanted = item
    for task, made in round_of(work.prepared, wanted):
        key = votes_key(work, task, made, index)
        if work.stamps.read(work.run.votes_path(task, made.source.name, index), key) is None:
            shard = load_shard(work.run.shard_path(index))
            cast = Cast.of(made.source.labels, failed=dict.fromkeys(range(len(shard)), reason))
            _save_votes(work, task, made, shard, index, key, cast, given_up=reason)
            return


def round_of(prepared: Prepared, wanted: str) -> Iterator[tuple[str, Made]]:
    """(task, source) of every source of a round, readers of votes after whom they read."""
    for task, made in prepared.sources.items():
        by_name = {one.source.name: one for one in made}
        for source in in_order([one.source for one in made]):
            if kind_of(source) == wanted:
                yield task, by_name[source.name]


def kind_of(source: Any) -> str:
    """The round in which a source is called."""
    if isinstance(source, LabelReader):
        return "labels"
    if isinstance(source, VoteReader):
        return "votes"
    return "bound" if hasattr(source, "bind") else "documents"


def votes_key(work: Work, task: str, made: Made, index: int) -> str:
    """The key of a source's votes on a shard."""
    run, job = work.run, work.prepared.job
    facts = [made.key, work.prepared.tasks[task].to_json(), job.on_error, job.misaligned]
    facts.append(_sha(work, run.shard_path(index)))
    if isinstance(made.source, VoteReader):
        facts += [_sha(work, run.votes_path(task, name, index)) for name in made.source.reads]
    if isinstance(made.source, LabelReader):
        facts.append(_sha(work, run.labels_path(task, index, "first")))
    if hasattr(made.source, "bind"):
        facts.append({k: v for k, v in job.llm.items() if k not in LLM_MEANS})
    return digest(facts)


def _sha(work: Work, path: Path) -> str:
    note = work.stamps.read(path)
    return note["sha256"] if note else ""


def _look(work: Work, task: str, made: Made, shard: Shard, index: int) -> Cast:
    """What a source says; one that raises has failed on the whole shard."""
    try:
        return _call(work, task, made.source, shard, index)
    except (WeaklabelError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Cast.of(made.source.labels, failed=dict.fromkeys(range(len(shard)), reason))


def _call(work: Work, task: str, source: Any, shard: Shard, index: int) -> Cast:
    if isinstance(source, LabelReader):
        return source.read_labels(shard, load_labels(work.run.labels_path(task, index, "first")))
    if isinstance(source, VoteReader):
        read = [Votes.load(work.run.votes_path(task, name, index)) for name in source.reads]
        empty = Votes.build(work.prepared.tasks[task], [], shard.n_tokens)
        return source.read_votes(shard, Votes.together(read) if read else empty)
    cast: Cast = source(shard)
    return cast


def _save_votes(
    work: Work,
    task: str,
    made: Made,
    shard: Shard,
    index: int,
    key: str,
    cast: Cast,
    *,
    given_up: str = "",
) -> SourceCounts:
    job = work.prepared.job
    votes, counts = to_votes(
        shard, made.source, cast, work.prepared.tasks[task], job.on_error, job.misaligned
    )
    path = work.run.votes_path(task, made.source.name, index)
    work.stamps.clear(path)
    votes.save(path)
    if cast.failed and hasattr(made.source, "bind"):
        # unanswered prompts are asked again by the next run; what was answered is cached
        key = f"incomplete {key}"
    work.stamps.write(path, key, counts=asdict(counts), given_up=given_up)
    return counts


@dataclass(frozen=True)
class Prediction:
    """What ``predict`` needs: which shard, with whose votes, by which model, knowing what."""

    index: int
    task: str
    stage: str
    sources: tuple[str, ...]
    model_sha: str
    gold: Gold | None = None
    kept: str | None = None

    def key(self, work: Work) -> str:
        """The key of the labels."""
        run = work.run
        votes = [_sha(work, run.votes_path(self.task, s, self.index)) for s in self.sources]
        known = None if self.gold is None else gold_digest(self.gold)
        shard = _sha(work, run.shard_path(self.index))
        return digest([self.model_sha, self.sources, votes, shard, known])


def predict(work: Work, item: Prediction) -> list[Metric]:
    """Votes of one shard -> its labels."""
    stage = item.stage if item.kept is None else item.kept
    path = work.run.labels_path(item.task, item.index, stage)
    key = item.key(work)
    if work.stamps.read(path, key):
        return []
    began = time.perf_counter()
    shard = load_shard(work.run.shard_path(item.index))
    parts = [Votes.load(work.run.votes_path(item.task, name, item.index)) for name in item.sources]
    model = _model(work, item.task, item.stage, item.model_sha)
    labels: Labels = model.predict(Votes.together(parts), texts=shard, gold=item.gold)
    work.stamps.clear(path)
    save_labels(path, labels, shard)
    work.stamps.write(path, key)
    return [_metric("predict", item.index, began, task=item.task, documents=len(shard))]


@lru_cache(maxsize=2)
def _model(work: Work, task: str, stage: str, sha: str) -> LabelModel:
    use = work.prepared.job.tasks[task].chosen_model.use
    kind: Any = models.factory(use)
    loaded: LabelModel = kind.load(work.run.model_folder(task, stage))
    return loaded


def _metric(stage: str, shard: int, began: float, **facts: Any) -> Metric:
    seconds = round(time.perf_counter() - began, 4)
    return {"stage": stage, "shard": shard, "seconds": seconds, **facts}
