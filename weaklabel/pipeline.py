"""The line from job to report: documents -> shards -> votes -> labels -> exports and report.

Each arrow is one function in a file of its own. What an earlier run left is kept where it was made
from the same things, so every arrow can be repeated, and a killed run goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic import sweep
from .context import Context, Outcome, Step, Watch
from .engine_local import Engine, local_engine
from .errors import RunError
from .finishing import finish
from .job import Job
from .keys import digest
from .labelling import label
from .lock import locked
from .prepare import check_input, prepare
from .reading import read_documents
from .remote import Mirror, is_remote
from .run import Run
from .stages import Work
from .voting import cast_all

KEPT = ("review.sqlite", "llm.sqlite", ".lock")
"""What a fresh run leaves: a person's decisions, answers that cost money."""


def run_job(
    path: Path | str,
    out: Path | str | None = None,
    *,
    fresh: bool = False,
    offline: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    watch: Watch = lambda step: None,
) -> Outcome:
    """Run a job file; all of it is checked before any work.

    out: the run folder; by default "NAME-run" beside the job file NAME.yaml. An fsspec URL is
        worked on in a local copy, which is pushed as it grows.
    fresh: forget an earlier run in that folder. limit: read only so many documents.
    """
    if out is not None and is_remote(out):
        with mirrored(str(out), watch) as (copy, pushing):
            return run_job(
                path,
                copy,
                fresh=fresh,
                offline=offline,
                limit=limit,
                workers=workers,
                watch=pushing,
            )
    job = Job.load(path)
    prepared = prepare(job)
    check_input(job)
    folder = (Path(out) if out is not None else default_folder(path)).absolute()
    check_folder(folder)
    with locked(folder):
        if fresh:
            clear(folder)
        sweep(folder)
        work = Work(folder, job.folder, digest(job.file.text), prepared)
        context = Context(prepared, work, Outcome(Run(folder)), watch, limit, offline)
        engine = make_engine(job, workers or job.workers)
        engine.tell = context.fault
        try:
            read_documents(context, engine)
            engine.renew()  # who tokenizes has loaded spaCy, and all that spaCy loads
            cast_all(context, engine)
            for task in prepared.tasks:
                label(context, engine, task)
            finish(context, engine)
        finally:
            engine.close()
        return context.outcome


@contextmanager
def mirrored(url: str, watch: Watch) -> Iterator[tuple[Path, Watch]]:
    """The local copy of a remote run folder, and a watch that pushes it now and then."""
    mirror = Mirror(url)

    def pushing(step: Step) -> None:
        watch(step)
        mirror.push_now_and_then()

    folder = mirror.pull()
    try:
        yield folder, pushing
    finally:
        mirror.push()


def make_engine(job: Job, workers: int) -> Engine:
    """What runs functions over shards."""
    if job.engine.use == "ray":
        from .engine_ray import ray_engine

        engine: Engine = ray_engine(workers, **job.engine.settings)
        return engine
    return local_engine(workers)


def default_folder(path: Path | str) -> Path:
    """Where a job is run unless another folder is given."""
    return Path(path).with_name(Path(path).stem + "-run")


def check_folder(folder: Path) -> None:
    """A run goes into a new or empty folder, or one that a run made."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; a run needs a folder")
    if folder.is_dir() and not (folder / "run.json").is_file():
        ours = {"job.yaml", "metrics.jsonl", "shards", ".done", *KEPT}
        other = sorted(p.name for p in folder.iterdir() if p.name not in ours)
        if other:
            raise RunError(f"{folder}: holds other files ({other[0]}, ...), but no run")


def clear(folder: Path) -> None:
    """Forget an earlier run, but neither a reviewer's decisions nor the answers of LLMs."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
