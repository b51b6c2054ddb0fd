"""Class scores against scikit-learn, and expected ties against drawing them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from weaklabel.class_scoring import class_scores


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 5))
def test_accuracy_and_macro_f1_are_those_of_sklearn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(k), n)
    truth = rng.integers(k, size=n)
    scores = class_scores(probability, np.eye(k, dtype=bool)[truth])
    guess = probability.argmax(axis=1)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, guess))
    present = np.unique(truth)
    expected = f1_score(truth, guess, labels=present, average="macro", zero_division=0)
    assert scores["macro_f1"] == pytest.approx(expected)


def test_expected_ties_are_the_mean_over_random_ties() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, size=(200, 3))
    probability = (counts + 1e-300) / (counts + 1e-300).sum(axis=1, keepdims=True)
    truth = rng.integers(3, size=200)
    drawn = []
    for _ in range(400):
        noise = rng.random((200, 3)) * 1e-6
        drawn.append(float(((probability + noise).argmax(axis=1) == truth).mean()))
    scores = class_scores(probability, np.eye(3, dtype=bool)[truth], expected_ties=True)
    assert scores["accuracy"] == pytest.approx(np.mean(drawn), abs=0.005)
