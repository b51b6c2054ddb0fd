"""Votes -> label model -> labels; twice if there are sources that read labels."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .casting import kind_of
from .context import Context, Step
from .engine_local import Engine, Failed
from .errors import LabelModelWarning, RunError
from .keys import content_digest, digest, gold_digest
from .models.base import registry as models
from .run import Lazy
from .sample import sample_documents
from .stages import Prediction, predict
from .teaching import BELIEVED, teach, teachable
from .votes import Gold
from .voting import cast_round


def label(context: Context, engine: Engine, task: str) -> None:
    """Fit the task's model and label every shard."""
    made = context.prepared.sources[task]
    names = [one.source.name for one in made]
    readers = [one.source.name for one in made if kind_of(one.source) == "labels"]
    gold = anchors(context, task)
    if readers:
        first = [name for name in names if name not in readers]
        _fit_and_predict(context, engine, task, "first", first, gold)
        cast_round(context, "labels", engine)
    decided = decisions(context, task)
    if decided is None or not teachable(context.run.tasks[task]):
        _fit_and_predict(context, engine, task, "", names, gold)
        return
    layer = context.run.layer(task, context.prepared.job.anchors)
    sha = _fit(context, task, "", names, gold)
    _predict(context, engine, task, "", names, sha, layer, kept=BELIEVED)
    teach(context, task, names, decided)


def decisions(context: Context, task: str) -> Sequence[Gold] | None:
    """What reviewers have decided; None if nobody has decided anything."""
    run = context.run
    if not (run.folder / "review.sqlite").exists():
        return None
    from .review.decided import decided_gold

    return decided_gold(run.folder, run.tasks[task], run.shards)


def anchors(context: Context, task: str) -> Sequence[Gold] | None:
    """What is known for sure: the layer that the job names, and a reviewer's decisions."""
    run = context.run
    layer = run.layer(task, context.prepared.job.anchors)
    decided = decisions(context, task)
    if layer is None or decided is None:
        return layer or decided
    return Lazy(lambda i: layer[i].updated(decided[i]), run.n_shards)


def _fit_and_predict(
    context: Context,
    engine: Engine,
    task: str,
    stage: str,
    names: Sequence[str],
    gold: Sequence[Gold] | None,
) -> None:
    sha = _fit(context, task, stage, names, gold)
    _predict(context, engine, task, stage, names, sha, gold)


def _predict(
    context: Context,
    engine: Engine,
    task: str,
    stage: str,
    names: Sequence[str],
    sha: str,
    gold: Sequence[Gold] | None,
    kept: str | None = None,
) -> None:
    """Label every shard. kept: under which stage the labels are kept, if not the model's."""
    n = context.run.n_shards
    items = (
        Prediction(i, task, stage, tuple(names), sha, None if gold is None else gold[i], kept)
        for i in range(n)
    )
    for done, (item, result) in enumerate(engine.map(partial(predict, context.work), items)):
        if isinstance(result, Failed):
            raise RunError(f"shard {item.index}: no labels: {result.reason}")
        context.made("labels", result)
        context.watch(Step(f"labels of {task}", done + 1, n))


def _fit(
    context: Context, task: str, stage: str, names: Sequence[str], gold: Sequence[Gold] | None
) -> str:
    """Fit the model, unless the one that is there came from the same votes; its digest."""
    path = context.run.model_folder(task, stage) / "model.json"
    key = _fit_key(context, task, names, gold)
    note = context.stamps.read(path, key)
    if note is None or not path.with_suffix(".npz").exists():
        context.watch(Step(f"fit {task}", 0, 1))
        note = _fit_now(context, task, path, key, _fit_data(context, task, names, gold))
        context.watch(Step(f"fit {task}", 1, 1))
    return digest([note["sha256"], note["arrays"]])


def _fit_now(
    context: Context, task: str, path: Path, key: str, data: tuple[Any, Any, Any]
) -> dict[str, Any]:
    model = context.prepared.model(task)
    votes, texts, gold = data
    with context.metrics.timed("fit", task=task), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LabelModelWarning)
        model.fit(votes, texts=texts, gold=gold)
    said = [str(w.message) for w in caught if issubclass(w.category, LabelModelWarning)]
    context.stamps.clear(path)
    model.save(path.parent)
    context.made("model", count=1)
    arrays = content_digest(path.with_suffix(".npz"))
    return context.stamps.write(path, key, arrays=arrays, warnings=said)


def _fit_key(context: Context, task: str, names: Sequence[str], gold: Sequence[Gold] | None) -> str:
    run, job = context.run, context.prepared.job
    use = job.tasks[task].chosen_model
    notes = [context.stamps.read(run.votes_path(task, i)) or {} for i in range(run.n_shards)]
    votes = [
        [note.get("sources", {}).get(name, {}).get("sha256") for name in names] for note in notes
    ]
    return digest(
        [
            use.model_dump(),
            _model_code(use.use),
            job.seed,
            list(names),
            votes,
            [shard["sha256"] for shard in run.manifest["shards"]],
            None if gold is None else [gold_digest(one) for one in gold],
            None if job.fit_on is None else job.fit_on.documents,
        ]
    )


def _model_code(name: str) -> str:
    """The key of a model's own file, if it is a user's."""
    module = sys.modules.get(models.factory(name).__module__)
    if module is None or not module.__name__.startswith("weaklabel_job_"):
        return ""
    return content_digest(Path(inspect.getfile(module)))


def _fit_data(
    context: Context, task: str, names: Sequence[str], gold: Sequence[Gold] | None
) -> tuple[Any, Any, Any]:
    """Votes, texts and gold to fit on: of all documents, or of the sample that the job wants."""
    run, job = context.run, context.prepared.job
    votes = run.votes(task, sources=names)
    if job.fit_on is None:
        return votes, run.shards, gold
    sizes = [shard["documents"] for shard in run.manifest["shards"]]
    chosen = sample_documents(sizes, job.fit_on.documents, job.seed)

    def part(whole: Sequence[Any]) -> Sequence[Any]:
        return Lazy(lambda i: whole[i].select_documents(chosen[i]), len(chosen))

    return part(votes), part(run.shards), None if gold is None else part(gold)
