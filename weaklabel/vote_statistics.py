"""What the votes alone say of each source and label, and gold beside them; adds up over shards."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .task import NONE, Task
from .votes import Gold, Votes

PAIRS = 4_000_000
"""Pairs of overlapping votes that are held in memory at once."""


@dataclass(frozen=True, eq=False)
class VoteStatistics:
    """Counts for M sources and L vote labels.

    votes: (M, L). covered: (M, L) documents with such a vote. reached: (M,) documents with any.
    looked: (M,) documents looked at.
    overlaps, conflicts: (M, L) votes that meet a vote of another source on the same place
        (spans: on a common token), and votes that such a vote contradicts (another label, or
        other bounds).
    right: (M, L) votes that gold confirms exactly. scored: (M, L) votes where gold is known.
    actual: (M, L) what gold has of the label where the source looked.
    """

    votes: NDArray[np.int64]
    covered: NDArray[np.int64]
    reached: NDArray[np.int64]
    looked: NDArray[np.int64]
    overlaps: NDArray[np.int64]
    conflicts: NDArray[np.int64]
    right: NDArray[np.int64]
    scored: NDArray[np.int64]
    actual: NDArray[np.int64]

    @classmethod
    def of(cls, votes: Votes, gold: Gold | None = None) -> VoteStatistics:
        """Count over one shard."""
        overlaps, conflicts = meetings(votes)
        document, cell = votes.document, _cell(votes)
        looked = [votes.n_documents if d is None else len(d) for d in votes.looked]
        once = np.unique(document * _size(votes) + cell) % _size(votes)
        sources = np.unique(document * votes.n_sources + votes.source) % max(votes.n_sources, 1)
        right, scored, actual = _against(votes, gold)
        return cls(
            _table(votes, cell),
            _table(votes, once),
            np.bincount(sources, minlength=votes.n_sources),
            np.asarray(looked, dtype=np.int64),
            _table(votes, cell[overlaps]),
            _table(votes, cell[conflicts]),
            _table(votes, cell[right]),
            _table(votes, cell[scored]),
            actual,
        )

    def __add__(self, other: VoteStatistics) -> VoteStatistics:
        names = [field.name for field in fields(self)]
        return VoteStatistics(*(getattr(self, n) + getattr(other, n) for n in names))


def _size(votes: Votes) -> int:
    return votes.n_sources * len(votes.task.vote_labels)


def _cell(votes: Votes) -> NDArray[np.int64]:
    return votes.source.astype(np.int64) * len(votes.task.vote_labels) + votes.label


def _table(votes: Votes, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    flat = np.bincount(cells, minlength=_size(votes))
    return flat.reshape(votes.n_sources, len(votes.task.vote_labels))


def agree(task: Task) -> NDArray[np.bool_]:
    """(L, L): whether two votes on the same place can both be right."""
    if task.kind == "classes" and task.multi:
        names = task.vote_labels
        rows = [[a != f"!{b}" and b != f"!{a}" for b in names] for a in names]
        return np.asarray(rows, dtype=bool)
    shared: NDArray[np.bool_] = (task.compatible.astype(int) @ task.compatible.T.astype(int)) > 0
    return shared


def meetings(votes: Votes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(V,) which votes meet another source's, and which are contradicted by one."""
    if votes.task.kind == "classes":
        return _class_meetings(votes)
    return _span_meetings(votes)


def _class_meetings(votes: Votes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    from scipy.sparse import csr_matrix

    n_labels = len(votes.task.vote_labels)
    against = csr_matrix((~agree(votes.task)).astype(np.int64))
    pair = votes.document * votes.n_sources + votes.source
    _, mine = np.unique(pair, return_inverse=True)
    ones = np.ones(len(votes), dtype=np.int64)

    def counts(group: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        table = csr_matrix((ones, (group, votes.label)), shape=(n, n_labels))
        total = np.asarray(table.sum(axis=1)).ravel()[group]
        contrary = np.asarray((table @ against)[group, votes.label]).ravel()
        return total, contrary

    if not len(votes):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    all_votes, all_contrary = counts(votes.document, votes.n_documents)
    own_votes, own_contrary = counts(mine, int(mine.max()) + 1)
    return all_votes > own_votes, all_contrary > own_contrary


def _span_meetings(votes: Votes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    together = agree(votes.task)
    overlaps = np.zeros(len(votes), dtype=bool)
    conflicts = np.zeros(len(votes), dtype=bool)
    stride = int(votes.n_tokens.max(initial=0)) + 1
    start = votes.document * stride + votes.start
    end = votes.document * stride + votes.end
    # votes are sorted by start, so those that begin within a vote follow it without a gap
    count = np.searchsorted(start, end, side="left") - np.arange(len(votes)) - 1
    bounds = np.searchsorted(np.cumsum(count), np.arange(0, count.sum() + PAIRS, PAIRS))
    for low, high in zip(bounds[:-1], bounds[1:] + 1, strict=True):
        first = np.repeat(np.arange(low, min(high, len(votes))), count[low:high])
        offset = np.cumsum(count[low:high]) - count[low:high]
        second = first + 1 + np.arange(len(first)) - np.repeat(offset, count[low:high])
        other = votes.source[first] != votes.source[second]
        first, second = first[other], second[other]
        same = (start[first] == start[second]) & (end[first] == end[second])
        bad = ~(same & together[votes.label[first], votes.label[second]])
        overlaps[first] = overlaps[second] = True
        conflicts[first[bad]] = conflicts[second[bad]] = True
    return overlaps, conflicts


def _against(
    votes: Votes, gold: Gold | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """(V,) which votes are right, which can be judged, and (M, L) what gold has."""
    compatible = votes.task.compatible
    if gold is None:
        none = np.zeros(len(votes), dtype=bool)
        return none, none, np.zeros((votes.n_sources, len(compatible)), dtype=np.int64)
    known = np.zeros(votes.n_documents, dtype=bool)
    known[gold.complete] = True
    rows = (gold.label != NONE) & known[gold.document]
    scored = known[votes.document]
    mine, theirs = _places(votes, gold)
    right = np.zeros(len(votes), dtype=bool)
    order = np.flatnonzero(rows)[np.argsort(theirs[rows], kind="stable")]
    low = np.searchsorted(theirs[order], mine, side="left")
    high = np.searchsorted(theirs[order], mine, side="right")
    for step in range(int((high - low).max(initial=0))):
        has = np.flatnonzero(low + step < high)
        truth = gold.label[order[low[has] + step]]
        right[has] |= compatible[votes.label[has], truth]
    n_labels = len(votes.task.labels)
    actual = np.zeros((votes.n_sources, len(compatible)), dtype=np.int64)
    everywhere = np.bincount(gold.label[rows], minlength=n_labels)
    for j, looked in enumerate(votes.looked):
        if looked is None:
            actual[j] = compatible @ everywhere
        else:
            seen = rows & np.isin(gold.document, looked)
            actual[j] = compatible @ np.bincount(gold.label[seen], minlength=n_labels)
    return right & scored, scored, actual


def _places(votes: Votes, gold: Gold) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Equal numbers for equal (document, start, end)."""
    columns = [
        np.concatenate([getattr(votes, name), getattr(gold, name)]).astype(np.int64)
        for name in ("document", "start", "end")
    ]
    bounds = np.unique(columns[1] << 32 | columns[2], return_inverse=True)[1]
    keys = columns[0] * (int(bounds.max(initial=0)) + 1) + bounds
    return keys[: len(votes)], keys[len(votes) :]
