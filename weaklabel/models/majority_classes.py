"""Majority vote on classes: the reference that every label model must beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .base import registry
from .belief import Belief, quality
from .guard import majority_fit
from .pattern_model import PatternModel
from .patterns import Patterns


@registry.register("majority-classes")
class ClassMajorityModel(PatternModel):
    """Every vote counts the same; equal counts share the probability, and so do silent documents.

    A vote counts as if right with probability 0.8, so that two votes are surer than one.
    """

    name: ClassVar[str] = "majority-classes"

    def _believe(self, patterns: Patterns, label: int | None) -> Belief:
        fit = majority_fit(patterns)
        precision, recall = quality(patterns, fit.posterior)
        n_classes = patterns.n_classes
        silent = np.full(n_classes, 1 / n_classes) if label is None else np.array([0.99, 0.01])
        return Belief(
            patterns.raw,
            fit.emission,
            fit.log_prior,
            silent,
            precision,
            recall,
            fit.weight,
            "majority",
            "",
            fit.history,
            True,
        )
