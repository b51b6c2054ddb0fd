"""A reviewer's decisions on some documents -> corrected labels of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .columns import load_labels, save_labels
from .keys import digest, gold_digest
from .run import Lazy
from .task import Task
from .votes import Gold

if TYPE_CHECKING:
    from .context import Context

BELIEVED = "believed"
"""The stage of the labels as the label model gives them that has not been told the decisions."""


def teachable(task: Task) -> bool:
    """Whether decisions on a task correct what is undecided; elsewhere they are anchors only."""
    return task.kind == "spans" and not task.nested


def teach(context: Context, task: str, names: Sequence[str], decided: Sequence[Gold]) -> None:
    """Learn from the decisions, correct the labels of every shard; what is right already stays."""
    from .review.teach import Teacher

    run, stamps = context.run, context.stamps
    paths = [run.labels_path(task, i, BELIEVED) for i in range(run.n_shards)]
    believed: Sequence[Any] = Lazy(lambda i: load_labels(paths[i]), run.n_shards)
    facts = [(stamps.read(path) or {}).get("sha256") for path in paths]
    key = digest(["taught", facts, [gold_digest(one) for one in decided]])
    if all(stamps.read(run.labels_path(task, i), key) for i in range(run.n_shards)):
        return
    votes = run.votes(task, sources=names)
    with context.metrics.timed("teach", task=task):
        teacher = Teacher(seed=context.prepared.job.seed)
        teacher.fit(believed, votes, run.shards, decided)
        for i in range(run.n_shards):
            path = run.labels_path(task, i)
            labels = teacher.apply(believed[i], votes[i], run.shards[i], decided[i])
            stamps.clear(path)
            save_labels(path, labels, run.shards[i])
            stamps.write(path, key)
    context.made("labels", count=run.n_shards)
