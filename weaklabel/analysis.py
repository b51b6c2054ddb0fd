"""What can be said of a finished run: sources, labels, fit, and scores where gold exists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .changes import changes_of
from .class_scoring import BINS, Reliability, class_scores, gold_rows, sure_and_right
from .labels import ClassLabels, Labels, SpanLabels
from .models.base import SourceQuality
from .run import Run
from .scoring import Score, score_spans, span_keys
from .task import Task
from .vote_statistics import VoteStatistics
from .votes import Gold, Votes

Json = dict[str, Any]

CELLS = 20_000_000
"""Documents x sources that agreement is measured on; it is dense."""

PAIRED = 30
"""Up to so many sources kappa is told of each two."""


def analyze(run: Run) -> Json:
    """The analysis of every task of a run, as plain JSON values; unknown numbers are null."""
    shards = run.manifest["shards"]
    return {
        "documents": sum(shard["documents"] for shard in shards),
        "tokens": sum(shard["tokens"] for shard in shards),
        "shards": len(shards),
        "limit": run.manifest["limit"],
        "seed": run.manifest["seed"],
        "versions": run.manifest["versions"],
        "given_up": run.manifest.get("given_up", []),
        "gold": run.job.gold,
        "tasks": {name: analyze_task(run, name) for name in run.tasks},
    }


def analyze_task(run: Run, name: str) -> Json:
    """The analysis of one task, holding one shard at a time."""
    task, gold = run.tasks[name], run.gold(name)
    votes, labels = run.votes(name), run.labels(name)
    seen = _Seen(task)
    statistics: list[VoteStatistics] = []
    for i in range(run.n_shards):
        known = None if gold is None else gold[i]
        shard_votes = votes[i]
        statistics.append(VoteStatistics.of(shard_votes, known))
        statistics[:] = [reduce(add, statistics)]
        seen.see(shard_votes, labels[i], known)
    model = run.model(name)
    voters = votes[0].voters
    return {
        "task": task.to_json(),
        "model": run.job.tasks[name].chosen_model.use,
        "fit": {
            "objective": [_number(value) for value in model.history_],
            "converged": bool(model.converged_),
            "warnings": run.manifest["tasks"][name]["warnings"],
            "sample": run.job.fit_on.documents if run.job.fit_on else None,
        },
        "sources": source_rows(
            task, voters, statistics[0], model.source_quality_, gold is not None
        ),
        "counts": run.counts(name),
        "labels": seen.to_json(),
        "scores": seen.scores() if gold is not None else None,
        "agreement": _agreement(run, votes, labels) if task.kind == "classes" else None,
        "changes": changes_of(run, name),
    }


def source_rows(
    task: Task,
    voters: Sequence[Any],
    statistics: VoteStatistics,
    quality: Sequence[SourceQuality],
    gold: bool,
) -> list[Json]:
    """A row per source (label null), then one for each label it may cast or has cast."""
    believed = {(row.source, row.label): row for row in quality}
    rows = []
    for j, voter in enumerate(voters):
        cast = [
            k
            for k, label in enumerate(task.vote_labels)
            if statistics.votes[j, k] or label in voter.labels
        ]
        rows.append(_source_row(voter, None, statistics, (j, cast), believed, gold))
        rows += [
            _source_row(voter, task.vote_labels[k], statistics, (j, [k]), believed, gold)
            for k in cast
        ]
    return rows


def _source_row(
    voter: Any,
    label: str | None,
    statistics: VoteStatistics,
    cells: tuple[int, list[int]],
    believed: dict[tuple[str, str], SourceQuality],
    gold: bool,
) -> Json:
    j, labels = cells

    def count(name: str) -> int:
        return int(getattr(statistics, name)[j, labels].sum())

    votes, looked = count("votes"), int(statistics.looked[j])
    known = believed.get((voter.name, label or ""))
    score = Score(count("right"), count("scored"), count("actual")) if gold else None
    return {
        "source": voter.name,
        "label": label,
        "kind": voter.kind,
        "votes": votes,
        "documents": looked,
        "coverage": _ratio(count("covered") if label else int(statistics.reached[j]), looked),
        "overlaps": _ratio(count("overlaps"), votes),
        "conflicts": _ratio(count("conflicts"), votes),
        "estimated_precision": _number(known.precision) if known else None,
        "estimated_recall": _number(known.recall) if known else None,
        "weight": _number(known.weight) if known else None,
        "group": known.group if known and known.group >= 0 else None,
        "precision": _ratio(score.true_positives, score.predicted) if score else None,
        "recall": _ratio(score.true_positives, score.actual) if score else None,
        "f1": score.f1 if score and score.actual else None,
    }


@dataclass
class _Seen:
    """What adds up over shards about labels."""

    task: Task
    documents: int = 0
    covered: int = 0
    counts: NDArray[np.int64] = field(init=False)
    histogram: NDArray[np.int64] = field(init=False)
    spans: dict[str, Score] = field(default_factory=dict)
    probability: list[NDArray[np.float64]] = field(default_factory=list)
    truth: list[NDArray[np.bool_]] = field(default_factory=list)
    evident: list[NDArray[np.bool_]] = field(default_factory=list)
    reliability: Reliability | None = None

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.task.labels), dtype=np.int64)
        self.histogram = np.zeros(BINS, dtype=np.int64)

    def see(self, votes: Votes, labels: Labels, gold: Gold | None) -> None:
        """Count one shard."""
        self.documents += votes.n_documents
        self.covered += len(np.unique(votes.document))
        if isinstance(labels, SpanLabels):
            rows = labels.labelled
            sure = labels.confidence[rows]
            self.counts += np.bincount(labels.chosen[rows], minlength=len(self.counts))
        else:
            sure = labels.confidence[labels.covered]
            self.counts += labels.chosen_sets[labels.covered].sum(axis=0)
        self.histogram += Reliability.of(sure, sure).count
        if gold is not None and isinstance(labels, SpanLabels):
            self._see_spans(labels, gold)
        elif gold is not None and isinstance(labels, ClassLabels):
            self._see_classes(labels, gold)

    def _see_spans(self, labels: SpanLabels, gold: Gold) -> None:
        for label, score in score_spans(labels, gold).items():
            self.spans[label] = self.spans[label] + score if label in self.spans else score
        rows = labels.labelled
        rows = rows[np.isin(labels.document[rows], gold.complete)]
        columns = (labels.document, labels.start, labels.end, labels.chosen)
        actual = span_keys(gold.document, gold.start, gold.end, gold.label)
        right = [key in actual for key in zip(*(c[rows].tolist() for c in columns), strict=True)]
        part = Reliability.of(labels.confidence[rows], np.asarray(right, dtype=float))
        self.reliability = part if self.reliability is None else self.reliability + part

    def _see_classes(self, labels: ClassLabels, gold: Gold) -> None:
        probability, truth, covered = gold_rows(labels, gold)
        self.probability.append(probability)
        self.truth.append(truth)
        self.evident.append(covered)
        part = Reliability.of(*sure_and_right(probability, truth, multi=self.task.multi))
        self.reliability = part if self.reliability is None else self.reliability + part

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
        probability, truth = np.concatenate(self.probability), np.concatenate(self.truth)
        if not len(truth):
            return shared
        evident = np.concatenate(self.evident)
        multi = self.task.multi
        scores = {**class_scores(probability, truth, multi=multi), **shared}
        scores["documents"] = len(truth)
        if evident.any() and not evident.all():
            scores["covered"] = class_scores(probability[evident], truth[evident], multi=multi)
        return scores


def _agreement(run: Run, votes: Sequence[Votes], labels: Sequence[Labels]) -> Json | None:
    """Multi-annotator statistics; of a big corpus of its first shards, see ``documents``."""
    from .agreement import kappa_matrix, krippendorff_alpha, worker_quality
    from .review.label_issues import annotator_quality

    sizes = np.cumsum([shard.n_documents * shard.n_sources for shard in votes])
    n = max(1, int(np.searchsorted(sizes, CELLS, side="right")))
    said = Votes.concatenate(votes[:n])
    believed = [one for one in labels[:n] if isinstance(one, ClassLabels)]
    chosen = ClassLabels.concatenate(believed)
    workers = worker_quality(said, chosen)
    texts = [text for shard in run.shards[:n] for text in shard.texts]
    quality = annotator_quality(said, chosen, texts, run.job.seed)
    kappa = kappa_matrix(said).tolist() if said.n_sources <= PAIRED else None
    return {
        "documents": said.n_documents,
        "alpha": _number(krippendorff_alpha(said)),
        "kappa": kappa and [[_number(value) for value in row] for row in kappa],
        "workers": [
            {k: _number(v) if isinstance(v, float) else v for k, v in asdict(one).items()}
            | {"quality": quality.get(one.source)}
            for one in workers
        ],
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
