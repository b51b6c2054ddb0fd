"""Labels -> exports, manifest, report."""

from __future__ import annotations

from .context import Context, Step
from .engine_local import Engine
from .exporting import export, export_in_parts
from .formats.registry import is_joinable
from .job import Use
from .keys import digest
from .manifest import task_facts
from .report import read_report, write_report
from .run import Run
from .teaching import BELIEVED

SUFFIXES = {"docbin": ".spacy"}


def finish(context: Context, engine: Engine) -> None:
    """Write what a run leaves for its reader."""
    run, prepared = context.run, context.prepared
    for task in prepared.tasks:
        for output in prepared.job.output:
            _export(context, engine, task, output)
    facts = {task: task_facts(context.work, task, run.n_shards) for task in prepared.tasks}
    context.outcome.given_up[:] = [
        f"source {source!r} of task {task!r}, shard {shard}: {reason}"
        for task, known in facts.items()
        for source, counts in known["counts"].items()
        for shard, reason in counts["given_up"].items()
    ]
    content = {**run.manifest, "tasks": facts, "given_up": context.outcome.given_up}
    run.write_manifest({**content, "finished": True})
    _report(context, engine)


def _export(context: Context, engine: Engine, task: str, output: Use) -> None:
    run = context.run
    path = run.export_path(SUFFIXES.get(output.use, f".{output.use}"), task)
    key = digest([output.model_dump(), _label_shas(context, task), run.manifest["shards"]])
    if context.stamps.read(path, key):
        return
    total = run.n_shards

    def watch(done: int) -> None:
        context.watch(Step(f"export {path.name}", done, total))

    watch(0)
    context.stamps.clear(path)
    with context.metrics.timed("export", task=task, format=output.use):
        if is_joinable(output.use):
            written = export_in_parts(engine, run, [task], output, path, watch)
        else:
            written = export(run, [task], output, path)
    context.stamps.write(path, key, left_out=written.left_out)
    context.made("export", count=1)
    watch(total)


def _report(context: Context, engine: Engine) -> None:
    run = context.run
    path = run.folder / "report.html"
    labels = [_label_shas(context, task) for task in run.tasks]
    votes = [
        context.stamps.read(run.votes_path(task, i))
        for task in run.tasks
        for i in range(run.n_shards)
    ]
    undecided = [_label_shas(context, task, BELIEVED) for task in run.tasks if _decided(run, task)]
    key = digest([context.prepared.job.gold, run.manifest, labels, votes, undecided])
    if context.stamps.read(path, key) and (run.folder / "report.json").exists():
        context.outcome.analysis = read_report(run)
        return
    context.watch(Step("report", 0, 1))
    context.stamps.clear(path)
    with context.metrics.timed("report"):
        context.outcome.analysis = write_report(run, engine)
    context.stamps.write(path, key)
    context.made("report", count=1)
    context.watch(Step("report", 1, 1))


def _decided(run: Run, task: str) -> bool:
    from .review.decided import decided_gold

    return decided_gold(run.folder, run.tasks[task], run.shards) is not None


def _label_shas(context: Context, task: str, stage: str = "") -> list[str | None]:
    paths = [context.run.labels_path(task, i, stage) for i in range(context.run.n_shards)]
    return [(context.stamps.read(path) or {}).get("sha256") for path in paths]
