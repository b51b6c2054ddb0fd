"""The token HMM against sums over all paths, and against planted tags."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.kernels import chain
from weaklabel.models.hmm import TokenHMM
from weaklabel.task import Task
from weaklabel.votes import Votes

TASK = Task("spans", ("NOUN", "VERB"))


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 3))
@settings(max_examples=25, deadline=None)
def test_posterior_and_path_are_those_of_all_paths(seed: int, n: int, states: int) -> None:
    random = np.random.default_rng(seed)
    emission = random.normal(size=(n, states))
    start = random.dirichlet(np.ones(states))
    transition = random.dirichlet(np.ones(states), size=states)
    posterior, moves, starts, log_p = chain.chain_posterior(
        np.array([0, n]), emission, start, transition
    )
    total, inside, best, best_p = 0.0, np.zeros((n, states)), None, -1.0
    for path in itertools.product(range(states), repeat=n):
        p = start[path[0]] * np.exp(sum(emission[t, s] for t, s in enumerate(path)))
        p *= np.prod([transition[a, b] for a, b in itertools.pairwise(path)])
        total += p
        inside[np.arange(n), path] += p
        if p > best_p:
            best, best_p = path, p
    np.testing.assert_allclose(posterior, inside / total, atol=1e-10)
    np.testing.assert_allclose(starts, inside[0] / total, atol=1e-10)
    assert moves.sum() == pytest.approx(n - 1)
    assert log_p == pytest.approx(np.log(total))
    found = chain.best_path(np.array([0, n]), emission, np.log(start), np.log(transition))
    assert tuple(found) == best


def tagged(seed: int = 0, documents: int = 150) -> tuple[Votes, np.ndarray]:
    """Each token is a noun or a verb, mostly in turn; three sources say which, from good to bad."""
    random = np.random.default_rng(seed)
    rows, truth = [], []
    for d in range(documents):
        state = int(random.integers(2))
        for t in range(8):
            state = 1 - state if random.random() < 0.9 else state
            truth.append(state)
            for j, good in enumerate((0.85, 0.75, 0.6)):
                rows.append((d, t, t + 1, j, state if random.random() < good else 1 - state))
    columns = np.asarray(rows).T
    votes = Votes.build(
        TASK,
        ["a", "b", "c"],
        [8] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
    )
    return votes, np.asarray(truth)


def test_planted_tags_come_back_better_than_the_best_source() -> None:
    votes, truth = tagged()
    labels = TokenHMM(n_iter=20).fit(votes).predict(votes)
    found = np.full(len(truth), -1)
    found[labels.document * 8 + labels.start] = labels.chosen
    best = votes.label[votes.source == 0]
    assert np.mean(found == truth) > max(np.mean(best == truth), 0.9)


@pytest.mark.filterwarnings("ignore::weaklabel.errors.LabelModelWarning")
def test_the_likelihood_never_falls() -> None:
    votes, _ = tagged(1, documents=40)
    history = TokenHMM(n_iter=15, tol=-1.0, smoothing=1e-6).fit(votes).history_
    assert len(history) == 15
    assert np.diff(history).min() > -1e-6


def test_shards_give_the_same_model() -> None:
    votes, _ = tagged(2, documents=40)
    parts = [votes.select_documents(np.arange(25)), votes.select_documents(np.arange(25, 40))]
    one, other = TokenHMM().fit(votes), TokenHMM().fit(parts)
    np.testing.assert_allclose(one.emission_, other.emission_)
    np.testing.assert_allclose(one.transition_, other.transition_)


def test_save_and_load(tmp_path: Path) -> None:
    votes, _ = tagged(3, documents=20)
    model = TokenHMM().fit(votes)
    model.save(tmp_path)
    again = TokenHMM.load(tmp_path).predict(votes)
    wanted = model.predict(votes)
    np.testing.assert_array_equal(again.chosen, wanted.chosen)
    np.testing.assert_array_equal(again.probability, wanted.probability)
