"""Class votes of shards -> distinct vote patterns with counts: all that a class model fits on.

Counts of shards add up, so that a fit never sees more than one shard, and the order of documents,
shards and sources leaves no trace: sources stand in order of their names, patterns in order of
their hash. Of every pattern a key and a count are held; the votes only of those to fit on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..key_table import KeyTable
from ..task import Task
from ..votes import Gold, Votes
from .patterns import Floats, Patterns, Rows, document_rows, hashed, taken

SLACK = 1 + 1e-9
"""A rate is rounded; what may stay is tested with this much more of it."""


def count_patterns(
    shards: Sequence[Votes],
    gold: Sequence[Gold | None],
    label: int | None = None,
    limit: int = 50_000,
) -> Patterns:
    """Distinct patterns of all shards; of a multi-label task, those on one label (no, yes).

    limit: of more patterns than about this, those seen once are sampled, see ``thin``.
    """
    voters = {voter.name: voter for shard in shards for voter in shard.voters}
    names = sorted(voters)
    task = shards[0].task
    compatible = task.compatible if label is None else np.eye(2, dtype=bool)
    counter = Counter(limit)
    cast = np.zeros(len(names) * len(compatible), dtype=np.int64)
    looked = np.zeros(len(names))
    n_documents = 0
    for shard, rows, keys in _laid_out(shards, gold, task, names, label):
        counter.add(rows, keys)
        cast += np.bincount(rows.raw, minlength=len(cast))
        looked += _looked(shard, names)
        n_documents += shard.n_documents
    rows, count = counter.patterns()
    raw = np.flatnonzero(cast)
    source, value = np.divmod(raw, len(compatible))
    return Patterns(
        tuple(voters[name] for name in names),
        raw,
        source,
        value,
        compatible[value],
        rows.indptr,
        np.searchsorted(raw, rows.raw),
        rows.levels,
        count,
        rows.known,
        looked,
        n_documents,
    )


def _laid_out(
    shards: Sequence[Votes],
    gold: Sequence[Gold | None],
    task: Task,
    names: Sequence[str],
    label: int | None,
) -> Iterator[tuple[Votes, Rows, NDArray[np.uint64]]]:
    """Each shard with its rows and their keys; the next shard is laid out meanwhile."""

    def lay_out(shard: Votes, known: Gold | None) -> tuple[Votes, Rows, NDArray[np.uint64]]:
        if shard.task != task:
            raise ModelError("shards of votes to fit on have different tasks")
        rows = document_rows(shard, known, names, label)
        return shard, rows, hashed(rows)

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[tuple[Votes, Rows, NDArray[np.uint64]]]] = deque()
        for shard, known in zip(shards, gold, strict=True):
            waiting.append(pool.submit(lay_out, shard, known))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Counter:
    """Counts rows, and keeps those on which to fit once all have been counted.

    Which these are depends on all counts, see ``thin``. But the rate of the sample only falls as
    counts grow: a row that is in the end to stay could also stay when it was last met.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rate = 1.0
        self.table = KeyTable()
        self.count: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.held: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.n_held = 0
        self.numbers: list[NDArray[np.int64]] = []
        self.rows: list[Rows] = []

    def add(self, rows: Rows, keys: NDArray[np.uint64]) -> None:
        """Count the rows of a shard; keys: theirs, see ``hashed``."""
        group = self.table.number(keys)
        self.count = _padded(self.count, len(self.table.keys))
        self.held = _padded(self.held, len(self.table.keys))
        np.add.at(self.count, group, 1)
        stay = stays(self.count[group], keys, SLACK * self.rate) & ~self.held[group]
        number, first = np.unique(group[stay], return_index=True)
        self.held[number] = True
        self.n_held += len(number)
        self.numbers.append(number)
        self.rows.append(taken(rows, np.flatnonzero(stay)[first]))
        if self.n_held > 2 * self.limit:
            self._drop()

    def patterns(self) -> tuple[Rows, Floats]:
        """The rows to fit on, in order of their keys, and how often each counts."""
        self._drop()
        number = self.numbers[0]
        count = self.count[number].astype(np.float64)
        chosen, weighted = thin(count, self.table.keys[number], self.rate)
        if self.rate < 1:
            weighted *= self.count.sum() / weighted.sum()
        return taken(self.rows[0], chosen), weighted

    def _drop(self) -> None:
        """Let go of the rows that cannot stay any more."""
        self.rate = sampling_rate(self.count[: len(self.table)], self.limit)
        number, rows = np.concatenate(self.numbers), _joined(self.rows)
        stay = stays(self.count[number], self.table.keys[number], SLACK * self.rate)
        self.held[number[~stay]] = False
        self.numbers, self.rows = [number[stay]], [taken(rows, np.flatnonzero(stay))]
        self.n_held = int(stay.sum())


def thin(count: Floats, keys: NDArray[np.uint64], rate: float) -> tuple[NDArray[np.int64], Floats]:
    """Which patterns to fit on, in order of their keys, and how often each counts.

    Each is kept with a probability that grows with its count, by its hash, and weighted up by the
    inverse (Poisson sampling, Horvitz & Thompson 1952). What is dropped depends on the votes
    alone, not on where they stand.
    """
    chosen = np.flatnonzero(stays(count, keys, rate))
    chosen = chosen[np.lexsort((keys[chosen, 1], keys[chosen, 0]))]
    return chosen, count[chosen] / np.minimum(count[chosen] * rate, 1.0)


def stays(
    count: Floats | NDArray[np.int64], keys: NDArray[np.uint64], rate: float
) -> NDArray[np.bool_]:
    """Whether each pattern is in a sample of this rate."""
    share = np.minimum(count * rate, 1.0)
    bound = np.minimum(share * 2.0**64, 2.0**64 - 2048).astype(np.uint64)
    return np.asarray((keys[:, 1] < bound) | (share >= 1))


def sampling_rate(count: NDArray[np.int64], limit: int) -> float:
    """The r at which ``sum(min(1, r count))`` is the limit; 1 if there are not so many."""
    if len(count) <= limit:
        return 1.0
    value, often = np.unique(count, return_counts=True)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if np.sum(often * np.minimum(1.0, middle * value)) < limit:
            low = middle
        else:
            high = middle
    return high


def _looked(shard: Votes, names: Sequence[str]) -> Floats:
    """(M,) documents of a shard that each source looked at."""
    looked = np.zeros(len(names))
    for voter, documents in zip(shard.voters, shard.looked, strict=True):
        looked[names.index(voter.name)] = shard.n_documents if documents is None else len(documents)
    return looked


def _padded(values: NDArray[Any], size: int) -> NDArray[Any]:
    if len(values) == size:
        return values
    longer = np.zeros(size, values.dtype)
    longer[: len(values)] = values
    return longer


def _joined(parts: Sequence[Rows]) -> Rows:
    ends = np.cumsum([0] + [part.indptr[-1] for part in parts])
    shifted = [part.indptr[1:] + end for part, end in zip(parts, ends, strict=False)]
    return Rows(
        np.concatenate([[0], *shifted]),
        np.concatenate([part.raw for part in parts]),
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.known for part in parts]),
    )
