"""All that a report counts: of one shard in whichever process, and summed over the shards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from operator import add
from pathlib import Path

from .changes import Changes, has_changes
from .columns import load_labels, load_shard
from .corpus import Shard
from .engine_local import Engine
from .in_turn import in_turn
from .keys import digest
from .label_statistics import LabelStatistics
from .labels import SpanLabels
from .run import Run
from .task import Task
from .teaching import BELIEVED
from .vote_statistics import VoteStatistics
from .votes import Gold, Voter


@dataclass(frozen=True, eq=False)
class Statistics:
    """What adds up over shards.

    voters: of the votes; the first shard's. changes: what decisions changed, None if nothing could.
    """

    voters: tuple[Voter, ...]
    votes: VoteStatistics
    labels: LabelStatistics
    changes: Changes | None

    def __add__(self, other: Statistics) -> Statistics:
        changes = None
        if self.changes is not None and other.changes is not None:
            changes = self.changes + other.changes
        votes, labels = self.votes + other.votes, self.labels + other.labels
        return Statistics(self.voters, votes, labels, changes)


def count(run: Run, engine: Engine) -> dict[str, Statistics]:
    """The statistics of every task, summed in the order of the shards."""
    changed = [task for task in run.tasks if has_changes(run, task)]
    layer = run.job.gold or ""
    layers = {task: layer for task in run.tasks if run.gold(task) is not None}
    key = digest([run.manifest, run.job.file.text])
    make = partial(count_shard, run.folder, key, layers, changed)
    shards = in_turn(engine.map(make, range(run.n_shards)), "statistics")
    return reduce(_sum, shards)


def _sum(left: dict[str, Statistics], right: dict[str, Statistics]) -> dict[str, Statistics]:
    return {task: add(left[task], right[task]) for task in left}


def count_shard(
    folder: Path, key: str, layers: dict[str, str], changed: Collection[str], index: int
) -> dict[str, Statistics]:
    """The statistics of one shard, by task.

    key: of the manifest and the job. layers: the gold of the tasks that have some. changed: tasks
    with labels from before decisions.
    """
    run = _opened(folder, key)
    shard = load_shard(run.shard_path(index)) if layers or changed else None
    found = {}
    for name, task in run.tasks.items():
        gold = None
        if shard is not None and name in layers:
            gold = shard.gold(task, layers[name])[0]
        labels, votes = run.labels(name)[index], run.votes(name)[index]
        changes = None
        if shard is not None and name in changed:
            before = load_labels(run.labels_path(name, index, BELIEVED))
            assert isinstance(before, SpanLabels)
            assert isinstance(labels, SpanLabels)
            changes = Changes.of(before, labels, _decided(folder, task, shard), gold)
        said, given = VoteStatistics.of(votes, gold), LabelStatistics.of(votes, labels, gold)
        found[name] = Statistics(votes.voters, said, given, changes)
    return found


@lru_cache(maxsize=1)
def _opened(folder: Path, key: str) -> Run:
    """The run folder: its manifest and job, read once per process."""
    return Run(folder)


def _decided(folder: Path, task: Task, shard: Shard) -> Gold:
    from .review.decided import decided_gold

    decided = decided_gold(folder, task, [shard])
    assert decided is not None
    return decided[0]
