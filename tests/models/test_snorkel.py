from __future__ import annotations

import builtins

import numpy as np
import pytest
from planted_classes import crowd, task, votes_of

from weaklabel.errors import MissingExtra, ModelError
from weaklabel.models.snorkel import SnorkelModel
from weaklabel.votes import Votes


@pytest.mark.filterwarnings("ignore")
def test_the_bridge_fits_predicts_and_is_saved(tmp_path):
    pytest.importorskip("snorkel")
    matrix, truth = crowd(0, workers=10, each=6, spammers=0.0)
    votes = votes_of(matrix, 3)
    model = SnorkelModel(epochs=50).fit(votes)
    labels = model.predict(votes)
    assert (labels.chosen == truth).mean() > 0.9
    model.save(tmp_path)
    again = SnorkelModel.load(tmp_path).predict(votes)
    np.testing.assert_allclose(again.probability, labels.probability, atol=1e-6)


def test_what_it_cannot_do_is_one_line(monkeypatch):
    votes = Votes.build(task(2, multi=True), ["a"], [0])
    with pytest.raises(ModelError, match="use 'classes'"):
        SnorkelModel().fit(votes)
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("snorkel"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"weaklabel\[snorkel\]"):
        SnorkelModel().fit(votes_of([[0, 1, 1]], 2))
