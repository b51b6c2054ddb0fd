"""Dawid-Skene with shared strength: for sources that look at everything (people, prompts, models).

Dawid & Skene (1979), doi:10.2307/2346806. Each source has a confusion matrix; here every matrix is
shrunk towards what the sources have in common, as in the hierarchical models of Kim & Ghahramani
(2012) and Paun et al. (2018), which is what saves it where a worker has few answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels import confusion
from .patterns import Floats, Patterns

SHARED = 1.5
"""Answers per class that the common confusion matrix is worth to each source."""


@dataclass(frozen=True, eq=False)
class Fit:
    """What EM over patterns learned.

    emission: (S, K) log-likelihood of each symbol. log_prior: (K,). posterior: (P, K).
    weight: (S,) how far a symbol counts beside its likes (1: as an independent witness).
    history: the objective after each iteration.
    """

    emission: Floats
    log_prior: Floats
    posterior: Floats
    weight: Floats
    history: list[float]
    converged: bool


def e_step(patterns: Patterns, emission: Floats, log_prior: Floats) -> tuple[Floats, float]:
    """Posterior (P, K) of every pattern, and the log-likelihood of all documents."""
    posterior = np.empty((len(patterns.count), patterns.n_classes))
    likelihood = confusion.posteriors(
        patterns.indptr,
        patterns.symbols,
        patterns.levels,
        np.ascontiguousarray(emission),
        log_prior,
        patterns.known,
        posterior,
    )
    return posterior, float(np.sum(patterns.count * likelihood))


def m_step(patterns: Patterns, posterior: Floats) -> tuple[Floats, Floats]:
    """Expected counts: (S, K) of symbols by truth, (K,) of classes."""
    votes, classes = confusion.expected_counts(
        patterns.indptr,
        patterns.symbols,
        patterns.levels,
        patterns.count,
        posterior,
        len(patterns.source),
    )
    return votes, classes


def fit_crowd(
    patterns: Patterns, *, balance: Floats | None, max_iterations: int, tolerance: float
) -> Fit:
    """EM with shrunken confusion matrices; the class balance is free, or given."""
    posterior, history = patterns.shares, list[float]()
    emission, log_prior = _parameters(patterns, posterior, balance)
    converged = False
    for _ in range(max_iterations):
        posterior, likelihood = e_step(patterns, emission, log_prior)
        history.append(likelihood)
        converged = settled(history, tolerance, patterns)
        if converged:
            break
        emission, log_prior = _parameters(patterns, posterior, balance)
    ones = np.ones(len(patterns.source))
    return Fit(emission, log_prior, posterior, ones, history, converged)


def settled(history: list[float], tolerance: float, patterns: Patterns) -> bool:
    """Whether the last step changed the objective by less than ``tolerance`` per document."""
    if len(history) < 2:
        return False
    return bool(abs(history[-1] - history[-2]) < tolerance * float(patterns.count.sum()))


def _parameters(
    patterns: Patterns, posterior: Floats, balance: Floats | None
) -> tuple[Floats, Floats]:
    votes, classes = m_step(patterns, posterior)
    shrunk = votes + SHARED * common_confusion(patterns, votes)[patterns.label]
    total = np.zeros((len(patterns.sources), patterns.n_classes))
    np.add.at(total, patterns.source, votes)
    emission = np.log(shrunk) - np.log(total + SHARED)[patterns.source]
    share = (classes + 1) / (classes + 1).sum() if balance is None else balance
    return emission, np.log(share)


def common_confusion(patterns: Patterns, votes: Floats) -> Floats:
    """(L, K) P(vote label | truth) over all sources: half as counted, half one coin for all."""
    n_classes = patterns.n_classes
    n_labels = max(int(patterns.label.max(initial=0)) + 1, n_classes)
    pooled = np.zeros((n_labels, n_classes))
    np.add.at(pooled, patterns.label, votes)
    member = np.zeros((n_labels, n_classes))
    member[patterns.label] = patterns.member
    member[:n_classes] = np.eye(n_classes)
    pooled += 0.5 * n_classes * member * (np.arange(n_labels) < n_classes)[:, None]
    pooled[:n_classes] += 0.5
    right = float((pooled * member).sum() / pooled.sum())
    used = pooled.sum(axis=1) > 0
    coin = np.where(member > 0, right, (1 - right) / max(n_classes - 1, 1)) * used[:, None]
    counted = pooled / pooled.sum(axis=0)
    return np.asarray(0.5 * coin / coin.sum(axis=0) + 0.5 * counted)
