from __future__ import annotations

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from planted_classes import rules, votes_of

from weaklabel.key_table import KeyTable
from weaklabel.models.counting import Counter, count_patterns, sampling_rate, stays, thin
from weaklabel.models.patterns import distinct, document_rows, hashed


def sparse_votes(n, seed=0):
    """Votes of 12 sources that say 0 to 3 on a third of the documents: mostly distinct patterns."""
    rng = np.random.default_rng(seed)
    said = rng.integers(4, size=(n, 12))
    return votes_of(np.where(rng.random((n, 12)) < 0.35, said, -1), 4)


def pieces(votes, size):
    firsts = range(0, votes.n_documents, size)
    last = votes.n_documents
    return [votes.select_documents(np.arange(a, min(a + size, last))) for a in firsts]


def fields(patterns):
    names = ("raw", "indptr", "symbols", "levels", "count", "known", "looked", "n_documents")
    return [getattr(patterns, name) for name in names]


@pytest.mark.parametrize("limit", [30, 300, 50_000])
def test_patterns_are_the_same_bits_however_the_votes_are_cut(limit):
    votes = sparse_votes(2000)
    whole = fields(count_patterns([votes], [None], limit=limit))
    for parts in (pieces(votes, 40), pieces(votes, 700)[::-1]):
        found = fields(count_patterns(parts, [None] * len(parts), limit=limit))
        for one, other in zip(found, whole, strict=True):
            assert_array_equal(one, other)


def test_counts_are_those_of_a_dictionary():
    matrix, _ = rules(4)
    votes = votes_of(matrix, 4)
    patterns = count_patterns(pieces(votes, 100), [None] * 30)
    rank = np.array([votes.names.index(name) for name in patterns.sources])
    found = {}
    for i, (low, high) in enumerate(zip(patterns.indptr[:-1], patterns.indptr[1:], strict=True)):
        symbols = patterns.symbols[low:high]
        row = np.full(matrix.shape[1], -1)
        row[rank[patterns.source[symbols]]] = patterns.label[symbols]
        found[tuple(row.tolist())] = patterns.count[i]
    assert found == collections.Counter(map(tuple, matrix.tolist()))


def test_few_rows_are_held_while_many_are_counted():
    votes = sparse_votes(20_000)
    counter, names = Counter(200), sorted(votes.names)
    for part in pieces(votes, 500):
        rows = document_rows(part, None, names)
        counter.add(rows, hashed(rows))
        assert counter.n_held == sum(map(len, counter.numbers)) <= 400 + 500
    assert len(counter.table) > 15_000
    rows, count = counter.patterns()
    assert 150 < len(rows.known) < 250
    assert count.sum() == pytest.approx(20_000)


def test_a_row_that_becomes_frequent_late_is_held():
    rare, often = sparse_votes(5000), sparse_votes(1, seed=9)
    parts = [often, *pieces(rare, 500), *[often] * 399]
    patterns = count_patterns(parts, [None] * len(parts), limit=50)
    names = sorted(often.names)
    key = hashed(document_rows(often, None, names))
    assert not (hashed(document_rows(rare, None, names)) == key).all(axis=1).any()
    assert patterns.count.max() == pytest.approx(400, rel=0.3)


def test_thinning_keeps_the_number_of_documents():
    keys = np.random.default_rng(0).integers(0, 2**64, (5000, 2), dtype=np.uint64)
    count = np.where(np.arange(5000) % 10 == 0, 7, 1)
    chosen, weighted = thin(count, keys, sampling_rate(count, 1000))
    assert 900 < len(chosen) < 1100
    assert weighted.sum() == pytest.approx(count.sum(), rel=0.1)
    often = np.flatnonzero(count > 1)
    assert len(set(often) & set(chosen)) > 3 * len(chosen) * 0.1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 40), st.data())
def test_the_rate_only_falls_as_counts_grow(count, limit, data):
    count = np.array(count)
    more = count + np.array(data.draw(st.lists(st.integers(0, 3), min_size=60)))[: len(count)]
    before, after = sampling_rate(count, limit), sampling_rate(more, limit)
    assert after <= before * (1 + 1e-9)
    keys = np.random.default_rng(0).integers(0, 2**64, (len(count), 2), dtype=np.uint64)
    assert stays(count, keys, before)[(count * before >= 1)].all()
    assert np.minimum(count * before, 1).sum() == pytest.approx(min(limit, len(count)))


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=8))
def test_keys_are_numbered_in_order_of_first_occurrence(batches):
    table, expected = KeyTable(), {}
    for batch in batches:
        # all in one slot at first, told apart by either half
        keys = np.array([[(b % 7) << 40, b // 7] for b in batch], np.uint64).reshape(-1, 2)
        numbers = [expected.setdefault(b, len(expected)) for b in batch]
        assert table.number(keys).tolist() == numbers
        assert len(table) == len(expected)


def test_distinct_rows_give_back_every_row():
    rows = document_rows(sparse_votes(3000), None, sorted(sparse_votes(1).names))
    few, group = distinct(rows)
    assert len(few.known) == group.max() + 1 < 3000
    assert_array_equal(hashed(few)[group], hashed(rows))
    assert len(np.unique(hashed(few), axis=0)) == len(few.known)
