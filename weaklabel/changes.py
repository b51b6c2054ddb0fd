"""What decisions changed: the labels against those that the label model gives without them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .columns import load_labels
from .labels import SpanLabels
from .run import Run
from .scoring import Score, score_spans, span_keys
from .teaching import BELIEVED
from .votes import Gold

KINDS = ("added", "removed", "relabelled")

Place = tuple[int, int, int]


@dataclass
class Changes:
    """Counts that add up over shards.

    counts: (kind, label) -> spans; a relabelled one counts for its new label. elsewhere: spans that
    changed where nobody decided anything, as the decisions taught. before, after: exact spans
    against gold.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    elsewhere: int = 0
    before: Score | None = None
    after: Score | None = None

    def see(self, before: SpanLabels, after: SpanLabels, decided: Gold, gold: Gold | None) -> None:
        """Count one shard."""
        asked = {place[:3] for place in _keys(decided)}
        was, now = _chosen(before), _chosen(after)
        names = after.task.labels
        for place in was.keys() | now.keys():
            if was.get(place) == now.get(place):
                continue
            self.counts[_kind(place, was, now), names[now.get(place, was.get(place, 0))]] += 1
            self.elsewhere += place not in asked
        if gold is not None:
            self.before = _sum(self.before, score_spans(before, gold)[""])
            self.after = _sum(self.after, score_spans(after, gold)[""])

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


def changes_of(run: Run, task: str) -> dict[str, Any] | None:
    """The changes of a task; None if nobody decided anything, or decisions are anchors only."""
    from .review.decided import decided_gold

    decided = decided_gold(run.folder, run.tasks[task], run.shards)
    paths = [run.labels_path(task, i, BELIEVED) for i in range(run.n_shards)]
    if decided is None or not all(path.exists() for path in paths):
        return None
    changes, now, gold = Changes(), run.labels(task), run.gold(task)
    for i, path in enumerate(paths):
        before, after = load_labels(path), now[i]
        assert isinstance(before, SpanLabels)
        assert isinstance(after, SpanLabels)
        changes.see(before, after, decided[i], None if gold is None else gold[i])
    return changes.to_json(run.tasks[task].labels)


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


def _sum(before: Score | None, more: Score) -> Score:
    return more if before is None else before + more


def _scores(score: Score | None) -> dict[str, float] | None:
    if score is None:
        return None
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}
