"""``dawid-skene``: the classic, as published. Good on crowds; on rules it collapses."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .base import registry
from .belief import Belief, quality
from .crowds import e_step, m_step
from .pattern_model import PatternModel
from .patterns import Floats, Patterns

TINY = 1e-10
"""Below this a probability is no longer followed (crowd-kit clips at the same value)."""


@registry.register("dawid-skene")
class DawidSkeneModel(PatternModel):
    """EM on one confusion matrix per source, no prior, started from the shares of the votes.

    A. P. Dawid and A. M. Skene (1979), doi:10.2307/2346806. Silence is no evidence.

    max_iterations, tolerance: EM ends when the log-likelihood per document moves less than this.
    """

    name: ClassVar[str] = "dawid-skene"

    def __init__(self, *, max_iterations: int = 100, tolerance: float = 1e-5) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _believe(self, patterns: Patterns, label: int | None) -> Belief:
        posterior = patterns.shares
        history: list[float] = []
        converged = False
        emission, log_prior = _maximize(patterns, posterior)
        for _ in range(self.max_iterations):
            posterior, likelihood = e_step(patterns, emission, log_prior)
            history.append(likelihood)
            step = history[-1] - history[-2] if len(history) > 1 else np.inf
            converged = bool(step < self.tolerance * patterns.n_documents)
            if converged:
                break
            emission, log_prior = _maximize(patterns, posterior)
        precision, recall = quality(patterns, posterior)
        weight, silent = np.ones(len(patterns.raw)), np.exp(log_prior)
        return Belief(
            patterns.raw,
            emission,
            log_prior,
            silent,
            precision,
            recall,
            weight,
            "crowd",
            "",
            history,
            converged,
        )


def _maximize(patterns: Patterns, posterior: Floats) -> tuple[Floats, Floats]:
    """M-step, eqs. 2.3 and 2.4: (S, K) log P(vote | truth), (K,) log P(truth)."""
    votes, classes = m_step(patterns, posterior)
    total = np.zeros((len(patterns.sources), patterns.n_classes))
    np.add.at(total, patterns.source, votes)
    rate = votes / np.maximum(total, TINY)[patterns.source]
    share = np.maximum(classes, TINY)
    return np.log(np.maximum(rate, TINY)), np.log(share / share.sum())
