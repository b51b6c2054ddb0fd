"""Texts -> hashed word features, and a softmax regression on soft labels. Same bits on any machine
load: sums in a fixed order, no BLAS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BUCKETS = 1 << 20
FOLDS = 5
MEMORY = 8
"""Corrections that L-BFGS keeps (Liu & Nocedal 1989)."""


def digests(texts: Sequence[str]) -> NDArray[np.uint64]:
    """(D,) a hash of each text: its fold, and its place in an order that no shuffling changes."""
    return np.array(
        [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest()) for t in texts],
        dtype=np.uint64,
    )


def folds_of(digest: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(D,) fold of each text: equal texts are never on both sides."""
    return (digest % np.uint64(FOLDS)).astype(np.int64)


def hashed(texts: Sequence[str]) -> Any:
    """(D, BUCKETS) sparse counts of words, word pairs, exclamation and question marks."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        ngram_range=(1, 2),
        n_features=BUCKETS,
        alternate_sign=False,
        norm=None,
        token_pattern=r"(?u)\b\w+\b|[?!]",
    ).transform(texts)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The buckets in use. columns: (F,) sorted. idf: (F,) smoothed, as in scikit-learn."""

    columns: NDArray[np.int64]
    idf: Floats

    @classmethod
    def of(cls, frequency: NDArray[np.int64], n_documents: int, limit: int) -> Vocabulary:
        """The buckets that at least two documents have; of too many, the most frequent."""
        columns = np.flatnonzero(frequency >= min(2, n_documents))
        if len(columns) > limit:
            order = np.lexsort((columns, -frequency[columns]))
            columns = np.sort(columns[order[:limit]])
        idf = np.log((1 + n_documents) / (1 + frequency[columns])) + 1
        return cls(columns.astype(np.int64), idf)

    def weigh(self, counts: Any) -> Any:
        """(D, F) csr: ``(1 + log count) idf``, rows of length one."""
        rows = counts[:, self.columns].tocsr().astype(np.float64)
        rows.sort_indices()
        rows.data = (1 + np.log(rows.data)) * self.idf[rows.indices]
        owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        length = np.sqrt(np.bincount(owner, rows.data**2, minlength=rows.shape[0]))
        rows.data /= np.maximum(length, 1e-12)[owner]
        return rows


def softmax(scores: Floats) -> Floats:
    """Rows to probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_softmax(features: Any, targets: Floats, *, strength: float, iterations: int) -> Floats:
    """(F + 1, K) coefficients, intercept last, of the regression on soft labels (n, K).

    Minimizes cross-entropy plus ``|W|^2 / (2 strength)``, as ``LogisticRegression(C=strength)``.
    """
    n_features, n_classes = features.shape[1], targets.shape[1]
    transposed = features.T.tocsr()

    def objective(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(n_features + 1, n_classes)
        scores = features @ table[:-1] + table[-1]
        scores -= scores.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        slope = np.exp(scores - log_total) - targets
        loss = np.sum(targets * (log_total - scores)) + np.sum(table[:-1] ** 2) / (2 * strength)
        gradient = np.empty_like(table)
        gradient[:-1] = transposed @ slope + table[:-1] / strength
        gradient[-1] = slope.sum(axis=0)
        return float(loss), gradient.ravel()

    start = np.zeros((n_features + 1, n_classes))
    start[-1] = np.log(targets.mean(axis=0) + 1e-6)
    flat = lbfgs(objective, start.ravel(), iterations)
    return flat.reshape(n_features + 1, n_classes)


def lbfgs(
    objective: Callable[[Floats], tuple[float, Floats]], start: Floats, iterations: int
) -> Floats:
    """Minimize by limited-memory BFGS with backtracking (Nocedal & Wright, algorithm 7.5)."""
    point, (value, gradient) = start, objective(start)
    steps: list[tuple[Floats, Floats]] = []
    for _ in range(iterations):
        direction = _direction(gradient, steps)
        slope = _dot(gradient, direction)
        if slope >= 0 or abs(slope) < 1e-9 * max(abs(value), 1.0):
            break
        length = 1.0 if steps else 1.0 / np.sqrt(-slope)
        for _ in range(20):
            candidate = point + length * direction
            new_value, new_gradient = objective(candidate)
            if new_value <= value + 1e-4 * length * slope:
                break
            length *= 0.5
        else:
            break
        change = new_gradient - gradient
        if _dot(change, direction) > 0:
            steps = [*steps, (candidate - point, change)][-MEMORY:]
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _dot(left: Floats, right: Floats) -> float:
    return float(np.sum(left * right))


def _direction(gradient: Floats, steps: list[tuple[Floats, Floats]]) -> Floats:
    """Two-loop recursion (Nocedal & Wright, algorithm 7.4)."""
    result = -gradient
    memory = []
    for step, change in reversed(steps):
        rho = 1 / _dot(step, change)
        alpha = rho * _dot(step, result)
        result = result - alpha * change
        memory.append((step, change, rho, alpha))
    if steps:
        step, change = steps[-1]
        result = result * (_dot(step, change) / _dot(change, change))
    for step, change, rho, alpha in reversed(memory):
        result = result + step * (alpha - rho * _dot(change, result))
    return result
