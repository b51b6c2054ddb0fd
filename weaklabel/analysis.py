"""What can be said of a finished run: sources, labels, fit, and scores where gold exists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .engine_local import Engine, HereEngine
from .labels import ClassLabels
from .models.base import SourceQuality
from .run import Run
from .scoring import Score
from .shard_statistics import Statistics, count
from .task import Task
from .vote_statistics import VoteStatistics
from .votes import Votes

Json = dict[str, Any]

CELLS = 20_000_000
"""Documents x sources that agreement is measured on; it is dense."""

PAIRED = 30
"""Up to so many sources kappa is told of each two."""


def analyze(run: Run, engine: Engine | None = None) -> Json:
    """The analysis of every task of a run, as plain JSON values; unknown numbers are null.

    engine: counts over the shards; None: this process, one shard in memory at a time.
    """
    shards = run.manifest["shards"]
    counted = count(run, engine or HereEngine())
    return {
        "documents": sum(shard["documents"] for shard in shards),
        "tokens": sum(shard["tokens"] for shard in shards),
        "shards": len(shards),
        "limit": run.manifest["limit"],
        "seed": run.manifest["seed"],
        "versions": run.manifest["versions"],
        "given_up": run.manifest.get("given_up", []),
        "gold": run.job.gold,
        "tasks": {name: _task(run, name, counted[name]) for name in run.tasks},
    }


def _task(run: Run, name: str, counted: Statistics) -> Json:
    task, gold = run.tasks[name], run.gold(name) is not None
    model = run.model(name)
    return {
        "task": task.to_json(),
        "model": run.job.tasks[name].chosen_model.use,
        "fit": {
            "objective": [_number(value) for value in model.history_],
            "converged": bool(model.converged_),
            "warnings": run.manifest["tasks"][name]["warnings"],
            "sample": run.job.fit_on.documents if run.job.fit_on else None,
        },
        "sources": source_rows(task, counted.voters, counted.votes, model.source_quality_, gold),
        "counts": run.counts(name),
        "labels": counted.labels.to_json(),
        "scores": counted.labels.scores() if gold else None,
        "agreement": _agreement(run, name) if task.kind == "classes" else None,
        "changes": counted.changes and counted.changes.to_json(task.labels),
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

    def total(name: str) -> int:
        return int(getattr(statistics, name)[j, labels].sum())

    votes, looked = total("votes"), int(statistics.looked[j])
    known = believed.get((voter.name, label or ""))
    score = Score(total("right"), total("scored"), total("actual")) if gold else None
    return {
        "source": voter.name,
        "label": label,
        "kind": voter.kind,
        "votes": votes,
        "documents": looked,
        "coverage": _ratio(total("covered") if label else int(statistics.reached[j]), looked),
        "overlaps": _ratio(total("overlaps"), votes),
        "conflicts": _ratio(total("conflicts"), votes),
        "estimated_precision": _number(known.precision) if known else None,
        "estimated_recall": _number(known.recall) if known else None,
        "weight": _number(known.weight) if known else None,
        "group": known.group if known and known.group >= 0 else None,
        "precision": _ratio(score.true_positives, score.predicted) if score else None,
        "recall": _ratio(score.true_positives, score.actual) if score else None,
        "f1": score.f1 if score and score.actual else None,
    }


def _agreement(run: Run, task: str) -> Json:
    """Multi-annotator statistics; of a big corpus of its first shards, see ``documents``."""
    from .agreement import kappa_matrix, krippendorff_alpha, worker_quality
    from .review.label_issues import annotator_quality

    votes, labels = run.votes(task), run.labels(task)
    n_sources = len(run.sources(task))
    sizes = np.cumsum([shard["documents"] * n_sources for shard in run.manifest["shards"]])
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
