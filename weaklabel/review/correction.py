"""A softmax regression that corrects probabilities; its prior is to leave them as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_ANCHORS = 5000


@dataclass(frozen=True)
class Correction:
    """weights: (columns, K + 1), added through the evidence to the log-probabilities."""

    weights: NDArray[np.float64]

    def apply(
        self, evidence: sparse.csr_matrix, offset: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(C, K + 1) corrected probabilities."""
        return softmax(offset + evidence @ self.weights)


def fit_correction(
    evidence: sparse.csr_matrix,
    offset: NDArray[np.float64],
    truth: NDArray[np.int64],
    penalty: float = 0.5,
    anchor: float = 5.0,
) -> Correction:
    """The most probable correction under a Gaussian prior around none, by L-BFGS.

    evidence: (n, columns) of candidates. offset: (n, K + 1) their log-probabilities. truth: (n,)
    what was decided, -1 undecided. penalty: inverse variance of the prior. anchor: how many
    decisions all that is undecided weighs together; its target is to stay as it is, so that what
    the decided have in common with everything else is not blamed first. Only columns that occur in
    decided rows can move, and a sample of the undecided is enough, so the problem grows with the
    decisions, not with the corpus.
    """
    from scipy.optimize import minimize

    rows = _sample(truth)
    evidence, offset, truth = evidence[rows], offset[rows], truth[rows]
    decided = truth >= 0
    active = np.unique(evidence[decided].indices)
    x = evidence[:, active]
    target = softmax(offset)
    target[decided] = np.eye(offset.shape[1])[truth[decided]]
    weight = np.where(decided, 1.0, anchor / max((~decided).sum(), 1))[:, None]
    shape = (len(active), offset.shape[1])

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(shape)
        p = softmax(offset + x @ w)
        loss = -np.sum(weight * target * np.log(np.clip(p, 1e-12, 1)))
        slope = x.T @ (weight * (p - target)) + penalty * w
        return float(loss + penalty / 2 * np.sum(w * w)), slope.ravel()

    start = np.zeros(shape).ravel()
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights = np.zeros((evidence.shape[1], offset.shape[1]))
    weights[active] = found.x.reshape(shape)
    return Correction(weights)


def _sample(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """What was decided, and at most so many of the undecided, evenly spaced."""
    undecided = np.flatnonzero(truth < 0)
    step = -(-len(undecided) // _ANCHORS) or 1
    return np.union1d(np.flatnonzero(truth >= 0), undecided[::step])


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of scores as probabilities."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    normal: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return normal
