from __future__ import annotations

import numpy as np
import pytest
from planted_classes import crowd, rules
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from weaklabel.errors import LabelModelWarning
from weaklabel.sklearn import VoteClassifier


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([VoteClassifier()])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_votes_to_labels():
    matrix, truth = crowd(0)
    model = VoteClassifier().fit(matrix)
    assert (model.predict(matrix) == truth).mean() > 0.9
    assert model.predict_proba(matrix).shape == (400, 3)


def test_names_of_classes_come_from_y():
    matrix, truth = crowd(0)
    names = np.array(["no", "perhaps", "yes"])
    model = VoteClassifier().fit(matrix, names[truth])
    assert model.score(matrix, names[truth]) > 0.9


def test_anchors_are_gold():
    matrix, truth = rules(0)
    known = np.where(np.arange(3000) % 5 == 0, truth, -1)
    model = VoteClassifier(anchors=True).fit(matrix, known)
    assert list(model.classes_) == [0, 1, 2, 3]
    assert model.score(matrix, truth) > VoteClassifier().fit(matrix).score(matrix, truth) - 0.01


def test_clone_pipeline_and_grid_search():
    matrix, truth = crowd(1)
    pipeline = make_pipeline(FunctionTransformer(), clone(VoteClassifier(n_classes=3)))
    search = GridSearchCV(pipeline, {"voteclassifier__guard": [True, False]}, cv=3)
    search.fit(matrix, truth)
    assert search.best_score_ > 0.8


def test_a_vote_out_of_range_is_said():
    matrix, _ = crowd(2)
    model = VoteClassifier(n_classes=3).fit(matrix)
    odd = matrix.copy()
    odd[0, 0] = 9
    with pytest.warns(LabelModelWarning, match="vote 9 names none of 3 classes"):
        model.predict(odd)
