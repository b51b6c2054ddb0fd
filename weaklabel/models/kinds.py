"""What the silence of a source says, where nobody declared it: spotter or exhaustive, and where.

A gazetteer or a rule gives a string the same label wherever it stands; a tagger, a prompt, a person
looks at the context and now and then labels one string in two ways. On five public sets no
gazetteer or rule did so once, and every tagger and prompt with enough votes did, with 1 to 20 of
100 repeated strings. Sources with few repeated strings and no clear sign are judged together. With
one label nobody can; there, a source that leaves out many other occurrences of most words that it
marks looks at more than the word.

A person or a prompt may have seen only some documents, without anybody having noted which. Then its
votes come in bunches: having voted on one cluster of a document, it votes on the next one much more
often than on just any cluster. Such a source is taken to have seen the documents it voted on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..kernels.clusters import number_groups
from ..kernels.words import hash_strings
from ..votes import Votes
from .windows import word_hashes

CONFLICTS = 0.005
"""Share of repeated strings with two labels from which a source counts as exhaustive."""

ENOUGH = 100
"""Sources with fewer repeated strings, and without two conflicts, are judged together."""

FAITHFUL = 0.7
"""Share of a word's other occurrences that a spotter marks, over all words and for most of them."""

WORDS = 30
"""Fewer words than this tell nothing."""

BUNCHED = 2.0
"""How many times as often as anywhere a source votes where it has voted nearby, if not all seen."""

Words = NDArray[np.uint64]


class KindCounter:
    """Gathers, shard by shard, which strings a source labels how; any order gives the same.

    Of all words it takes note only where there is but one label, and nothing else to go by.
    """

    def __init__(self, n_sources: int, n_labels: int) -> None:
        self.n_sources, self.n_labels = n_sources, n_labels
        self.votes = _Tally(3)
        self.words = _Tally(1)
        self.inside = _Tally(2)

    def add(self, votes: Votes, source: NDArray[np.int32], shard: Shard) -> None:
        """Count the votes of one shard; source: (V,) numbers that hold for all shards."""
        words = word_hashes(shard.lexemes)
        first = shard.indptr[votes.document] + votes.start
        length = (votes.end - votes.start).astype(np.int64)
        strings = hash_strings(words, shard.token_ids, first, length)
        self.votes.add(strings, source.astype(np.uint64), votes.label.astype(np.uint64))
        if self.n_labels > 1:
            return
        times = np.bincount(shard.token_ids, minlength=len(words))
        self.words.add(words[times > 0], times=times[times > 0])
        long = length > 1
        within = np.repeat(first[long], length[long]) + _ranges(length[long])
        tokens = words[shard.token_ids[within]]
        self.inside.add(tokens, np.repeat(source[long], length[long]).astype(np.uint64))

    def plus(self, other: KindCounter) -> None:
        """Take in what another one counted on other shards."""
        self.votes.plus(other.votes)
        self.words.plus(other.words)
        self.inside.plus(other.inside)

    def exhaustive(self) -> NDArray[np.bool_]:
        """(M,) what each source is."""
        if self.n_labels == 1:
            return self._unfaithful()
        (string, source, _), count = self.votes.rows()
        group, first, labels = _groups(string, source)
        times = np.bincount(group, count, minlength=len(first))
        of = source[first].astype(np.int64)
        repeated = np.bincount(of, times > 1, minlength=self.n_sources)
        conflicts = np.bincount(of, labels > 1, minlength=self.n_sources)
        sure = conflicts >= np.maximum(2, CONFLICTS * repeated)
        few = ~sure & (repeated < ENOUGH)
        pooled = conflicts[few].sum() >= max(2, CONFLICTS * repeated[few].sum())
        decided: NDArray[np.bool_] = sure | (few & pooled)
        return decided

    def _unfaithful(self) -> NDArray[np.bool_]:
        """(M,) whether a source leaves out many other occurrences of most words that it marks."""
        (string, source, _), count = self.votes.rows()
        occurrences = self.words.find(string) - self.inside.find(string, source)
        others = np.maximum(occurrences - 1, 0)
        marked = np.minimum(count - 1, others)
        of = source.astype(np.int64)
        words = np.bincount(of, others > 0, minlength=self.n_sources)
        faithful = np.bincount(
            of, (others > 0) & (marked >= FAITHFUL * others), minlength=self.n_sources
        )
        all_marked = np.bincount(of, marked, minlength=self.n_sources)
        all_others = np.bincount(of, others, minlength=self.n_sources)
        passes_over = (all_marked < FAITHFUL * all_others) & (faithful < FAITHFUL * words)
        return passes_over & (words >= WORDS)


class BunchCounter:
    """Counts, shard by shard, how the clusters a source votes on share documents."""

    def __init__(self, n_sources: int) -> None:
        self.voted, self.pairs, self.chances = (np.zeros(n_sources) for _ in range(3))
        self.clusters = 0.0

    def add(self, document: NDArray[np.int64], voted: NDArray[np.int64], size: int) -> None:
        """document: (N,) of each cluster; voted: (n,) cluster * M + source, each pair once."""
        n_sources = len(self.voted)
        in_document = np.bincount(document, minlength=size)
        pair = document[voted // n_sources] * n_sources + voted % n_sources
        keys, times = np.unique(pair, return_counts=True)
        source, all_there = keys % n_sources, in_document[keys // n_sources]
        self.voted += np.bincount(source, times, minlength=n_sources)
        self.pairs += np.bincount(source, times * (times - 1), minlength=n_sources)
        self.chances += np.bincount(source, times * (all_there - 1), minlength=n_sources)
        self.clusters += len(document)

    def plus(self, other: BunchCounter) -> None:
        """Take in what another one counted on other shards."""
        self.voted += other.voted
        self.pairs += other.pairs
        self.chances += other.chances
        self.clusters += other.clusters

    def bunched(self) -> NDArray[np.bool_]:
        """(M,) whether a source seems to have seen only the documents it voted on."""
        nearby = (self.pairs + 1) / (self.chances + 3)
        anywhere = self.voted / max(self.clusters, 1.0)
        return (nearby > BUNCHED * anywhere) & (self.chances >= WORDS)


def seen_where_voted(votes: Votes, names: Collection[str]) -> Votes:
    """Votes in which the named sources looked only at the documents that they voted on."""
    looked = list(votes.looked)
    for j, name in enumerate(votes.names):
        if name in names and looked[j] is None:
            looked[j] = np.unique(votes.document[votes.source == j])
    return replace(votes, looked=tuple(looked))


def guess_without_text(
    votes: NDArray[np.float64], n_clusters: float, labels: int
) -> NDArray[np.bool_]:
    """(M,) the kind from votes (M, L) alone: many labels, and a quarter of all clusters."""
    casts = (votes > 0).sum(axis=1)
    broad: NDArray[np.bool_] = (casts >= 2) & (2 * casts >= labels)
    broad &= votes.sum(axis=1) >= 0.25 * n_clusters
    return broad


class _Tally:
    """Distinct rows of integers with counts, gathered in parts."""

    def __init__(self, width: int) -> None:
        self.parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self.width = width

    def add(self, *columns: Words, times: NDArray[np.int64] | None = None) -> None:
        rows = np.stack(columns)
        once = np.ones(rows.shape[1], dtype=np.int64)
        self._take_in([_count_rows(rows, once if times is None else times)])

    def plus(self, other: _Tally) -> None:
        self._take_in(other.parts)

    def _take_in(self, parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]]) -> None:
        self.parts += parts
        if len(self.parts) > 16:
            self.parts = [self.rows()]

    def rows(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(width, n) sorted rows and (n,) counts."""
        if not self.parts:
            return np.zeros((self.width, 0), np.uint64), np.zeros(0, np.int64)
        rows, counts = (np.concatenate(part, axis=-1) for part in zip(*self.parts, strict=True))
        return _count_rows(rows, counts)

    def find(self, *columns: Words) -> NDArray[np.int64]:
        """(n,) the counts of some rows, 0 where there is none."""
        rows, counts = self.rows()
        both = np.concatenate([rows, np.stack(columns)], axis=1)
        order = np.lexsort(both[::-1])
        new = np.ones(len(order), dtype=bool)
        new[1:] = (both[:, order[1:]] != both[:, order[:-1]]).any(axis=0)
        group = np.empty(len(order), dtype=np.int64)
        group[order] = np.cumsum(new) - 1
        of_group = np.zeros(len(order), dtype=np.int64)
        of_group[group[: len(counts)]] = counts
        return of_group[group[len(counts) :]]


def _count_rows(
    rows: NDArray[np.uint64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    n = rows.shape[1]
    which, first = number_groups(np.arange(n + 1), np.ascontiguousarray(rows.T))
    total = np.zeros(len(first), dtype=np.int64)
    np.add.at(total, which, counts)
    order = np.lexsort(rows[::-1, first])
    return rows[:, first[order]], total[order]


def _groups(
    *columns: Words,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of sorted rows: (n,) group, (g,) where each begins, (g,) its size."""
    new = np.ones(len(columns[0]), dtype=bool)
    new[1:] = np.any([c[1:] != c[:-1] for c in columns], axis=0)
    first = np.flatnonzero(new)
    return np.cumsum(new) - 1, first, np.diff(np.append(first, len(new)))


def _ranges(length: NDArray[np.int64]) -> NDArray[np.int64]:
    ends = np.cumsum(length)
    return np.arange(length.sum()) - np.repeat(ends - length, length)
