"""Labels: what a label model believes, how sure it is, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import VotesError
from .task import NONE, Task

EXACT, OVERLAP = 0, 1
"""How the vote behind a reason lies to the span it speaks of."""


@dataclass(frozen=True, eq=False)
class Reasons:
    """Which votes stand behind each item; item i owns the rows ``indptr[i]:indptr[i+1]``.

    source, label: (R,) who voted what (ids into the votes' sources and ``task.vote_labels``).
    relation: (R,) EXACT or OVERLAP, how the vote's span lies to the item's (classes: EXACT).
    weight: (R,) what the vote added to the log-odds of the chosen label, in nats.
    """

    sources: tuple[str, ...]
    indptr: NDArray[np.int64]
    source: NDArray[np.int32]
    label: NDArray[np.int16]
    relation: NDArray[np.int8]
    weight: NDArray[np.float32]

    def select(self, items: NDArray[np.int64]) -> Reasons:
        """The reasons of some items, in the order given."""
        lengths = np.diff(self.indptr)[items]
        ends = np.cumsum(lengths)
        rows = np.repeat(self.indptr[items] - (ends - lengths), lengths) + np.arange(lengths.sum())
        return replace(
            self,
            indptr=np.concatenate([[0], ends]).astype(np.int64),
            source=self.source[rows],
            label=self.label[rows],
            relation=self.relation[rows],
            weight=self.weight[rows],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Reasons]) -> Reasons:
        """Reasons of consecutive items as one."""
        lengths = np.concatenate([np.diff(part.indptr) for part in parts])
        return cls(
            parts[0].sources,
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.relation for part in parts]),
            np.concatenate([part.weight for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class SpanLabels:
    """Candidate spans of D documents with their probabilities, and which of them were chosen.

    document, start, end: (C,) candidates sorted by document, start, end; token positions, end
        exclusive.
    probability: (C, K) posterior that exactly this span is an entity with label k; a row sums to
        at most 1, the rest is the probability that it is none.
    chosen: (C,) label id of the candidates that are labelled, -1 of the others. Chosen spans of
        one layer do not overlap.
    layer: (C,) 0 for flat output; nested entities inside a chosen one have 1, 2, ...
    reasons: of each candidate, or None if the model gives none.
    """

    task: Task
    n_tokens: NDArray[np.int32]
    document: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    probability: NDArray[np.float64]
    chosen: NDArray[np.int16]
    layer: NDArray[np.int8]
    reasons: Reasons | None = None

    def __post_init__(self) -> None:
        shape = (len(self.document), len(self.task.labels))
        if self.probability.shape != shape:
            raise VotesError(
                f"label probabilities have shape {self.probability.shape}, expected {shape}"
            )

    @property
    def n_documents(self) -> int:
        """D."""
        return len(self.n_tokens)

    def __len__(self) -> int:
        return len(self.document)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """(S,) the candidates that were chosen."""
        return np.flatnonzero(self.chosen != NONE)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(C,) probability of the chosen label; of unchosen candidates, that they are no entity."""
        best = self.probability[np.arange(len(self)), np.maximum(self.chosen, 0)]
        return np.where(self.chosen == NONE, 1 - self.probability.sum(axis=1), best)

    def rows(self, keep: NDArray[np.int64]) -> SpanLabels:
        """Some of the candidates, by sorted indices; documents stay."""
        return replace(
            self,
            document=self.document[keep],
            start=self.start[keep],
            end=self.end[keep],
            probability=self.probability[keep],
            chosen=self.chosen[keep],
            layer=self.layer[keep],
            reasons=None if self.reasons is None else self.reasons.select(keep),
        )

    def spans(self, document: int) -> list[tuple[int, int, str]]:
        """The labelled spans of one document as (first token, end token, label)."""
        low, high = np.searchsorted(self.document, [document, document + 1])
        return [
            (int(self.start[i]), int(self.end[i]), self.task.labels[self.chosen[i]])
            for i in range(low, high)
            if self.chosen[i] != NONE
        ]

    def token_marginals(self, document: int) -> NDArray[np.float64]:
        """(n tokens, K): probability that a token of the document lies in an entity of label k."""
        low, high = np.searchsorted(self.document, [document, document + 1])
        marginals = np.zeros((int(self.n_tokens[document]), len(self.task.labels)))
        for i in range(low, high):
            marginals[self.start[i] : self.end[i]] += self.probability[i]
        return np.minimum(marginals, 1.0)

    @classmethod
    def concatenate(cls, shards: Sequence[SpanLabels]) -> SpanLabels:
        """Labels of shards as one, documents in order."""
        offsets = np.cumsum([0] + [shard.n_documents for shard in shards[:-1]])
        reasons = [shard.reasons for shard in shards if shard.reasons is not None]
        return cls(
            shards[0].task,
            np.concatenate([shard.n_tokens for shard in shards]),
            np.concatenate([s.document + o for s, o in zip(shards, offsets, strict=True)]),
            np.concatenate([shard.start for shard in shards]),
            np.concatenate([shard.end for shard in shards]),
            np.concatenate([shard.probability for shard in shards]),
            np.concatenate([shard.chosen for shard in shards]),
            np.concatenate([shard.layer for shard in shards]),
            Reasons.concatenate(reasons) if len(reasons) == len(shards) else None,
        )


@dataclass(frozen=True, eq=False)
class ClassLabels:
    """Class probabilities of D documents.

    probability: (D, K). Single-label: rows sum to 1. Multi-label: each entry is the probability
        that the document has this label.
    covered: (D,) whether any evidence (a vote, or text for a text-aware model) stands behind the
        row; the others carry the class balance only.
    reasons: of each document, or None.
    """

    task: Task
    probability: NDArray[np.float64]
    covered: NDArray[np.bool_]
    reasons: Reasons | None = None

    def __post_init__(self) -> None:
        shape = (len(self.covered), len(self.task.labels))
        if self.probability.shape != shape:
            raise VotesError(
                f"label probabilities have shape {self.probability.shape}, expected {shape}"
            )

    @property
    def n_documents(self) -> int:
        """D."""
        return len(self.covered)

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(D,) the likeliest label of a single-label task; equal ones: the first in the task."""
        first: NDArray[np.int64] = np.argmax(self.probability, axis=1)
        return first

    @property
    def chosen_sets(self) -> NDArray[np.bool_]:
        """(D, K) the labels that hold: above one half if several may, else the likeliest."""
        if self.task.multi:
            return self.probability > 0.5
        return np.eye(len(self.task.labels), dtype=bool)[self.chosen]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(D,) probability of what was chosen; with several labels, of the least sure of them."""
        if self.task.multi:
            either = np.maximum(self.probability, 1 - self.probability)
            least: NDArray[np.float64] = np.min(either, axis=1)
            return least
        best: NDArray[np.float64] = np.max(self.probability, axis=1)
        return best

    @classmethod
    def concatenate(cls, shards: Sequence[ClassLabels]) -> ClassLabels:
        """Labels of shards as one, documents in order."""
        reasons = [shard.reasons for shard in shards if shard.reasons is not None]
        return cls(
            shards[0].task,
            np.concatenate([shard.probability for shard in shards]),
            np.concatenate([shard.covered for shard in shards]),
            Reasons.concatenate(reasons) if len(reasons) == len(shards) else None,
        )


Labels = SpanLabels | ClassLabels
