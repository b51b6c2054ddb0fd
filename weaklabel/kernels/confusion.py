"""EM over vote patterns: posteriors of the true class, expected counts, co-occurrence.

Notation: P patterns in CSR (``indptr``, ``symbols``, ``levels``), each seen ``count`` times; S
symbols (a source casting a label); K classes. A vote's weight is ``levels / FULL``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FULL = 16
"""The level of a vote of confidence 1: confidences are rounded to sixteenths."""


@njit(cache=True)
def posteriors(
    indptr: Ints,
    symbols: Ints,
    levels: Ints,
    emission: Floats,
    log_prior: Floats,
    known: Ints,
    posterior: Floats,
) -> Floats:
    """E-step: ``posterior[i, y] = P(Y_i = y | votes)``, Dawid & Skene (1979), eq. 2.5.

    emission: (S, K) log-likelihood of a vote, up to a constant per symbol. known: (P,) gold label
    that the posterior is clamped to, or -1. Returns (P,) log P(votes of the pattern).
    """
    n_classes = emission.shape[1]
    likelihood = np.empty(len(indptr) - 1)
    score = np.empty(n_classes)
    for i in range(len(indptr) - 1):
        score[:] = log_prior
        for v in range(indptr[i], indptr[i + 1]):
            weight = levels[v] / FULL
            for y in range(n_classes):
                score[y] += weight * emission[symbols[v], y]
        if known[i] >= 0:
            likelihood[i] = score[known[i]]
            posterior[i] = 0.0
            posterior[i, known[i]] = 1.0
            continue
        highest = score.max()
        total = 0.0
        for y in range(n_classes):
            posterior[i, y] = math.exp(score[y] - highest)
            total += posterior[i, y]
        for y in range(n_classes):
            posterior[i, y] /= total
        likelihood[i] = highest + math.log(total)
    return likelihood


@njit(cache=True)
def share_sums(indptr: Ints, symbols: Ints, levels: Ints, spread: Floats) -> Floats:
    """(P, K) sums of the votes of each pattern; spread: (S, K) what a vote says of each class."""
    sums = np.zeros((len(indptr) - 1, spread.shape[1]))
    for i in range(len(indptr) - 1):
        for v in range(indptr[i], indptr[i + 1]):
            for y in range(spread.shape[1]):
                sums[i, y] += levels[v] * spread[symbols[v], y]
    return sums


@njit(cache=True)
def expected_counts(
    indptr: Ints, symbols: Ints, levels: Ints, count: Floats, posterior: Floats, n_symbols: int
) -> tuple[Floats, Floats]:
    """M-step, Dawid & Skene (1979), eq. 2.3, numerators: (S, K) votes by truth, (K,) classes."""
    n_classes = posterior.shape[1]
    votes = np.zeros((n_symbols, n_classes))
    classes = np.zeros(n_classes)
    for i in range(len(indptr) - 1):
        for y in range(n_classes):
            classes[y] += count[i] * posterior[i, y]
        for v in range(indptr[i], indptr[i + 1]):
            weight = count[i] * levels[v] / FULL
            for y in range(n_classes):
                votes[symbols[v], y] += weight * posterior[i, y]
    return votes, classes


@njit(cache=True)
def pair_counts(indptr: Ints, symbols: Ints, count: Floats, n_symbols: int) -> Floats:
    """(S, S) in how many documents two symbols occur together; only s < t is filled."""
    pairs = np.zeros((n_symbols, n_symbols))
    for i in range(len(indptr) - 1):
        for v in range(indptr[i], indptr[i + 1]):
            for w in range(v + 1, indptr[i + 1]):
                pairs[symbols[v], symbols[w]] += count[i]
    return pairs


@njit(cache=True)
def held_out(
    indptr: Ints,
    symbols: Ints,
    levels: Ints,
    emission: Floats,
    log_prior: Floats,
    predictive: Floats,
    source: Ints,
) -> Floats:
    """(V,) log-probability of each of the ``V = indptr[-1]`` votes given the others there.

    ``log sum_y P(y | votes of other sources) predictive[s, y]``; predictive: (S, K) the
    probability that the source, when it votes, casts this label on a document of class y.
    """
    n_classes = emission.shape[1]
    result = np.zeros(indptr[-1])
    score = np.empty(n_classes)
    for i in range(len(indptr) - 1):
        for v in range(indptr[i], indptr[i + 1]):
            score[:] = log_prior
            for w in range(indptr[i], indptr[i + 1]):
                if source[symbols[w]] != source[symbols[v]]:
                    for y in range(n_classes):
                        score[y] += levels[w] / FULL * emission[symbols[w], y]
            highest = score.max()
            total, mass = 0.0, 0.0
            for y in range(n_classes):
                p = math.exp(score[y] - highest)
                total += p
                mass += p * predictive[symbols[v], y]
            result[v] = math.log(max(mass / total, 1e-12))
    return result
