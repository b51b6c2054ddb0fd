"""Naive Bayes by precision: for sources that fire on few documents, often for one label only.

Such a source (a keyword, a rule) says nothing by how it confuses labels; what it has is a
precision. EM that is free to move class balance and precision together collapses (one class
explains every broad source); here the balance stays, precision is shrunk towards a prior, and the
prior is lower for broad sources: among N documents of which a share pi has label k, a source that
says k on a share f cannot be right more often than pi / f. So a narrow rule beats a broad one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels import confusion
from .crowds import Fit, e_step, m_step, settled
from .patterns import Floats, Patterns

PRECISION = 0.8
"""What a vote is expected to be worth before anything is known (public sets: 0.6 to 0.82)."""
SHRINK_MANY, SHRINK_BASE = 0.3, 20.0
"""Prior strength in votes: times the votes of a source of several labels, and at least."""
GOLD_TRUST = 10.0
"""Votes that the prior is worth against votes whose truth a person has decided."""
MINOR = 0.05
"""A second label below this share of a source's votes does not make it a source of two labels."""
TWIN_POWER = 0.75
MAX_TWIN_SYMBOLS = 4000


@dataclass(frozen=True, eq=False)
class Prior:
    """What is believed before the votes: (S,) chance and precision, (S, K) confusions."""

    chance: Floats
    precision: Floats
    confusion: Floats
    one_label: NDArray[np.bool_]


def one_label(patterns: Patterns, dense: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,) whether the symbol's source has but one label; not if it is declared dense."""
    votes = patterns.votes
    total = np.bincount(patterns.source, votes, minlength=len(patterns.sources))
    largest = np.zeros(len(patterns.sources))
    np.maximum.at(largest, patterns.source, votes)
    single = largest >= (1 - MINOR) * total
    return np.asarray((single & ~dense)[patterns.source])


def make_prior(patterns: Patterns, balance: Floats, single: NDArray[np.bool_]) -> Prior:
    """Precision that falls with breadth: ``p (1 - exp(-pi / f))``, f the share it fires on."""
    n_classes = patterns.n_classes
    covered = float(patterns.count[patterns.covered].sum())
    seen = covered * patterns.looked / max(patterns.n_documents, 1)
    breadth = patterns.votes / np.maximum(seen[patterns.source], 1.0)
    chance = np.clip((patterns.member * balance).sum(axis=1), 1e-6, 1 - 1e-6)
    alone = patterns.member.sum(axis=1) == 1
    gain = max(PRECISION - 1 / n_classes, 0.0) / (1 - 1 / n_classes)
    top = np.where(alone, PRECISION, chance + (1 - chance) * gain)
    precision = top * (1 - np.exp(-chance / np.maximum(breadth, 1e-12)))
    precision = np.clip(precision, chance + 0.02 * (1 - chance), np.maximum(0.98, top))
    wrong = (1 - PRECISION) / max(n_classes - 1, 1)
    confusions = np.where(patterns.member, PRECISION, wrong)
    return Prior(chance, precision, confusions, single)


def fit_spotters(
    patterns: Patterns,
    *,
    balance: Floats,
    dense: NDArray[np.bool_],
    weight: Floats,
    max_iterations: int,
    tolerance: float,
) -> Fit:
    """EM on precisions (one-label sources) and confusions (others), the class balance held.

    dense: (M,) sources declared exhaustive. weight: (S,) from declared groups.
    """
    prior = make_prior(patterns, balance, one_label(patterns, dense))
    log_prior = np.log(balance)
    emission = _emission(patterns, prior, prior.precision, prior.confusion)
    history: list[float] = []
    converged = False
    for step in range(max_iterations):
        posterior, likelihood = e_step(patterns, weight[:, None] * emission, log_prior)
        history.append(likelihood)
        converged = step > 3 and settled(history, tolerance, patterns)
        if converged:
            break
        if step == 2:
            weight = weight * twin_weights(patterns, posterior, prior.one_label)
        emission = _emission(patterns, prior, *_learned(patterns, prior, posterior))
    posterior, _ = e_step(patterns, weight[:, None] * emission, log_prior)
    return Fit(emission, log_prior, posterior, weight, history, converged)


def _learned(patterns: Patterns, prior: Prior, posterior: Floats) -> tuple[Floats, Floats]:
    """(S,) precisions and (S, K) confusions: expected counts, shrunk towards the prior."""
    votes, _ = m_step(patterns, posterior)
    n_votes = patterns.votes
    right = (votes * patterns.member).sum(axis=1)
    anchored = _anchored(patterns, prior.precision)
    strength = lone_votes(patterns) + SHRINK_BASE
    precision = (right + strength * anchored) / (n_votes + strength)
    floor = prior.chance + 0.001 * (1 - prior.chance)
    total = np.bincount(patterns.source, n_votes, minlength=len(patterns.sources))
    shared = SHRINK_MANY * total / patterns.n_classes + SHRINK_BASE
    shrunk = votes + shared[patterns.source][:, None] * prior.confusion
    norm = np.zeros((len(patterns.sources), patterns.n_classes))
    np.add.at(norm, patterns.source, shrunk)
    return np.clip(precision, floor, np.maximum(floor, 0.99)), shrunk / norm[patterns.source]


def lone_votes(patterns: Patterns) -> Floats:
    """(S,) votes, each shared with the others on its document: what no other vote can check.

    The prior on a source is as strong as that; a vote that stands alone only repeats the prior.
    """
    weight = np.repeat(patterns.count / np.maximum(patterns.degree, 1), patterns.degree)
    weight = weight * patterns.levels / confusion.FULL
    return np.bincount(patterns.symbols, weight, len(patterns.source)).astype(np.float64)


def _anchored(patterns: Patterns, precision: Floats) -> Floats:
    """Prior precision, moved by what gold says of the votes on documents it knows."""
    known = patterns.known >= 0
    if not known.any():
        return precision
    row = np.repeat(np.arange(len(patterns.count)), patterns.degree)
    weight = np.where(known, patterns.count, 0.0)[row] * patterns.levels / confusion.FULL
    hit = patterns.member[patterns.symbols, np.maximum(patterns.known, 0)[row]]
    n = np.bincount(patterns.symbols, weight, minlength=len(precision))
    right = np.bincount(patterns.symbols, weight * hit, minlength=len(precision))
    return np.asarray((GOLD_TRUST * precision + right) / (GOLD_TRUST + n))


def _emission(patterns: Patterns, prior: Prior, precision: Floats, confusions: Floats) -> Floats:
    """(S, K) log P(symbol | y) up to a constant: ``P(y | vote) / P(y)`` for one-label sources."""
    good = np.log(precision / prior.chance)[:, None]
    bad = np.log((1 - precision) / (1 - prior.chance))[:, None]
    by_precision = np.where(patterns.member, good, bad)
    return np.where(prior.one_label[:, None], by_precision, np.log(confusions))


def twin_weights(patterns: Patterns, posterior: Floats, single: NDArray[np.bool_]) -> Floats:
    """(S,) weights below 1 for one-label sources that fire together more than the truth explains.

    A source counts as one of ``1 + sum`` witnesses, the sum over sources of the same label of the
    share of common documents beyond ``sum_y P(y) P(s | y) P(t | y)`` (and three standard errors).
    """
    n_symbols = len(patterns.source)
    weight = np.ones(n_symbols)
    if n_symbols > MAX_TWIN_SYMBOLS or not single.any():
        return weight
    votes, classes = m_step(patterns, posterior)
    rate = votes / np.maximum(classes, 1e-9)
    expected = np.zeros((n_symbols, n_symbols))
    for k in range(patterns.n_classes):  # not a BLAS product, whose bits depend on threads
        expected += np.multiply.outer(rate[:, k] * classes[k], rate[:, k])
    pairs = confusion.pair_counts(patterns.indptr, patterns.symbols, patterns.count, n_symbols)
    observed = pairs + pairs.T
    alike = (patterns.label[:, None] == patterns.label) & single[:, None] & single
    alike &= patterns.source[:, None] != patterns.source
    sure = (observed >= 5) & (observed - expected > 3 * np.sqrt(expected + 1))
    smaller = np.minimum.outer(patterns.votes, patterns.votes)
    excess = np.where(alike & sure, (observed - expected) / np.maximum(smaller, 1e-9), 0.0)
    return np.asarray((1 + excess.sum(axis=1)) ** -TWIN_POWER)
