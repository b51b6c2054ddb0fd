"""Scores of class labels against gold: accuracy, macro F1, Brier score, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .labels import ClassLabels
from .task import NONE
from .votes import Gold

BINS = 10


def gold_rows(
    labels: ClassLabels, gold: Gold
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the G documents with gold: probability (G, K), truth (G, K), covered (G,)."""
    documents = gold.complete
    truth = np.zeros((labels.n_documents, len(labels.task.labels)), dtype=bool)
    known = gold.label != NONE
    truth[gold.document[known], gold.label[known]] = True
    return labels.probability[documents], truth[documents], labels.covered[documents]


def class_scores(
    probability: NDArray[np.float64],
    truth: NDArray[np.bool_],
    *,
    multi: bool = False,
    expected_ties: bool = False,
) -> dict[str, float]:
    """Scores over G documents and K labels; fractions of 1.

    probability, truth: (G, K). accuracy: of the label sets, which must be equal. macro_f1: mean
    over the labels that gold has. f1: of the second label, if there are two. brier: squared error
    summed over labels. ece: expected calibration error over equal-width bins (Guo et al. 2017).
    expected_ties: labels of equal probability share a document evenly (what random tie-breaking
    gives on average), instead of the first one taking it.
    """
    chosen = _shared(probability) if expected_ties else _chosen(probability, multi).astype(float)
    both = (chosen * truth).sum(axis=0)
    f1 = 2 * both / np.maximum(chosen.sum(axis=0) + truth.sum(axis=0), 1e-300)
    present = truth.any(axis=0)
    equal = (chosen == truth).all(axis=1) if multi else (chosen * truth).sum(axis=1)
    sure, right = sure_and_right(probability, truth, multi=multi)
    if expected_ties:
        right = equal
    scores = {
        "accuracy": float(equal.mean()),
        "macro_f1": float(f1[present].mean()) if present.any() else 0.0,
        "brier": float(((probability - truth) ** 2).sum(axis=1).mean()),
        "ece": calibration_error(sure, right),
    }
    return scores | ({"f1": float(f1[1])} if len(f1) == 2 else {})


def sure_and_right(
    probability: NDArray[np.float64], truth: NDArray[np.bool_], *, multi: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidence of each decision, and whether it is right; several labels: one decision each."""
    chosen = _chosen(probability, multi)
    if multi:
        sure = np.maximum(probability, 1 - probability).ravel()
        return sure, (chosen == truth).ravel().astype(float)
    return probability.max(axis=1), (chosen & truth).any(axis=1).astype(float)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Expected calibration error: mean gap between confidence and share right, bin by bin."""
    return Reliability.of(confidence, right).error


@dataclass(frozen=True, eq=False)
class Reliability:
    """How sure and how right, in equal-width bins of confidence; parts add up over shards.

    count, confidence, right: (bins,) decisions in each bin, and their sums.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, confidence: NDArray[np.float64], right: NDArray[np.float64]) -> Reliability:
        """Bin decisions."""
        place = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
        return cls(
            np.bincount(place, minlength=BINS),
            np.bincount(place, confidence, minlength=BINS).astype(np.float64),
            np.bincount(place, right, minlength=BINS).astype(np.float64),
        )

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.count + other.count, self.confidence + other.confidence, self.right + other.right
        )

    @property
    def error(self) -> float:
        """Expected calibration error."""
        return float(np.abs(self.confidence - self.right).sum() / max(self.count.sum(), 1))

    def to_json(self) -> list[dict[str, Any]]:
        """One row per bin that has decisions."""
        return [
            {
                "from": b / BINS,
                "to": (b + 1) / BINS,
                "decisions": int(self.count[b]),
                "confidence": float(self.confidence[b] / self.count[b]),
                "right": float(self.right[b] / self.count[b]),
            }
            for b in np.flatnonzero(self.count)
        ]


def _shared(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    best = np.isclose(probability, probability.max(axis=1, keepdims=True), rtol=0, atol=1e-9)
    shares: NDArray[np.float64] = best / best.sum(axis=1, keepdims=True)
    return shares


def _chosen(probability: NDArray[np.float64], multi: bool) -> NDArray[np.bool_]:
    if multi:
        return probability > 0.5
    best: NDArray[np.bool_] = np.eye(probability.shape[1], dtype=bool)[probability.argmax(axis=1)]
    return best
