"""Class votes -> distinct vote patterns with counts: all that a class model fits on.

Counts of shards add up, so that a fit never sees more than one shard, and the order of documents,
shards and sources leaves no trace: sources stand in order of their names, patterns in order of
their hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels import patterns as kernel
from ..kernels.confusion import FULL
from ..task import NONE
from ..votes import Gold, Votes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Patterns:
    """P distinct patterns of votes on documents.

    sources: names, sorted. raw: (S,) the symbols, rank of the source * L + vote label, sorted.
    source, label: (S,) the two parts of ``raw``.
    member: (S, K) whether the symbol can be cast because class k is true.
    indptr, symbols, levels: the votes of pattern i are ``indptr[i]:indptr[i+1]``; a level of
        ``FULL`` is a vote of confidence 1.
    count: (P,) documents with this pattern. known: (P,) their gold class or -1.
    keys: (P, 2) hashes, in whose order the patterns stand.
    looked: (M,) documents that each source looked at. n_documents: of the whole corpus.
    """

    sources: tuple[str, ...]
    raw: NDArray[np.int64]
    source: NDArray[np.int64]
    label: NDArray[np.int64]
    member: NDArray[np.bool_]
    indptr: NDArray[np.int64]
    symbols: NDArray[np.int64]
    levels: NDArray[np.int64]
    count: Floats
    known: NDArray[np.int64]
    keys: NDArray[np.uint64]
    looked: Floats
    n_documents: int

    @property
    def n_classes(self) -> int:
        """K."""
        return self.member.shape[1]

    @property
    def degree(self) -> NDArray[np.int64]:
        """(P,) votes in each pattern."""
        return np.diff(self.indptr)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(P,) whether anybody voted."""
        return self.degree > 0

    @property
    def votes(self) -> Floats:
        """(S,) documents on which each symbol was cast, by confidence."""
        weight = np.repeat(self.count, self.degree) * self.levels / FULL
        return np.bincount(self.symbols, weight, minlength=len(self.source)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Votes per document (or pattern) in CSR, with raw symbols ``rank of source * L + label``."""

    indptr: NDArray[np.int64]
    raw: NDArray[np.int64]
    levels: NDArray[np.int64]
    known: NDArray[np.int64]
    count: Floats


def count_patterns(
    shards: Sequence[Votes],
    gold: Sequence[Gold | None],
    label: int | None = None,
    limit: int = 50_000,
) -> Patterns:
    """Distinct patterns of all shards; of a multi-label task, those on one label (no, yes).

    limit: of more patterns than about this, those seen once are sampled, see ``thin``.
    """
    names = tuple(sorted({name for shard in shards for name in shard.names}))
    task = shards[0].task
    total: Rows | None = None
    keys: NDArray[np.uint64] = np.empty((0, 2), np.uint64)
    looked = np.zeros(len(names))
    n_documents = 0
    for shard, known in zip(shards, gold, strict=True):
        if shard.task != task:
            raise ModelError("shards of votes to fit on have different tasks")
        rows, keys_, _ = distinct(document_rows(shard, known, names, label))
        total = rows if total is None else _joined(total, rows)
        keys = np.concatenate([keys, keys_])
        n_documents += shard.n_documents
        for voter, documents in zip(shard.voters, shard.looked, strict=True):
            seen = shard.n_documents if documents is None else len(documents)
            looked[names.index(voter.name)] += seen
    assert total is not None
    total, keys = _regroup(total, keys) if len(shards) > 1 else (total, keys)
    chosen, count = thin(total.count, keys, limit)
    compatible = np.eye(2, dtype=bool) if label is not None else task.compatible
    raw, _ = compress(total.raw)
    few = replace(_reordered(total, chosen), count=count)
    return _symbolic(few, raw, keys[chosen], names, compatible, looked, n_documents)


def thin(count: Floats, keys: NDArray[np.uint64], limit: int) -> tuple[NDArray[np.int64], Floats]:
    """Which patterns to fit on, in order of their keys, and how often each counts.

    All, or about ``limit``: each is kept with a probability that grows with its count, by its
    hash, and weighted up by the inverse (Poisson sampling, Horvitz & Thompson 1952). What is
    dropped depends on the votes alone, not on where they stand.
    """
    chosen: NDArray[np.int64] = np.arange(len(count))
    weighted = count
    if len(count) > limit:
        share = np.minimum(count * _rate(count, limit), 1.0)
        bound = np.minimum(share * 2.0**64, 2.0**64 - 2048).astype(np.uint64)
        chosen = np.flatnonzero((keys[:, 1] < bound) | (share >= 1))
        weighted = count / share
        weighted *= count.sum() / weighted[chosen].sum()
    order = np.lexsort((keys[chosen, 1], keys[chosen, 0]))
    return chosen[order], weighted[chosen[order]]


def _rate(count: Floats, limit: int) -> float:
    """The r at which ``sum(min(1, r count))`` is the limit."""
    value, often = np.unique(count, return_counts=True)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if np.sum(often * np.minimum(1.0, middle * value)) < limit:
            low = middle
        else:
            high = middle
    return high


def compress(raw: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct symbols, sorted, and a table from a symbol to its place among them."""
    seen = np.bincount(raw) > 0 if len(raw) else np.zeros(1, dtype=bool)
    return np.flatnonzero(seen), np.cumsum(seen) - 1


def document_rows(
    votes: Votes, gold: Gold | None, names: Sequence[str], label: int | None = None
) -> Rows:
    """The votes of each document of a shard, sorted by source name and label."""
    rank = {name: r for r, name in enumerate(names)}
    unknown = [name for name in votes.names if name not in rank]
    if unknown:
        raise ModelError(f"source {unknown[0]!r} was not there when the model was fitted")
    ranks = np.array([rank[name] for name in votes.names], dtype=np.int64)
    known = _known(votes.n_documents, gold, label)
    levels = np.maximum(np.rint(votes.confidence * FULL), 1).astype(np.int64)
    if label is None:
        n_labels = len(votes.task.vote_labels)
        raw = ranks[votes.source] * n_labels + votes.label if len(votes) else np.empty(0, np.int64)
        indptr = votes.indptr.copy()
    else:
        n_labels = 2
        document, raw, levels = _binary(votes, ranks, levels, label)
        indptr = np.searchsorted(document, np.arange(votes.n_documents + 1)).astype(np.int64)
    raw = np.ascontiguousarray(raw, dtype=np.int64)
    kernel.sort_rows(indptr, raw, levels)
    kernel.share_levels(indptr, raw // n_labels, levels, FULL)
    return Rows(indptr, raw, levels, known, np.ones(votes.n_documents))


def _binary(
    votes: Votes, ranks: NDArray[np.int64], levels: NDArray[np.int64], label: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Votes on one label of a multi-label task: (document, raw symbol of yes or no, level).

    A source that votes elsewhere on a document where it could have cast this label says no.
    """
    n = len(votes.task.labels) + len(votes.task.groups)
    yes = votes.label == label
    no = votes.label == n + label
    casts = np.zeros(votes.n_sources, dtype=bool)
    casts[votes.source[yes]] = True
    pair = votes.document * votes.n_sources + votes.source
    spoke = np.isin(pair, pair[yes | no])
    other, first = np.unique(pair[~spoke & casts[votes.source]], return_index=True)
    del first
    document = np.concatenate([votes.document[yes], votes.document[no], other // votes.n_sources])
    source = np.concatenate([votes.source[yes], votes.source[no], other % votes.n_sources])
    value = np.concatenate([np.ones(yes.sum()), np.zeros(no.sum() + len(other))]).astype(np.int64)
    level = np.concatenate([levels[yes], levels[no], np.full(len(other), FULL)])
    order = np.argsort(document, kind="stable")
    raw = ranks[source.astype(np.int64)] * 2 + value
    return document[order], raw[order], level[order].astype(np.int64)


def _known(n_documents: int, gold: Gold | None, label: int | None) -> NDArray[np.int64]:
    known = np.full(n_documents, NONE, dtype=np.int64)
    if gold is None:
        return known
    if label is None:
        known[gold.document] = gold.label
        return known
    known[gold.complete] = 0
    known[gold.document[gold.label == label]] = 1
    return known


def distinct(rows: Rows) -> tuple[Rows, NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct rows with counts, their keys, and which of them each row is."""
    keys = kernel.hash_rows(rows.indptr, rows.raw, rows.levels, rows.known)
    group, firsts = kernel.group_rows(keys)
    count = np.bincount(group, rows.count, minlength=len(firsts)).astype(np.float64)
    return replace(_reordered(rows, firsts), count=count), keys[firsts], group


def _regroup(rows: Rows, keys: NDArray[np.uint64]) -> tuple[Rows, NDArray[np.uint64]]:
    group, firsts = kernel.group_rows(keys)
    count = np.bincount(group, rows.count, minlength=len(firsts)).astype(np.float64)
    return replace(_reordered(rows, firsts), count=count), keys[firsts]


def _joined(left: Rows, right: Rows) -> Rows:
    return Rows(
        np.concatenate([left.indptr, right.indptr[1:] + left.indptr[-1]]),
        np.concatenate([left.raw, right.raw]),
        np.concatenate([left.levels, right.levels]),
        np.concatenate([left.known, right.known]),
        np.concatenate([left.count, right.count]),
    )


def _gather(
    indptr: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """CSR bounds of the chosen rows, and which entries they hold."""
    lengths = np.diff(indptr)[chosen]
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = np.repeat(indptr[chosen] - bounds[:-1], lengths) + np.arange(bounds[-1])
    return bounds, entries


def _reordered(rows: Rows, chosen: NDArray[np.int64]) -> Rows:
    indptr, entries = _gather(rows.indptr, chosen)
    known, count = rows.known[chosen], rows.count[chosen]
    return Rows(indptr, rows.raw[entries], rows.levels[entries], known, count)


def _symbolic(
    rows: Rows,
    raw: NDArray[np.int64],
    keys: NDArray[np.uint64],
    names: tuple[str, ...],
    compatible: NDArray[np.bool_],
    looked: Floats,
    n_documents: int,
) -> Patterns:
    source, label = np.divmod(raw, len(compatible))
    return Patterns(
        names,
        raw,
        source,
        label,
        compatible[label],
        rows.indptr,
        np.searchsorted(raw, rows.raw),
        rows.levels,
        rows.count,
        rows.known,
        keys,
        looked,
        n_documents,
    )
