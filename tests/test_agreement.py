from __future__ import annotations

import naive_classes as naive
import numpy as np
import pytest
from planted_classes import crowd, votes_of

from weaklabel.agreement import kappa_matrix, krippendorff_alpha, worker_quality
from weaklabel.models.classes import ClassModel


@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_that_of_the_paper(seed):
    matrix, _ = crowd(seed, n=40, workers=7, each=4)
    assert krippendorff_alpha(votes_of(matrix, 3)) == pytest.approx(
        naive.krippendorff_alpha(matrix)
    )


def test_alpha_agrees_with_the_package():
    krippendorff = pytest.importorskip("krippendorff")
    matrix, _ = crowd(1)
    data = np.where(matrix < 0, np.nan, matrix).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert krippendorff_alpha(votes_of(matrix, 3)) == pytest.approx(expected)


def test_alpha_of_nothing_and_of_one_mind():
    assert np.isnan(krippendorff_alpha(votes_of([[0, -1], [-1, 1]], 2)))
    assert krippendorff_alpha(votes_of([[0, 0], [0, 0]], 2)) == 1.0


def test_kappa_and_workers():
    matrix, truth = crowd(2, workers=6, each=6, spammers=0.0)
    matrix[:, 0] = np.random.default_rng(0).integers(0, 3, 400)
    votes = votes_of(matrix, 3)
    rows = worker_quality(votes, ClassModel().fit(votes).predict(votes))
    assert min(rows, key=lambda row: row.kappa).source == "source_0"
    assert abs(kappa_matrix(votes)[0, 1]) < 0.15
    assert rows[1].with_labels == pytest.approx(float((matrix[:, 1] == truth).mean()), abs=0.05)
