"""What the class models share: questions, prediction by pattern, reasons, saving.

A single-label task is one question with K answers; a multi-label task is K questions, no or yes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelModelWarning, ModelError, NotFitted
from ..labels import EXACT, ClassLabels, Reasons
from ..task import Task
from ..votes import Gold, Votes
from .base import (
    GoldShards,
    SourceQuality,
    TextShards,
    VoteShards,
    load_state,
    save_state,
    shards_of,
)
from .belief import Belief
from .counting import count_patterns
from .patterns import Floats, Patterns, compress, distinct, document_rows


class PatternModel:
    """A label model that believes something of each question; subclasses say what.

    sources_: names, sorted. task_: of the votes. beliefs_: one ``Belief`` per question.
    """

    name: ClassVar[str]
    max_patterns: int = 50_000
    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    beliefs_: tuple[Belief, ...]
    sources_: tuple[str, ...]
    task_: Task

    def _believe(self, patterns: Patterns, label: int | None) -> Belief:
        raise NotImplementedError

    def fit(
        self, votes: VoteShards, *, texts: TextShards | None = None, gold: GoldShards | None = None
    ) -> Self:
        """Learn from the votes alone; gold, where there is some, anchors the fit."""
        shards = shards_of(votes)
        known = gold_shards(gold, len(shards))
        self.task_ = class_task(shards)
        questions = range(len(self.task_.labels)) if self.task_.multi else [None]
        beliefs = []
        for label in questions:
            patterns = count_patterns(shards, known, label, self.max_patterns)
            self.sources_ = patterns.sources
            beliefs.append(self._believe(patterns, label))
        self.beliefs_ = tuple(beliefs)
        self._report()
        return self

    def predict(
        self, votes: Votes, *, texts: object = None, gold: Gold | None = None
    ) -> ClassLabels:
        """Labels of one shard. What gold decides is labelled so."""
        if not hasattr(self, "beliefs_"):
            raise NotFitted(f"the model {self.name!r} was not fitted: call fit(votes) first")
        if votes.task != self.task_:
            raise ModelError("votes to predict from have another task than those it was fitted on")
        probability, covered = self.posterior(votes, gold)
        return ClassLabels(self.task_, probability, covered, self._reasons(votes, probability))

    def posterior(self, votes: Votes, gold: Gold | None = None) -> tuple[Floats, NDArray[np.bool_]]:
        """(D, K) probabilities, and (D,) whether any vote or gold stands behind them."""
        columns = []
        covered = np.zeros(votes.n_documents, dtype=bool)
        covered[votes.document] = True
        if gold is not None:
            covered[gold.complete] = True
        for label, belief in self._questions():
            rows = document_rows(votes, gold, self.sources_, label)
            few, group = distinct(rows)
            columns.append(belief.posterior(few, self._compatible(label))[group])
        if self.task_.multi:
            return np.stack([column[:, 1] for column in columns], axis=1), covered
        return columns[0], covered

    def save(self, folder: Path) -> None:
        """Write the model to a folder."""
        if not hasattr(self, "beliefs_"):
            raise NotFitted(f"the model {self.name!r} was not fitted: nothing to save")
        settings = {**vars(self)}
        facts = {
            "model": self.name,
            "settings": {k: _plain(v) for k, v in settings.items() if not k.endswith("_")},
            "task": self.task_.to_json(),
            "sources": list(self.sources_),
            "quality": [vars(row) for row in self.source_quality_],
            "beliefs": [belief.to_json() for belief in self.beliefs_],
        }
        arrays: dict[str, NDArray[Any]] = {}
        for i, belief in enumerate(self.beliefs_):
            arrays |= belief.to_arrays(f"{i}.")
        save_state(folder, facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, arrays = load_state(folder)
        if facts.get("model") != cls.name:
            raise ModelError(f"{folder}: holds a model {facts.get('model')!r}, not {cls.name!r}")
        model = cls(**facts["settings"])
        model.task_ = Task(**facts["task"])
        model.sources_ = tuple(facts["sources"])
        model.beliefs_ = tuple(
            Belief.restore(belief, arrays, f"{i}.") for i, belief in enumerate(facts["beliefs"])
        )
        model._summarize()
        model.source_quality_ = [SourceQuality(**row) for row in facts["quality"]]
        return model

    @property
    def regime_(self) -> str | tuple[str, ...]:
        """How each question was fitted; one word for a single-label task."""
        regimes = tuple(belief.regime for belief in self.beliefs_)
        return regimes if self.task_.multi else regimes[0]

    @property
    def fallback_(self) -> str:
        """Why the model fell back to majority vote; empty if it did not."""
        reasons = [b.fallback for b in self.beliefs_ if b.fallback]
        return "; ".join(reasons)

    def table(self, raw: NDArray[np.int64], question: int) -> Floats:
        """(S, K) log-likelihoods of symbols, of one question (0 of a single-label task)."""
        label = question if self.task_.multi else None
        return self.beliefs_[question].table(raw, self._compatible(label))

    def _questions(self) -> list[tuple[int | None, Belief]]:
        if self.task_.multi:
            return list(enumerate(self.beliefs_))
        return [(None, self.beliefs_[0])]

    def _compatible(self, label: int | None) -> NDArray[np.bool_]:
        return self.task_.compatible if label is None else np.eye(2, dtype=bool)

    def _report(self) -> None:
        self._summarize()
        self.source_quality_ = [row for _, b in self._questions() for row in self._rows(_, b)]
        if self.fallback_:
            warnings.warn(
                f"the model {self.name!r} fell back to majority vote: {self.fallback_}",
                LabelModelWarning,
                stacklevel=3,
            )
        elif not self.converged_:
            warnings.warn(
                f"the model {self.name!r} did not converge; more max_iterations may help",
                LabelModelWarning,
                stacklevel=3,
            )

    def _summarize(self) -> None:
        self.history_ = [value for belief in self.beliefs_ for value in belief.history]
        self.converged_ = all(belief.converged for belief in self.beliefs_)

    def _rows(self, label: int | None, belief: Belief) -> list[SourceQuality]:
        names = self.task_.vote_labels if label is None else ("", self.task_.labels[label])
        rows = zip(
            belief.raw.tolist(),
            belief.precision.tolist(),
            belief.recall.tolist(),
            belief.weight.tolist(),
            strict=True,
        )
        parts = ((divmod(raw, len(names)), p, r, w) for raw, p, r, w in rows)
        return [
            SourceQuality(self.sources_[source], names[value], p, r, w)
            for (source, value), p, r, w in parts
            if names[value]
        ]

    def _reasons(self, votes: Votes, probability: Floats) -> Reasons:
        """Log-odds that each vote adds to the chosen label against the runner-up."""
        weight = np.zeros(len(votes))
        level = np.maximum(np.rint(votes.confidence * 16), 1) / 16
        rank = {name: r for r, name in enumerate(self.sources_)}
        ranks = np.array([rank[name] for name in votes.names], dtype=np.int64)[votes.source]
        for label, belief in self._questions():
            mine = np.ones(len(votes), bool) if label is None else votes.label == label
            n_labels = len(self.task_.vote_labels) if label is None else 2
            value = votes.label[mine] if label is None else np.ones(mine.sum(), dtype=np.int64)
            cast = ranks[mine] * n_labels + value
            raw, place = compress(cast)
            table, symbol = belief.table(raw, self._compatible(label)), place[cast]
            best, second = _best_two(probability, label)
            document = votes.document[mine]
            weight[mine] = table[symbol, best[document]] - table[symbol, second[document]]
        return Reasons(
            votes.names,
            votes.indptr,
            votes.source,
            votes.label,
            np.full(len(votes), EXACT, dtype=np.int8),
            (weight * level).astype(np.float32),
        )


def _best_two(
    probability: Floats, label: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The chosen class of each document and the runner-up; of one label of several: yes and no."""
    if label is not None:
        ones = np.ones(len(probability), dtype=np.int64)
        return ones, ones - 1
    best = probability.argmax(axis=1)
    rest = probability.copy()
    rest[np.arange(len(rest)), best] = -1.0
    return best, rest.argmax(axis=1)


def gold_shards(gold: GoldShards | None, n_shards: int) -> Sequence[Gold | None]:
    """Gold of each shard, None where there is none."""
    if gold is None:
        return [None] * n_shards
    shards = [gold] if isinstance(gold, Gold) else gold
    if len(shards) != n_shards:
        raise ModelError(f"gold of {len(shards)} shards for {n_shards} shards of votes")
    return shards


def class_task(shards: Sequence[Votes]) -> Task:
    """The task of the votes, which must be one of classes."""
    if not shards:
        raise ModelError("a label model needs at least one shard of votes")
    task = shards[0].task
    if task.kind != "classes":
        raise ModelError(f"this model labels classes, but the task {task.name!r} is spans")
    return task


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (tuple, np.ndarray)) else value
