"""votes -> clusters of overlapping spans -> distinct patterns, whose counts add up over shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels import lattice as kernel
from ..kernels.clusters import number_groups, order_ties
from ..kernels.lattice import MISSING_ROW, Lattice
from ..task import NONE
from ..votes import Gold, Votes


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of one shard, in order of document and position.

    document, offset: (N,) where each begins. indptr: (N+1,) into ``rows`` (R, 5): start, end
    (relative to the cluster), source (by name order), vote label, confidence in quarters.
    """

    document: NDArray[np.int64]
    offset: NDArray[np.int32]
    indptr: NDArray[np.int64]
    rows: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Distinct clusters, sorted by their bytes, so that nothing depends on the order of documents.

    indptr, rows: as in ``Clusters``. count: (P,) how often each occurs. n_tokens: (M,) tokens of
    the documents that each source looked at.
    """

    indptr: NDArray[np.int64]
    rows: NDArray[np.int32]
    count: NDArray[np.float64]
    n_tokens: NDArray[np.float64]


def clusters_of(votes: Votes, names: tuple[str, ...], gold: Gold | None = None) -> Clusters:
    """Clusters of votes, with sources numbered as in ``names``; gold adds rows, see ``constrain``.

    A source that did not look at a document has a row without extent in each cluster there.
    """
    source = _renumber(votes, names)
    quarters = np.ceil(votes.confidence * 4 - 1e-6).astype(np.int32)
    table = np.stack([votes.start, votes.end, source[votes.source], votes.label, quarters], axis=1)
    # a writable copy: read-only arrays are another type, and every kernel would compile twice
    document: NDArray[Any] = votes.document.copy()
    rows: NDArray[np.int32] = table.astype(np.int32)
    if gold is not None and len(gold):
        document = np.concatenate([document, gold.document])
        rows = np.concatenate([rows, _gold_rows(gold, len(names))])
        order = np.lexsort([rows[:, 1], rows[:, 0], document])
        document, rows = document[order], rows[order]
    order = order_ties(document, rows)
    document, rows = document[order], rows[order]
    start, end = rows[:, 0].copy(), rows[:, 1].copy()
    first = np.flatnonzero(kernel.cluster_starts(document, start, end))
    cluster = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(rows))))
    offset = rows[first, 0]
    rows[:, :2] -= offset[cluster][:, None]
    extra_cluster, extra = _rows_without_extent(votes, names, gold, document[first])
    if len(extra):
        cluster = np.concatenate([extra_cluster, cluster])
        order = np.argsort(cluster, kind="stable")
        rows = np.concatenate([extra, rows])[order]
    size = np.bincount(cluster, minlength=len(first))
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    return Clusters(document[first], offset, indptr, rows)


def _renumber(votes: Votes, names: tuple[str, ...]) -> NDArray[np.int32]:
    known = {name: j for j, name in enumerate(names)}
    unknown = [name for name in votes.names if name not in known]
    if unknown:
        raise ModelError(f"the model was fitted without source {unknown[0]!r}; fit it again")
    return np.asarray([known[name] for name in votes.names], dtype=np.int32)


def _gold_rows(gold: Gold, n_sources: int) -> NDArray[np.int32]:
    is_entity = gold.label != NONE
    rows = [
        gold.start,
        gold.end,
        np.where(is_entity, n_sources, n_sources + 1),
        np.where(is_entity, gold.label, 0),
        np.full(len(gold), 4),
    ]
    return np.stack(rows, axis=1).astype(np.int32)


def _rows_without_extent(
    votes: Votes, names: tuple[str, ...], gold: Gold | None, document: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows (cluster, row) for sources that did not look, and for documents known in full."""
    nowhere = np.zeros(0, np.int64)
    looked = dict(zip(votes.names, votes.looked, strict=True))
    pairs: list[tuple[int, NDArray[np.int64]]] = []
    for j, name in enumerate(names):
        where = looked.get(name, nowhere)
        if where is not None:
            pairs.append((j, np.flatnonzero(~np.isin(document, where))))
    if gold is not None and len(gold.complete):
        pairs.append((len(names) + 1, np.flatnonzero(np.isin(document, gold.complete))))
    cluster = np.concatenate([nowhere, *(at for _, at in pairs)])
    rows = np.zeros((len(cluster), 5), np.int32)
    rows[:, :2] = MISSING_ROW
    rows[:, 2] = np.repeat(
        np.asarray([j for j, _ in pairs], np.int32), np.asarray([len(at) for _, at in pairs], int)
    )
    return cluster, rows


class PatternCounter:
    """Counts patterns shard by shard; the order of shards does not matter."""

    def __init__(self, n_sources: int) -> None:
        self.counts: dict[bytes, int] = {}
        self.n_tokens = np.zeros(n_sources)

    def add(self, clusters: Clusters, votes: Votes, names: tuple[str, ...]) -> None:
        """Count the clusters of one shard."""
        which, first = distinct(clusters)
        for i, count in zip(first, np.bincount(which).tolist(), strict=True):
            key = clusters.rows[clusters.indptr[i] : clusters.indptr[i + 1]].tobytes()
            self.counts[key] = self.counts.get(key, 0) + count
        total = float(votes.n_tokens.sum())
        for name, looked in zip(votes.names, votes.looked, strict=True):
            tokens = total if looked is None else float(votes.n_tokens[looked].sum())
            self.n_tokens[names.index(name)] += tokens

    def plus(self, other: PatternCounter) -> None:
        """Take in what another one counted on other shards."""
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        self.n_tokens += other.n_tokens

    def patterns(self) -> Patterns:
        """What was counted."""
        keys = sorted(self.counts)
        rows = np.frombuffer(b"".join(keys), dtype=np.int32).reshape(-1, 5).copy()
        indptr = np.cumsum([0] + [len(key) // ROW_BYTES for key in keys])
        count = np.asarray([self.counts[key] for key in keys], dtype=np.float64)
        return Patterns(indptr.astype(np.int64), rows, count, self.n_tokens)


ROW_BYTES = 5 * np.dtype(np.int32).itemsize


def lay_out(
    indptr: NDArray[np.int64], rows: NDArray[np.int32], n_sources: int, n_votes: int
) -> Lattice:
    """Clusters or patterns as the kernels want them."""
    length: NDArray[Any] = np.zeros(0, np.int32)
    if len(rows):
        length = np.maximum.reduceat(rows[:, 1], indptr[:-1])
    token_ptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    cand_ptr, start, end, vote_ptr, source, outcome, weight = kernel.candidate_votes(
        indptr, rows, n_sources, n_votes
    )
    return Lattice(indptr, rows, token_ptr, cand_ptr, start, end, vote_ptr, source, outcome, weight)


def distinct(clusters: Clusters) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) the number of each cluster's pattern, and (P,) a cluster that shows each pattern."""
    which, first = number_groups(clusters.indptr, clusters.rows)
    return which, first


def take(
    ptr: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of some groups of a pointer array: the new pointers and the rows, in order."""
    lengths = np.diff(ptr)[chosen]
    new = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(ptr[chosen] - new[:-1], lengths) + np.arange(new[-1])
    return new, rows
