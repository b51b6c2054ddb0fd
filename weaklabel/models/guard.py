"""The guard: has a fitted class model drifted away from what the votes say? No gold is asked."""

from __future__ import annotations

import numpy as np

from ..kernels import confusion
from .crowds import Fit, common_confusion, e_step, m_step
from .patterns import Floats, Patterns
from .spotters import PRECISION

UNANIMOUS = 0.8
"""Where two or more sources agree and nobody objects, the model must mostly agree as well."""
SURVIVES = 0.1
"""A class must keep this share of the documents that majority vote gives it."""
ENOUGH = 200
"""Votes (or documents) below which a test is not made."""
HELD_OUT = 10_000
"""Patterns whose votes are held out in turn."""


def majority_fit(patterns: Patterns) -> Fit:
    """Majority vote as a model: every vote counts the same, classes are equally likely."""
    n_classes = patterns.n_classes
    wrong = (1 - PRECISION) / max(n_classes - 1, 1)
    spread = patterns.member.sum(axis=1, keepdims=True)
    emission = np.log(wrong) + np.log(PRECISION / wrong) * patterns.member / spread
    log_prior = np.full(n_classes, -np.log(n_classes))
    posterior, likelihood = e_step(patterns, emission, log_prior)
    ones = np.ones(len(patterns.source))
    return Fit(emission, log_prior, posterior, ones, [likelihood], True)


def drift(patterns: Patterns, fit: Fit) -> str:
    """Why the fit cannot be trusted, or an empty string."""
    return _collapse(patterns, fit) or _objection(patterns, fit) or _worse_held_out(patterns, fit)


def _collapse(patterns: Patterns, fit: Fit) -> str:
    covered = patterns.covered
    count = patterns.count[covered]
    if count.sum() < ENOUGH:
        return ""
    voted = np.sum(count[:, None] * patterns.shares[covered], axis=0) / count.sum()
    believed = np.sum(count[:, None] * fit.posterior[covered], axis=0) / count.sum()
    gone = np.flatnonzero((voted > 0.02) & (believed < SURVIVES * voted))
    if len(gone) == 0:
        return ""
    k = int(gone[0])
    return f"class {k} has {voted[k]:.0%} of the votes but was left {believed[k]:.1%}"


def _objection(patterns: Patterns, fit: Fit) -> str:
    shares = patterns.shares
    plain = (shares.max(axis=1) > 0.999) & (patterns.degree >= 2)
    count = patterns.count[plain]
    if count.sum() < ENOUGH:
        return ""
    agrees = fit.posterior[plain].argmax(axis=1) == shares[plain].argmax(axis=1)
    rate = float(np.sum(count * agrees) / count.sum())
    if rate >= UNANIMOUS:
        return ""
    return f"it agrees with only {rate:.0%} of the unanimous votes of two or more sources"


def _worse_held_out(patterns: Patterns, fit: Fit) -> str:
    mine, n_votes = held_out_score(patterns, fit)
    if n_votes < ENOUGH:
        return ""
    plain, _ = held_out_score(patterns, majority_fit(patterns))
    if mine >= plain - 0.01:
        return ""
    return f"it predicts a held-out vote worse than majority vote ({mine:.3f} and {plain:.3f} nats)"


def held_out_score(patterns: Patterns, fit: Fit) -> tuple[float, float]:
    """Mean log-probability of a vote given the other votes on its document, and how many votes.

    Only sources that cast several labels can be asked; the vote of another is known beforehand.
    """
    votes, _ = m_step(patterns, fit.posterior)
    common = common_confusion(patterns, votes)[patterns.label]
    shrunk = votes + 2.0 * common
    norm = np.zeros((len(patterns.sources), patterns.n_classes))
    np.add.at(norm, patterns.source, shrunk)
    few = min(HELD_OUT, len(patterns.count))  # patterns stand in order of a hash: a sample
    indptr = patterns.indptr[: few + 1]
    scores = confusion.held_out(
        indptr,
        patterns.symbols,
        patterns.levels,
        fit.weight[:, None] * fit.emission,
        fit.log_prior,
        shrunk / norm[patterns.source],
        patterns.source,
    )
    several = np.bincount(patterns.source, minlength=len(patterns.sources)) > 1
    degree, count = patterns.degree[:few], patterns.count[:few]
    asked = several[patterns.source][patterns.symbols[: indptr[-1]]]
    asked &= np.repeat(degree > 1, degree)
    weight = np.where(asked, np.repeat(count, degree), 0.0)
    total = float(weight.sum())
    return (float(np.sum(weight * scores)) / total if total else 0.0), total


def expected_accuracy(patterns: Patterns) -> float:
    """How often a chosen label is right: ``PRECISION``, moved by how often sources agree.

    Two sources of precision a agree on ``a^2 + (1 - a)^2 / (K - 1)`` of their common documents.
    """
    n_classes = patterns.n_classes
    covered = float(patterns.count[patterns.covered].sum())
    several = patterns.degree > 1
    common = float(patterns.count[several].sum())
    if common == 0 or n_classes < 2:
        return PRECISION
    shares, degree = patterns.shares[several], patterns.degree[several]
    same = (np.sum((shares * degree[:, None]) ** 2, axis=1) - degree) / (degree * (degree - 1))
    agreement = float(np.sum(patterns.count[several] * np.clip(same, 0, 1)) / common)
    part = 0.5 * common / covered
    return (1 - part) * PRECISION + part * _precision_of(agreement, n_classes)


def _precision_of(agreement: float, n_classes: int) -> float:
    others = n_classes - 1
    inside = max(1 - (others + 1) * (1 - others * agreement), 0.0)
    return min(float((1 + np.sqrt(inside)) / (others + 1)), 1.0)


def temperature(posterior: Floats, count: Floats, target: float) -> float:
    """The exponent t at which the mean largest probability of ``posterior ** t`` is ``target``."""
    log_posterior = np.log(np.maximum(posterior, 1e-12))
    low, high = np.log(0.15), np.log(7.0)
    for _ in range(40):
        middle = 0.5 * (low + high)
        score = np.exp(middle) * log_posterior
        tempered = 1 / np.exp(score - score.max(axis=1, keepdims=True)).sum(axis=1)
        if np.sum(count * tempered) / count.sum() < target:
            low = middle
        else:
            high = middle
    return float(np.exp(0.5 * (low + high)))
