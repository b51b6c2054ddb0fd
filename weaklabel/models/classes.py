"""``classes``: the label model for classes of documents. Safe by default.

Sources that look at everything (people, prompts, trained models) are fitted as a crowd, by
confusion matrices with shared strength (``crowds``); sources that fire here and there (keywords,
rules) by their precision (``spotters``). Which of the two is found out from the votes, unless
sources declare their kind. A guard compares the fit with majority vote and falls back to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from ..errors import ModelError
from ..task import Task
from .base import registry
from .belief import Belief, Settings, believe
from .pattern_model import PatternModel
from .patterns import Floats, Patterns


@registry.register("classes")
class ClassModel(PatternModel):
    """Class probabilities from votes; the posterior over distinct vote patterns.

    balance: share of each class if it is known, as a mapping by label or in the task's order.
    max_iterations, tolerance: EM ends when the objective moves less than this per document.
    guard: fall back to majority vote, with a warning, when the fit has drifted from the votes.
    max_patterns: of more distinct patterns than about this, those seen once are sampled.

    regime_: "crowd", "spotters", "majority" (fallback) or "none"; of each label if several may
    hold. fallback_: why it fell back, or empty. beliefs_: what was learned, see ``Belief``.
    """

    name: ClassVar[str] = "classes"

    def __init__(
        self,
        *,
        balance: Mapping[str, float] | Sequence[float] | None = None,
        max_iterations: int = 100,
        tolerance: float = 1e-7,
        guard: bool = True,
        max_patterns: int = 50_000,
    ) -> None:
        self.balance = balance
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.guard = guard
        self.max_patterns = max_patterns

    def _believe(self, patterns: Patterns, label: int | None) -> Belief:
        return believe(patterns, self._settings(patterns, label))

    def _settings(self, patterns: Patterns, label: int | None) -> Settings:
        balance = given_balance(self.balance, self.task_)
        if balance is not None and label is not None:
            balance = np.array([1 - balance[label], balance[label]])
        voters = patterns.voters
        groups = sorted({voter.group for voter in voters if voter.group is not None})
        number = {name: i for i, name in enumerate(groups)}
        return Settings(
            balance,
            np.array([voter.kind == "exhaustive" for voter in voters], dtype=bool),
            np.array([-1 if v.group is None else number[v.group] for v in voters], dtype=np.int64),
            self.max_iterations,
            self.tolerance,
            self.guard,
            label is not None,
        )


def given_balance(
    balance: Mapping[str, float] | Sequence[float] | None, task: Task
) -> Floats | None:
    """(K,) the class balance that the user gave; an impossible one is an error."""
    if balance is None:
        return None
    if isinstance(balance, Mapping):
        wrong = sorted(set(balance) ^ set(task.labels))
        if wrong:
            raise ModelError(f"the class balance must name each label once; look at {wrong[0]!r}")
        balance = [balance[label] for label in task.labels]
    share = np.asarray(balance, dtype=float)
    if share.shape != (len(task.labels),) or not (np.isfinite(share) & (share > 0)).all():
        raise ModelError(
            f"the class balance must be {len(task.labels)} shares above 0, one per label"
        )
    if not task.multi:
        share = share / share.sum()
    elif (share >= 1).any():
        raise ModelError("of a multi-label task each share of the class balance must be below 1")
    return share
