"""The correction, the decoding and the cover, against slow independent versions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import weaklabel as wl
from weaklabel.review.correction import fit_correction, softmax
from weaklabel.review.decode import best_set
from weaklabel.review.rank import cover
from weaklabel.review.teach import decided_truth, with_decided
from weaklabel.task import NONE

TASK = wl.Task("spans", ("PER", "LOC"))


def planted(n: int = 60) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    evidence = sparse.csr_matrix((random.random((n, 5)) < 0.4).astype(float))
    offset = np.log(random.dirichlet(np.ones(3), n))
    truth = np.where(random.random(n) < 0.5, random.integers(0, 3, n), -1)
    return evidence, offset, truth


def test_the_correction_is_the_most_probable_one() -> None:
    evidence, offset, truth = planted()
    before = softmax(offset)
    found = fit_correction(evidence, offset, truth, penalty=0.5, anchor=5.0).weights

    def loss(weights: np.ndarray) -> float:
        total = 0.25 * np.sum(weights**2)
        p = softmax(offset + evidence.toarray() @ weights)
        for i in range(len(truth)):
            if truth[i] >= 0:
                total -= np.log(p[i, truth[i]])
            else:
                total -= 5.0 / np.sum(truth < 0) * np.sum(before[i] * np.log(p[i]))
        return float(total)

    random = np.random.default_rng(1)
    best = loss(found)
    for size in (1e-2, 1e-1, 1.0):
        for _ in range(20):
            assert best <= loss(found + size * random.normal(size=found.shape)) + 1e-6
    assert best < loss(np.zeros_like(found))


def test_without_disagreement_nothing_is_corrected() -> None:
    evidence, offset, truth = planted()
    offset = np.where(np.arange(3) == truth[:, None], 0.0, -30.0)
    offset[truth < 0] = np.log([0.2, 0.3, 0.5])
    weights = fit_correction(evidence, offset, truth).weights
    assert np.abs(weights).max() < 1e-6


def test_what_is_decided_everywhere_alike_is_not_blamed_on_the_rest() -> None:
    """One column says which rows are decided, the other all rows share: the first one moves."""
    n, decided = 400, 12
    columns = np.ones((n, 2))
    columns[decided:, 0] = 0
    truth = np.where(np.arange(n) < decided, 2, -1)
    offset = np.tile(np.log([0.05, 0.85, 0.1]), (n, 1))
    correction = fit_correction(sparse.csr_matrix(columns), offset, truth)
    after = correction.apply(sparse.csr_matrix(columns), offset)
    assert (after[:decided].argmax(axis=1) == 2).all()
    assert (after[decided:].argmax(axis=1) == 1).all()


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(1, 4), st.floats(0.01, 5)), min_size=1, max_size=7
    )
)
def test_the_best_set_is_the_best_of_all_sets(rows: list[tuple[int, int, float]]) -> None:
    start = np.asarray([s for s, _, _ in rows], dtype=np.int32)
    end = np.asarray([s + n for s, n, _ in rows], dtype=np.int32)
    gain = np.asarray([g for _, _, g in rows])

    def apart(chosen: tuple[int, ...]) -> bool:
        return all(end[a] <= start[b] or end[b] <= start[a] for a, b in combinations(chosen, 2))

    every = (c for n in range(len(rows) + 1) for c in combinations(range(len(rows)), n))
    best = max(gain[list(c)].sum() for c in every if apart(c))
    chosen = tuple(best_set(list(range(len(rows))), start, end, gain))
    assert apart(chosen)
    assert gain[list(chosen)].sum() >= best - 1e-9


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.01, 1)), min_size=1, max_size=12
    )
)
def test_the_cover_takes_the_largest_gain_each_time(rows: list[tuple[int, int, float]]) -> None:
    groups = np.asarray([r[:2] for r in rows])
    doubt = np.asarray([r[2] for r in rows])

    def gain(i: int, before: list[int]) -> float:
        total = 0.0
        for g in range(2):
            mass = np.sqrt(doubt[groups[:, g] == groups[i, g]].sum())
            total += mass * np.log1p(1 / (1 + sum(groups[j, g] == groups[i, g] for j in before)))
        return float(total)

    order = cover(groups, doubt).tolist()
    assert sorted(order) == list(range(len(rows)))
    for n, i in enumerate(order):
        assert gain(i, order[:n]) >= max(gain(j, order[:n]) for j in order[n:]) - 1e-9


def test_decisions_become_the_truth_of_candidates() -> None:
    gold = wl.Gold.build(
        TASK,
        [9, 9, 9],
        document=[0, 0, 1],
        start=[0, 4, 2],
        end=[2, 5, 3],
        label=[0, NONE, 1],
        complete=[2],
    )
    labels = candidates([(0, 0, 2), (0, 1, 3), (0, 4, 5), (0, 6, 7), (1, 5, 6), (2, 0, 1)])
    labels = with_decided(labels, gold)
    places = list(zip(labels.document, labels.start, labels.end, strict=True))
    assert places == [
        (0, 0, 2), (0, 1, 3), (0, 4, 5), (0, 6, 7), (1, 2, 3), (1, 5, 6), (2, 0, 1),
    ]  # fmt: skip
    assert decided_truth(labels, gold).tolist() == [1, 0, 0, -1, 2, -1, 0]


def candidates(places: list[tuple[int, int, int]]) -> wl.SpanLabels:
    document, start, end = np.asarray(places).T
    n = len(places)
    return wl.SpanLabels(
        TASK,
        np.asarray([9, 9, 9]),
        document,
        start.astype(np.int32),
        end.astype(np.int32),
        np.full((n, 2), 0.4),
        np.zeros(n, dtype=np.int16),
        np.zeros(n, dtype=np.int8),
    )
