"""Scores against gold: exact spans (strict, as seqeval's IOB2 strict mode counts them)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .labels import SpanLabels
from .task import NONE
from .votes import Gold


@dataclass(frozen=True)
class Score:
    """Counts of exact spans and what follows from them; fractions of 1, 0 where undefined."""

    true_positives: int
    predicted: int
    actual: int

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are in gold with the same label."""
        return self.true_positives / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold spans that are predicted with the same label."""
        return self.true_positives / self.actual if self.actual else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.predicted + self.actual
        return 2 * self.true_positives / total if total else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.true_positives + other.true_positives,
            self.predicted + other.predicted,
            self.actual + other.actual,
        )


def span_keys(
    document: NDArray[np.integer],
    start: NDArray[np.integer],
    end: NDArray[np.integer],
    label: NDArray[np.integer],
) -> set[tuple[int, int, int, int]]:
    """Spans as a set of tuples."""
    columns = (document.tolist(), start.tolist(), end.tolist(), label.tolist())
    return set(zip(*columns, strict=True))


def score_spans(labels: SpanLabels, gold: Gold) -> dict[str, Score]:
    """Exact-span counts over the documents that gold knows in full: by label, and all as ""."""
    rows = labels.labelled
    rows = rows[np.isin(labels.document[rows], gold.complete)]
    predicted = span_keys(
        labels.document[rows], labels.start[rows], labels.end[rows], labels.chosen[rows]
    )
    known = (gold.label != NONE) & np.isin(gold.document, gold.complete)
    actual = span_keys(gold.document[known], gold.start[known], gold.end[known], gold.label[known])
    return score_sets(predicted, actual, labels.task.labels)


def score_sets(
    predicted: set[tuple[int, int, int, int]],
    actual: set[tuple[int, int, int, int]],
    names: Iterable[str],
) -> dict[str, Score]:
    """Scores of two sets of (document, start, end, label): by label, and all as ""."""
    scores = {"": Score(len(predicted & actual), len(predicted), len(actual))}
    for k, name in enumerate(names):
        mine = {span for span in predicted if span[3] == k}
        theirs = {span for span in actual if span[3] == k}
        scores[name] = Score(len(mine & theirs), len(mine), len(theirs))
    return scores
