"""What can be counted of labels, and of gold beside them; adds up over shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .class_scoring import Reliability, class_scores, gold_rows, sure_and_right
from .labels import ClassLabels, Labels, SpanLabels
from .scoring import Score, score_spans, span_keys
from .task import Task
from .votes import Gold, Votes

Json = dict[str, Any]

Judged = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]
"""Of the G documents of a shard with gold: probability (G, K), truth (G, K), covered (G,)."""


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """Counts for K labels.

    documents, covered: how many, and how many with votes. counts: (K,) how often each label was
    given. histogram: of confidence. spans: scores by label, "" for all. judged: of class labels,
    shard by shard. reliability: None without gold.
    """

    task: Task
    documents: int
    covered: int
    counts: NDArray[np.int64]
    histogram: NDArray[np.int64]
    spans: Mapping[str, Score] = field(default_factory=dict)
    judged: tuple[Judged, ...] = ()
    reliability: Reliability | None = None

    @classmethod
    def of(cls, votes: Votes, labels: Labels, gold: Gold | None) -> LabelStatistics:
        """Count one shard."""
        if isinstance(labels, SpanLabels):
            rows = labels.labelled
            sure = labels.confidence[rows]
            counts = np.bincount(labels.chosen[rows], minlength=len(labels.task.labels))
            scores = {} if gold is None else _span_scores(labels, gold)
        else:
            sure = labels.confidence[labels.covered]
            counts = labels.chosen_sets[labels.covered].sum(axis=0)
            scores = {} if gold is None else _class_scores(labels, gold)
        histogram = Reliability.of(sure, sure).count
        covered = len(np.unique(votes.document))
        return cls(labels.task, votes.n_documents, covered, counts, histogram, **scores)

    def __add__(self, other: LabelStatistics) -> LabelStatistics:
        more = {k: self.spans[k] + s if k in self.spans else s for k, s in other.spans.items()}
        parts = [one.reliability for one in (self, other) if one.reliability is not None]
        return LabelStatistics(
            self.task,
            self.documents + other.documents,
            self.covered + other.covered,
            self.counts + other.counts,
            self.histogram + other.histogram,
            {**self.spans, **more},
            self.judged + other.judged,
            parts[0] + parts[1] if len(parts) == 2 else parts[0] if parts else None,
        )

    def to_json(self) -> Json:
        """Label counts, coverage and confidence."""
        return {
            "documents": self.documents,
            "documents_with_votes": self.covered,
            "counts": dict(zip(self.task.labels, self.counts.tolist(), strict=True)),
            "confidence_histogram": self.histogram.tolist(),
        }

    def scores(self) -> Json:
        """Scores against gold."""
        reliability = self.reliability
        shared: Json = {
            "ece": reliability.error if reliability else None,
            "reliability": reliability.to_json() if reliability else [],
        }
        if self.task.kind == "spans":
            by_label = {
                label: {"precision": s.precision, "recall": s.recall, "f1": s.f1, **asdict(s)}
                for label, s in self.spans.items()
            }
            return {**by_label.pop("", {}), "labels": by_label, **shared}
        probability, truth, evident = (np.concatenate(c) for c in zip(*self.judged, strict=True))
        if not len(truth):
            return shared
        multi = self.task.multi
        scores = {**class_scores(probability, truth, multi=multi), **shared}
        scores["documents"] = len(truth)
        if evident.any() and not evident.all():
            scores["covered"] = class_scores(probability[evident], truth[evident], multi=multi)
        return scores


def _span_scores(labels: SpanLabels, gold: Gold) -> dict[str, Any]:
    rows = labels.labelled
    rows = rows[np.isin(labels.document[rows], gold.complete)]
    columns = (labels.document, labels.start, labels.end, labels.chosen)
    actual = span_keys(gold.document, gold.start, gold.end, gold.label)
    right = [key in actual for key in zip(*(c[rows].tolist() for c in columns), strict=True)]
    reliability = Reliability.of(labels.confidence[rows], np.asarray(right, dtype=float))
    return {"spans": score_spans(labels, gold), "reliability": reliability}


def _class_scores(labels: ClassLabels, gold: Gold) -> dict[str, Any]:
    judged = gold_rows(labels, gold)
    decisions = sure_and_right(*judged[:2], multi=labels.task.multi)
    return {"judged": (judged,), "reliability": Reliability.of(*decisions)}
