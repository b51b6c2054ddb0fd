from __future__ import annotations

import naive_classes as naive
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from planted_classes import crowd, rules, votes_of

from weaklabel.models.dawid_skene import DawidSkeneModel


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_paper(seed):
    matrix, _ = crowd(seed, n=60, workers=8, each=4)
    votes = votes_of(matrix, 3)
    model = DawidSkeneModel(max_iterations=7, tolerance=-1.0)
    with pytest.warns(UserWarning, match="did not converge"):
        model.fit(votes)
    _, history = naive.dawid_skene(matrix, 3, 7)
    assert_allclose(model.history_, history, atol=1e-8)
    posterior, _ = naive.dawid_skene(matrix, 3, 8)
    assert_allclose(model.predict(votes).probability, posterior, atol=1e-9)


@pytest.mark.parametrize("make", [lambda: crowd(4), lambda: rules(4)])
def test_the_likelihood_never_falls(make):
    matrix, _ = make()
    model = DawidSkeneModel(tolerance=1e-9).fit(votes_of(matrix, int(matrix.max()) + 1))
    assert np.diff(model.history_).min() >= -1e-7


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_it_agrees_with_crowd_kit():
    aggregation = pytest.importorskip("crowdkit.aggregation")
    matrix, _ = crowd(5, n=300, workers=20, each=6)
    item, worker = np.nonzero(matrix >= 0)
    frame = pd.DataFrame({"task": item, "worker": worker, "label": matrix[item, worker]})
    peer = aggregation.DawidSkene(n_iter=300, tol=1e-12).fit_predict_proba(frame)
    votes = votes_of(matrix, 3)
    found = DawidSkeneModel(max_iterations=300, tolerance=1e-12).fit(votes).predict(votes)
    assert_allclose(found.probability, peer.loc[range(300), range(3)].to_numpy(), atol=1e-4)
