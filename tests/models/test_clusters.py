"""Putting rows in order and telling them apart, against the same by numpy and dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weaklabel.kernels.clusters import number_groups, order_ties
from weaklabel.kernels.lattice import MISSING_ROW
from weaklabel.kernels.words import hash_strings
from weaklabel.models.clusters import clusters_of
from weaklabel.task import NONE, Task
from weaklabel.votes import Gold, Votes

MASK = (1 << 64) - 1

small = st.integers(0, 2)
rows_of = st.lists(st.tuples(small, small, small, small, small, small), max_size=60)


def table(rows: list[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.asarray(rows, dtype=np.int64).reshape(-1, width)


@given(rows_of)
@settings(max_examples=60, deadline=None)
def test_ties_are_put_in_order_as_lexsort_does(rows: list[tuple[int, ...]]) -> None:
    columns = table(sorted(rows, key=lambda row: row[:3]), 6)
    document, votes = columns[:, 0].copy(), columns[:, 1:].astype(np.int32)
    expected = np.lexsort([*votes.T[::-1], document])
    assert order_ties(document, votes).tolist() == expected.tolist()


@given(st.lists(st.lists(st.tuples(small, small), max_size=3), max_size=60))
@settings(max_examples=60, deadline=None)
def test_groups_are_numbered_as_they_come(groups: list[list[tuple[int, int]]]) -> None:
    numbers: dict[tuple[tuple[int, int], ...], int] = {}
    expected = [numbers.setdefault(tuple(group), len(numbers)) for group in groups]
    indptr = np.cumsum([0] + [len(group) for group in groups])
    rows = table([row for group in groups for row in group], 2).astype(np.int32)
    which, first = number_groups(indptr, rows)
    assert which.tolist() == expected
    assert first.tolist() == [expected.index(k) for k in range(len(numbers))]


@given(st.lists(st.tuples(st.sampled_from([0, 1, MASK]), small), max_size=60))
@settings(max_examples=60, deadline=None)
def test_columns_are_numbered_as_they_come(rows: list[tuple[int, int]]) -> None:
    numbers: dict[tuple[int, int], int] = {}
    expected = [numbers.setdefault(row, len(numbers)) for row in rows]
    pairs = np.asarray(rows, dtype=np.uint64).reshape(-1, 2)
    which, first = number_groups(np.arange(len(rows) + 1), pairs)
    assert which.tolist() == expected
    assert first.tolist() == [expected.index(k) for k in range(len(numbers))]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), max_size=20))
@settings(max_examples=40, deadline=None)
def test_strings_of_words_are_hashed_word_by_word(spans: list[tuple[int, int]]) -> None:
    hashes = np.asarray([3, 1 << 63, MASK], dtype=np.uint64)
    ids = np.asarray([0, 1, 2, 2, 1, 0, 0, 1, 2], dtype=np.int32)
    first, length = np.asarray(spans, dtype=np.int64).reshape(-1, 2).T.copy()
    expected = []
    for begin, size in spans:
        key = 0
        for t in range(begin, begin + size):
            key = key * 0x9E3779B97F4A7C15 + int(hashes[ids[t]]) & MASK
        expected.append(key)
    assert hash_strings(hashes, ids, first, length).tolist() == expected


TASK = Task("spans", ("A", "B"))
Row = tuple[int, int, int, int, int]
spans_of = st.tuples(small, st.integers(0, 5), st.integers(1, 3))
votes_of = st.tuples(spans_of, small, st.integers(0, 1), st.sampled_from([0.2, 0.5, 1.0]))


def plainly(rows: dict[int, list[Row]], extra: dict[int, list[Row]]) -> list[list[Row]]:
    """Clusters of the rows of each document, one row at a time; ``extra`` stands before them."""
    clusters: list[list[Row]] = []
    for document in sorted(rows):
        reach = -1
        for row in sorted(rows[document]):
            if row[0] >= reach:
                clusters.append(list(extra[document]))
                offset = row[0]
            clusters[-1].append((row[0] - offset, row[1] - offset, *row[2:]))
            reach = max(reach, row[1])
    return clusters


@given(st.lists(votes_of, max_size=25, unique_by=lambda v: v[:3]), st.lists(spans_of, max_size=3))
@settings(max_examples=60, deadline=None)
def test_clusters_are_those_made_plainly(
    votes: list[tuple[tuple[int, int, int], int, int, float]], known: list[tuple[int, int, int]]
) -> None:
    """Source z did not look at document 0; gold is of B or none, and all of document 1."""
    voters = ["z", "y", "x"]
    cast = [v for v in votes if (v[0][0], v[1]) != (0, 0)]
    spans = table([span for span, *_ in cast], 3)
    given_votes = Votes.build(
        TASK,
        voters,
        [9, 9, 9],
        document=spans[:, 0],
        start=spans[:, 1],
        end=spans[:, 1] + spans[:, 2],
        source=[source for _, source, _, _ in cast],
        label=[label for _, _, label, _ in cast],
        confidence=[sure for *_, sure in cast],
        looked=[[1, 2], None, None],
    )
    spans = table(sorted({span[0]: span for span in known}.values()), 3)
    labels = [1 if document else NONE for document in spans[:, 0]]
    gold = Gold.build(
        TASK,
        [9, 9, 9],
        document=spans[:, 0],
        start=spans[:, 1],
        end=spans[:, 1] + spans[:, 2],
        label=labels,
        complete=[1],
    )
    rows: dict[int, list[Row]] = {}
    for (document, start, length), source, label, sure in cast:
        row = (start, start + length, 2 - source, label, int(np.ceil(4 * sure)))
        rows.setdefault(document, []).append(row)
    for document, start, length in spans.tolist():
        kind = (3, 1) if document else (4, 0)
        rows.setdefault(document, []).append((start, start + length, *kind, 4))
    nowhere = (MISSING_ROW, MISSING_ROW)
    extra: dict[int, list[Row]] = {0: [(*nowhere, 2, 0, 0)], 1: [(*nowhere, 4, 0, 0)], 2: []}
    found = clusters_of(given_votes, ("x", "y", "z"), gold)
    bounds = zip(found.indptr, found.indptr[1:], strict=False)
    assert [[tuple(row) for row in found.rows[a:b].tolist()] for a, b in bounds] == plainly(
        rows, extra
    )
