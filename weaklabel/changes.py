"""What decisions changed: the labels against those that the label model gives without them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from .labels import SpanLabels
from .run import Run
from .scoring import Score, score_spans, span_keys
from .teaching import BELIEVED
from .votes import Gold

KINDS = ("added", "removed", "relabelled")

Place = tuple[int, int, int]


@dataclass(frozen=True)
class Changes:
    """Counts that add up over shards.

    counts: (kind, label) -> spans; a relabelled one counts for its new label. elsewhere: spans that
    changed where nobody decided anything, as the decisions taught. before, after: exact spans
    against gold.
    """

    counts: Counter[tuple[str, str]]
    elsewhere: int
    before: Score | None = None
    after: Score | None = None

    @classmethod
    def of(cls, before: SpanLabels, after: SpanLabels, decided: Gold, gold: Gold | None) -> Changes:
        """Count one shard."""
        asked = {place[:3] for place in _keys(decided)}
        was, now = _chosen(before), _chosen(after)
        names = after.task.labels
        counts: Counter[tuple[str, str]] = Counter()
        elsewhere = 0
        for place in was.keys() | now.keys():
            if was.get(place) == now.get(place):
                continue
            counts[_kind(place, was, now), names[now.get(place, was.get(place, 0))]] += 1
            elsewhere += place not in asked
        if gold is None:
            return cls(counts, elsewhere)
        return cls(counts, elsewhere, score_spans(before, gold)[""], score_spans(after, gold)[""])

    def __add__(self, other: Changes) -> Changes:
        return Changes(
            self.counts + other.counts,
            self.elsewhere + other.elsewhere,
            _sum(self.before, other.before),
            _sum(self.after, other.after),
        )

    def to_json(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Counts by kind, by label, and scores."""
        by_label = {k: {kind: self.counts[kind, k] for kind in KINDS} for k in labels}
        total = {kind: sum(row[kind] for row in by_label.values()) for kind in KINDS}
        return {
            **total,
            "elsewhere": self.elsewhere,
            "labels": by_label,
            "before": _scores(self.before),
            "after": _scores(self.after),
        }


def has_changes(run: Run, task: str) -> bool:
    """Whether there are decisions that are no mere anchors, and labels from before them."""
    paths = [run.labels_path(task, i, BELIEVED) for i in range(run.n_shards)]
    if not (run.folder / "review.sqlite").exists() or not all(path.exists() for path in paths):
        return False
    from .review.decided import decided_gold

    return decided_gold(run.folder, run.tasks[task], run.shards) is not None


def _keys(gold: Gold) -> set[tuple[int, int, int, int]]:
    return span_keys(gold.document, gold.start, gold.end, gold.label)


def _chosen(labels: SpanLabels) -> dict[Place, int]:
    rows = labels.labelled
    columns = (labels.document, labels.start, labels.end, labels.chosen)
    return {(d, s, e): k for d, s, e, k in span_keys(*(column[rows] for column in columns))}


def _kind(place: Place, was: dict[Place, int], now: dict[Place, int]) -> str:
    if place not in was:
        return "added"
    return "relabelled" if place in now else "removed"


def _sum(left: Score | None, right: Score | None) -> Score | None:
    return left if right is None else right if left is None else left + right


def _scores(score: Score | None) -> dict[str, float] | None:
    if score is None:
        return None
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}
