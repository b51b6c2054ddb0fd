"""The scikit-learn contract: a classifier on an integer matrix of votes, -1 for silence.

``y`` is no training target. By default it only names the classes, so that ``clone``, pipelines and
``GridSearchCV`` work as always; with ``anchors=True`` it holds gold items, -1 for "not known".
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from .errors import LabelModelWarning
from .models.classes import ClassModel
from .task import NONE, Task
from .votes import Gold, Votes


class VoteClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """``ClassModel`` as a scikit-learn classifier.

    n_classes: K; None takes it from the votes and from ``y``. anchors: take ``y`` as gold, -1 where
    it is not known. balance, max_iterations, tolerance, guard: see ``ClassModel``.

    classes_: (K,) labels; the votes are indices into them. model_: the fitted ``ClassModel``.
    n_iter_: iterations of EM.
    """

    def __init__(
        self,
        *,
        n_classes: int | None = None,
        anchors: bool = False,
        balance: ArrayLike | None = None,
        max_iterations: int = 100,
        tolerance: float = 1e-7,
        guard: bool = True,
    ) -> None:
        self.n_classes = n_classes
        self.anchors = anchors
        self.balance = balance
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.guard = guard

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Fit on (n, M) votes; ``y`` (n,) names the classes, or anchors the fit."""
        matrix = self._votes(X, reset=True)
        target = None if y is None else column_or_1d(y, warn=True)
        if target is not None:
            check_consistent_length(matrix, target)
            check_classification_targets(target)
        self.classes_ = self._classes(target, int(matrix.max(initial=-1)) + 1)
        task = Task("classes", tuple(f"class {k}" for k in range(len(self.classes_))))
        votes = Votes.from_class_matrix(task, self._in_range(matrix))
        model = ClassModel(
            balance=None if self.balance is None else np.asarray(self.balance, float).tolist(),
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            guard=self.guard,
        )
        self.model_ = model.fit(votes, gold=self._gold(task, target, votes))
        self.n_iter_ = max(len(model.history_), 1)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """(n, K) class probabilities of (n, M) votes."""
        check_is_fitted(self)
        matrix = self._in_range(self._votes(X, reset=False))
        return self.model_.predict(Votes.from_class_matrix(self.model_.task_, matrix)).probability

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """(n,) likeliest label."""
        probability = self.predict_proba(X)
        best: NDArray[Any] = self.classes_[probability.argmax(axis=1)]
        return best

    def __sklearn_tags__(self) -> Any:
        """Noise that scikit-learn's checks feed in as votes cannot predict their targets."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _votes(self, X: ArrayLike, *, reset: bool) -> NDArray[np.int64]:
        matrix: NDArray[Any] = validate_data(self, X, reset=reset, dtype="numeric")
        whole = np.rint(matrix.astype(np.float64))
        if not np.array_equal(whole, matrix):
            warnings.warn("votes are class ids: they were rounded", LabelModelWarning, stacklevel=3)
        ids: NDArray[np.int64] = np.maximum(whole, NONE).astype(np.int64)
        return ids

    def _in_range(self, matrix: NDArray[np.int64]) -> NDArray[np.int64]:
        outside = matrix >= len(self.classes_)
        if outside.any():
            warnings.warn(
                f"vote {int(matrix[outside][0])} names none of {len(self.classes_)} classes; "
                "such votes were taken as silence",
                LabelModelWarning,
                stacklevel=3,
            )
        return np.where(outside, NONE, matrix)

    def _classes(self, target: NDArray[Any] | None, voted: int) -> NDArray[Any]:
        if target is None:
            return np.arange(max(self.n_classes or voted, 1))
        named: NDArray[Any] = np.unique(target)
        if self.anchors and np.issubdtype(named.dtype, np.integer):
            return np.arange(max(self.n_classes or 0, voted, int(named.max(initial=0)) + 1))
        return named

    def _gold(self, task: Task, target: NDArray[Any] | None, votes: Votes) -> Gold | None:
        if target is None or not self.anchors:
            return None
        place = np.minimum(np.searchsorted(self.classes_, target), len(self.classes_) - 1)
        known = np.flatnonzero(self.classes_[place] == target)
        return Gold.build(task, votes.n_tokens, document=known, label=place[known])
