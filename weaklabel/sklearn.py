"""The scikit-learn contract: a classifier on an integer matrix of votes, -1 for silence.

``y`` is no training target: what it holds are gold items, which anchor the fit; -1 (or None) is
"not known". A pipeline, ``clone``, ``GridSearchCV`` and ``cross_val_score`` work as always.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .errors import LabelModelWarning
from .models.classes import ClassModel
from .task import NONE, Task
from .votes import Gold, Votes


class VoteClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """``ClassModel`` as a scikit-learn classifier.

    n_classes: K; None takes it from the votes and from ``y``. anchors: use known ``y`` as gold.
    balance, max_iterations, tolerance, guard: see ``ClassModel``.

    classes_: (K,) labels; the votes are indices into them. model_: the fitted ``ClassModel``.
    n_iter_: iterations of EM.
    """

    def __init__(
        self,
        *,
        n_classes: int | None = None,
        anchors: bool = True,
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
        """Fit on (n, M) votes; ``y`` (n,) gives gold labels, -1 where they are not known."""
        matrix = self._votes(X, reset=True)
        known = self._targets(y, len(matrix), int(matrix.max(initial=-1)) + 1)
        task = Task("classes", tuple(f"class {k}" for k in range(len(self.classes_))))
        votes = Votes.from_class_matrix(task, np.minimum(matrix, len(self.classes_) - 1))
        gold = None
        if self.anchors and (known != NONE).any():
            documents = np.flatnonzero(known != NONE)
            gold = Gold.build(task, votes.n_tokens, document=documents, label=known[documents])
        model = ClassModel(
            balance=None if self.balance is None else np.asarray(self.balance, float).tolist(),
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
            guard=self.guard,
        )
        self.model_ = model.fit(votes, gold=gold)
        self.n_iter_ = max(len(model.history_), 1)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """(n, K) class probabilities of (n, M) votes."""
        check_is_fitted(self)
        matrix = self._votes(X, reset=False)
        votes = Votes.from_class_matrix(
            self.model_.task_, np.minimum(matrix, len(self.classes_) - 1)
        )
        return self.model_.predict(votes).probability

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """(n,) likeliest label."""
        best: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return best

    def _votes(self, X: ArrayLike, *, reset: bool) -> NDArray[np.int64]:
        matrix: NDArray[Any] = validate_data(self, X, reset=reset, dtype="numeric", ensure_min_samples=1)
        whole = np.rint(matrix.astype(np.float64))
        if not np.array_equal(whole, matrix):
            warnings.warn("votes are class ids: they were rounded", LabelModelWarning, stacklevel=3)
        ids: NDArray[np.int64] = np.maximum(whole, NONE).astype(np.int64)
        return ids

    def _targets(self, y: ArrayLike | None, n: int, voted: int) -> NDArray[np.int64]:
        """(n,) ids of gold labels, and ``classes_`` as a by-product."""
        if y is None:
            self.classes_ = np.arange(max(self.n_classes or voted, 1))
            return np.full(n, NONE, dtype=np.int64)
        check_classification_targets(y)
        target = np.asarray(y).ravel()
        number = np.issubdtype(target.dtype, np.number)
        named = np.unique(target[target != NONE] if number else target)
        if number and len(named) and (named >= 0).all() and (named == np.rint(named)).all():
            high = max(self.n_classes or 0, voted, int(named.max()) + 1)
            self.classes_ = np.arange(high).astype(target.dtype)
        else:
            self.classes_ = named
        place = np.searchsorted(self.classes_, target)
        place = np.minimum(place, max(len(self.classes_) - 1, 0))
        return np.where(self.classes_[place] == target, place, NONE).astype(np.int64)
