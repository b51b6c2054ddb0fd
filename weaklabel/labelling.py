"""Votes -> label model -> labels; twice if there are sources that read labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .context import Context, Step
from .engine_local import Engine, Failed
from .errors import RunError
from .fitting import fit
from .run import Lazy
from .stages import Prediction, predict
from .teaching import BELIEVED, teach, teachable
from .votes import Gold
from .voting import cast_round


def label(context: Context, engine: Engine, task: str) -> None:
    """Fit the task's model and label every shard."""
    made = context.prepared.sources[task]
    names = [one.source.name for one in made]
    readers = [one.source.name for one in made if one.round == "labels"]
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
    sha = fit(context, engine, task, "", names, gold)
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
    sha = fit(context, engine, task, stage, names, gold)
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
