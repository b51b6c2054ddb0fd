"""Class votes as rows of symbols, and which rows are alike: all that a class model looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels import patterns as kernel
from ..kernels.confusion import FULL, share_sums
from ..key_table import KeyTable
from ..task import NONE
from ..votes import Gold, Voter, Votes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Patterns:
    """P distinct patterns of votes on documents, in order of their hash.

    voters: the sources, sorted by name.
    raw: (S,) the symbols, rank of the source * L + vote label, sorted.
    source, label: (S,) the two parts of ``raw``.
    member: (S, K) whether the symbol can be cast because class k is true.
    indptr, symbols, levels: the votes of pattern i are ``indptr[i]:indptr[i+1]``; a level of
        ``FULL`` is a vote of confidence 1.
    count: (P,) documents with this pattern. known: (P,) their gold class or -1.
    looked: (M,) documents that each source looked at. n_documents: of the whole corpus.
    """

    voters: tuple[Voter, ...]
    raw: NDArray[np.int64]
    source: NDArray[np.int64]
    label: NDArray[np.int64]
    member: NDArray[np.bool_]
    indptr: NDArray[np.int64]
    symbols: NDArray[np.int64]
    levels: NDArray[np.int64]
    count: Floats
    known: NDArray[np.int64]
    looked: Floats
    n_documents: int

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources."""
        return tuple(voter.name for voter in self.voters)

    @property
    def n_classes(self) -> int:
        """K."""
        return self.member.shape[1]

    @property
    def degree(self) -> NDArray[np.int64]:
        """(P,) votes in each pattern."""
        return np.diff(self.indptr)

    @cached_property
    def shares(self) -> Floats:
        """(P, K) the votes on each pattern as shares, a vote for several classes split among them.

        Of a known class, all of it; without votes, as much of each.
        """
        spread = self.member / self.member.sum(axis=1, keepdims=True)
        score = share_sums(self.indptr, self.symbols, self.levels, spread)
        total = score.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, score / np.maximum(total, 1e-300), 1 / self.n_classes)
        known = self.known >= 0
        shares[known] = np.eye(self.n_classes)[self.known[known]]
        shares.flags.writeable = False
        return shares

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
    n_votes = len(votes.task.vote_labels)
    raw, levels = kernel.symbols_and_levels(
        votes.source, votes.label, votes.confidence, ranks, n_votes, FULL
    )
    if label is None:
        n_labels, indptr = n_votes, votes.indptr.copy()
    else:
        n_labels = 2
        document, raw, levels = _binary(votes, ranks, levels, label)
        indptr = np.searchsorted(document, np.arange(votes.n_documents + 1)).astype(np.int64)
    kernel.sort_rows(indptr, raw, levels)
    kernel.share_levels(indptr, raw // n_labels, levels, FULL)
    return Rows(indptr, raw, levels, known)


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


def hashed(rows: Rows) -> NDArray[np.uint64]:
    """(P, 2) keys of rows: equal rows have equal keys, and nothing else has."""
    keys: NDArray[np.uint64] = kernel.hash_rows(rows.indptr, rows.raw, rows.levels, rows.known)
    return keys


def distinct(rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Distinct rows, in order of first occurrence, and which of them each row is."""
    table = KeyTable()
    group = table.number(hashed(rows))
    firsts = np.empty(len(table), dtype=np.int64)
    firsts[group[::-1]] = np.arange(len(group))[::-1]
    return taken(rows, firsts), group


def taken(rows: Rows, chosen: NDArray[np.int64]) -> Rows:
    """Some rows, in the order given."""
    lengths = np.diff(rows.indptr)[chosen]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = np.repeat(rows.indptr[chosen] - indptr[:-1], lengths) + np.arange(indptr[-1])
    return Rows(indptr, rows.raw[entries], rows.levels[entries], rows.known[chosen])
