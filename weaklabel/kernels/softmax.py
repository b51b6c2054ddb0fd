"""Softmax regression on hashed binary features, AdaGrad, one pass per epoch in a given order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def softmax_epochs(
    features: Any,
    targets: Any,
    weights: Any,
    orders: Any,
    rate: Any,
    decay: Any,
    threshold: Any,
    coefficients: Any,
) -> Any:
    """Train in place.

    features: (n, F) int32 rows of ``coefficients`` that are on. targets: (n, C) float32, soft.
    weights: (n,) float32. orders: (epochs, n) int32. coefficients: (buckets, C) float32.
    decay: L2 shrinkage per touch, relative to the step. threshold: examples whose gradient is
    smaller in every class are passed over: most of a text is outside, and soon known to be.
    """
    n_features, n_classes = features.shape[1], targets.shape[1]
    squares = np.full(coefficients.shape, 1e-6, dtype=np.float32)
    scores = np.empty(n_classes, dtype=np.float64)
    gradient = np.empty(n_classes, dtype=np.float32)
    for epoch in range(orders.shape[0]):
        for i in orders[epoch]:
            if weights[i] <= 0:
                continue
            softmax_row(features[i], coefficients, scores)
            largest = 0.0
            for c in range(n_classes):
                gradient[c] = weights[i] * (scores[c] - targets[i, c])
                largest = max(largest, abs(gradient[c]))
            if largest < threshold:
                continue
            for f in range(n_features):
                row = features[i, f]
                for c in range(n_classes):
                    step = gradient[c] + decay * coefficients[row, c]
                    squares[row, c] += step * step
                    coefficients[row, c] -= rate * step / math.sqrt(squares[row, c])


@njit(cache=True, nogil=True)
def softmax_row(row: Any, coefficients: Any, scores: Any) -> Any:
    """Class probabilities of one row of features, written to ``scores`` (C,)."""
    n_classes = scores.shape[0]
    scores[:] = 0.0
    for f in range(row.shape[0]):
        for c in range(n_classes):
            scores[c] += coefficients[row[f], c]
    highest = scores.max()
    total = 0.0
    for c in range(n_classes):
        scores[c] = math.exp(scores[c] - highest)
        total += scores[c]
    for c in range(n_classes):
        scores[c] /= total


@njit(cache=True, nogil=True)
def softmax_predict(features: Any, coefficients: Any) -> Any:
    """(n, C) float64 class probabilities."""
    probabilities = np.empty((features.shape[0], coefficients.shape[1]), dtype=np.float64)
    for i in range(features.shape[0]):
        softmax_row(features[i], coefficients, probabilities[i])
    return probabilities
