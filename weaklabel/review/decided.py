"""Decisions as gold, to anchor the next fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..task import NONE, Task
from ..votes import Gold
from .store import Decision, Store

Row = tuple[int, int, int]


def decided_gold(
    run_folder: Path | str, task: Task, shards: Sequence[Shard]
) -> Sequence[Gold] | None:
    """The decisions on a task, one ``Gold`` a shard, loaded shard by shard.

    Accepted, relabelled, moved and added spans are there; what was rejected, or moved away from,
    is -1 at its extent. Where reviewers differ the majority holds; where it is a tie, nothing.
    None: nobody has decided anything.
    """
    path = Path(run_folder) / "review.sqlite"
    if not path.exists():
        return None
    store = Store(path)
    try:
        return stored_gold(store, task, shards)
    finally:
        store.close()


def stored_gold(store: Store, task: Task, shards: Sequence[Shard]) -> Sequence[Gold] | None:
    """The same from a store that is open."""
    held = settled(store.decisions(task.name))
    return _GoldShards(task, shards, held) if held else None


def answered(
    gold: Gold, document: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,) whether decisions speak of places: they overlap one, or know the document in full.

    document, start, end: (N,) in the order of documents; the extents of a class task do not count.
    """
    from ..kernels.overlaps import overlap_pairs

    known = np.isin(document, gold.complete)
    if gold.task.kind == "classes":
        return known | np.isin(document, gold.document)
    bounds = [
        np.searchsorted(d, np.arange(len(gold.n_tokens) + 1)) for d in (document, gold.document)
    ]
    pairs = overlap_pairs(bounds[0], start, end, bounds[1], gold.start, gold.end)
    known[pairs[:, 0]] = True
    return known


def settled(decisions: Sequence[Decision]) -> dict[str, list[Decision]]:
    """By document, the decision that holds at each place; ties are left out."""
    places: dict[tuple[str, int, int], list[Decision]] = {}
    for decision in decisions:
        places.setdefault((decision.document, decision.start, decision.end), []).append(decision)
    held: dict[str, list[Decision]] = {}
    for (document, _, _), said in places.items():
        counts = Counter(decision.outcome for decision in said).most_common(2)
        if len(counts) == 1 or counts[0][1] > counts[1][1]:
            last = [d for d in said if d.outcome == counts[0][0]][-1]
            held.setdefault(document, []).append(last)
    return held


class _GoldShards(Sequence[Gold]):
    """The decisions of each shard, translated to tokens when it is indexed."""

    def __init__(
        self, task: Task, shards: Sequence[Shard], held: dict[str, list[Decision]]
    ) -> None:
        self.task, self.shards, self.held = task, shards, held

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        shard = self.shards[index]
        if self.task.kind == "classes":
            return self._classes(shard)
        return self._spans(shard)

    def _decided(self, shard: Shard) -> Iterator[tuple[int, Decision]]:
        for d, id in enumerate(shard.ids):
            for decision in self.held.get(id, ()):
                yield d, decision

    def _classes(self, shard: Shard) -> Gold:
        rows = [
            (d, self.task.label_id(label) if label else NONE)
            for d, decision in self._decided(shard)
            for label in decision.result.get("classes") or [""]
            if not label or label in self.task.labels
        ]
        return Gold.build(
            self.task, shard.n_tokens, document=[r[0] for r in rows], label=[r[1] for r in rows]
        )

    def _spans(self, shard: Shard) -> Gold:
        known: dict[Row, int] = {}
        complete = set()
        for d, decision in self._decided(shard):
            for start, end in decision.result.get("none", ()):
                known.setdefault((d, start, end), NONE)
            for start, end, label in decision.result.get("spans", ()):
                if label in self.task.labels:
                    known[d, start, end] = self.task.label_id(label)
            if decision.result.get("complete"):
                complete.add(d)
        places = list(known)
        columns = [[place[j] for place in places] for j in range(3)]
        start, end, exact = shard.align(*columns)
        keep = exact.nonzero()[0]
        return Gold.build(
            self.task,
            shard.n_tokens,
            document=[columns[0][i] for i in keep],
            start=start[keep],
            end=end[keep],
            label=[known[places[i]] for i in keep],
            complete=sorted(complete),
        )
