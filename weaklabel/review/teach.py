"""What decisions teach about the rest: a correction of the label model's probabilities.

The label model says how likely each candidate is; a reviewer's decisions show where it errs. The
correction is a softmax regression whose offset is the label model's log-probability and whose prior
is "no correction", so without decisions nothing changes. Its evidence: who voted what, exactly or
overlapping; the words; and an out-of-fold token model that learned from the labels with the
decisions in them. The two are fitted in turn, a few rounds.

The label model may have been fitted with the decisions as anchors, but must not have been *told*
them when it predicted: a decided candidate that it is sure of leaves nothing to correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..corpus import Shard
from ..errors import NotFitted
from ..labels import Reasons, SpanLabels
from ..models.windows import token_features
from ..task import NONE
from ..votes import Gold, Votes
from .correction import Correction, fit_correction, softmax
from .decode import choose
from .evidence import evidence
from .span_review import TRAINING_TOKENS
from .tags import soft_tags, span_log_odds
from .token_model import TokenModel, fold_of

_DECIDED = 8.0
_HEARD = 4.0
"""How much larger the token model's columns are: it is trusted on little evidence."""
_FLOOR = 0.01


class Teacher:
    """Learns from decisions on some documents, corrects the labels of all; shard by shard.

    rounds: how often token model and correction are fitted in turn. max_tokens: the token model
    learns from the first shards, up to so many tokens. seed: of the token model.

    Fitted: ``correction_`` (None: nothing was decided), ``tokens_`` (None: too few documents).
    """

    def __init__(
        self, *, rounds: int = 3, max_tokens: int = TRAINING_TOKENS, seed: int = 0
    ) -> None:
        self.rounds, self.max_tokens, self.seed = rounds, max_tokens, seed

    def fit(
        self,
        labels: Sequence[SpanLabels],
        votes: Sequence[Votes],
        shards: Sequence[Shard],
        gold: Sequence[Gold],
    ) -> Teacher:
        """Learn from the decisions in ``gold``, one of each a shard."""
        self.correction_: Correction | None = None
        self.tokens_: TokenModel | None = None
        lessons = []
        size = 0
        for i in range(len(shards)):
            lesson = _Lesson(labels[i], votes[i], shards[i], gold[i])
            if lesson.decided.any() or size < self.max_tokens:
                lessons.append(lesson)
                size += len(shards[i].starts)
        if not any(lesson.decided.any() for lesson in lessons):
            return self
        for _ in range(self.rounds):
            self.tokens_ = self._fit_tokens(lessons)
            rows = [lesson.evidence(self.tokens_) for lesson in lessons]
            self.correction_ = fit_correction(
                sparse.vstack(rows, format="csr"),
                np.concatenate([lesson.offset for lesson in lessons]),
                np.concatenate([lesson.truth for lesson in lessons]),
            )
            for lesson in lessons:
                lesson.learn(self.correction_, self.tokens_)
        return self

    def _fit_tokens(self, lessons: Sequence[_Lesson]) -> TokenModel | None:
        features, targets, folds, weights = (
            np.concatenate(parts)
            for parts in zip(*(lesson.training() for lesson in lessons), strict=True)
        )
        if len(np.unique(folds)) < 2:
            return None
        return TokenModel(seed=self.seed).fit(features, targets, folds, weights)

    def apply(self, labels: SpanLabels, votes: Votes, shard: Shard, gold: Gold) -> SpanLabels:
        """The labels of one shard, corrected; what was decided is as it was decided."""
        if not hasattr(self, "correction_"):
            raise NotFitted("apply before fit")
        if self.correction_ is None:
            return labels
        lesson = _Lesson(labels, votes, shard, gold)
        lesson.learn(self.correction_, self.tokens_)
        return choose(lesson.labels, lesson.probability)


class _Lesson:
    """One shard as the teacher sees it.

    truth: (C,) what was decided, see ``decided_truth``. probability: (C, K + 1) so far, column 0
    "no entity".
    """

    def __init__(self, labels: SpanLabels, votes: Votes, shard: Shard, gold: Gold) -> None:
        self.labels = with_decided(labels, gold)
        self.shard = shard
        self.truth = decided_truth(self.labels, gold)
        self.decided = self.truth >= 0
        self.offset = _log_probability(self.labels)
        self.probability = self._certain(np.exp(self.offset))
        self._start = shard.indptr[self.labels.document] + self.labels.start
        self._end = shard.indptr[self.labels.document] + self.labels.end
        self._fold = np.repeat(fold_of(shard.ids), shard.n_tokens)
        self._features = token_features(shard)
        self._seen = evidence(self.labels, votes, shard)

    def training(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Features, soft tags, folds and weights of the shard's tokens; decided ones weigh more."""
        current = replace(self.labels, probability=self.probability[:, 1:])
        weights = np.ones(len(self._features))
        for i in np.flatnonzero(self.decided).tolist():
            weights[self._start[i] : self._end[i]] = _DECIDED
        return self._features, soft_tags(current, self.shard.indptr), self._fold, weights

    def evidence(self, tokens: TokenModel | None) -> sparse.csr_matrix:
        """(C, columns) what is seen of each candidate, and what the token model makes of it."""
        if tokens is None:
            return self._seen
        odds = span_log_odds(tokens.predict(self._features, self._fold), self._start, self._end)
        belief = softmax(np.column_stack([np.zeros(len(odds)), odds]))[:, 1:]
        both = [self._seen, sparse.csr_matrix(_HEARD * belief)]
        return sparse.csr_matrix(sparse.hstack(both, format="csr"))

    def learn(self, correction: Correction, tokens: TokenModel | None) -> None:
        """Take over what the correction says; what was decided stays certain."""
        corrected = correction.apply(self.evidence(tokens), self.offset)
        self.probability = self._certain(corrected)

    def _certain(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        result = probability.copy()
        result[self.decided] = np.eye(result.shape[1])[self.truth[self.decided]]
        return result


def decided_truth(labels: SpanLabels, gold: Gold) -> NDArray[np.int64]:
    """(C,) -1 undecided, 0 decided to be no entity, 1 + k decided to be one with label k.

    What overlaps a gold span, or lies in a document known in full, is decided too.
    """
    known: dict[tuple[int, int, int], int] = {}
    taken: dict[int, list[tuple[int, int]]] = {}
    columns = (gold.document, gold.start, gold.end, gold.label)
    for d, s, e, k in zip(*(column.tolist() for column in columns), strict=True):
        known[d, s, e] = max(known.get((d, s, e), 0), k + 1)
        if k != NONE:
            taken.setdefault(d, []).append((s, e))
    complete = set(gold.complete.tolist())
    truth = np.full(len(labels), -1, dtype=np.int64)
    touched = np.union1d(gold.document, gold.complete)
    for i in np.flatnonzero(np.isin(labels.document, touched)).tolist():
        d, s, e = int(labels.document[i]), int(labels.start[i]), int(labels.end[i])
        if (d, s, e) in known:
            truth[i] = known[d, s, e]
        elif d in complete or any(s < b and e > a for a, b in taken.get(d, ())):
            truth[i] = 0
    return truth


def with_decided(labels: SpanLabels, gold: Gold) -> SpanLabels:
    """The candidates, and those gold spans that are not among them, with probability 0."""
    known = set(
        zip(labels.document.tolist(), labels.start.tolist(), labels.end.tolist(), strict=True)
    )
    fresh = sorted(
        {
            (d, s, e)
            for d, s, e, k in zip(
                gold.document.tolist(),
                gold.start.tolist(),
                gold.end.tolist(),
                gold.label.tolist(),
                strict=True,
            )
            if k != NONE
        }
        - known
    )
    if not fresh:
        return labels
    added = np.asarray(fresh, dtype=np.int64)
    columns = {
        "document": np.concatenate([labels.document, added[:, 0]]),
        "start": np.concatenate([labels.start, added[:, 1].astype(np.int32)]),
        "end": np.concatenate([labels.end, added[:, 2].astype(np.int32)]),
        "probability": np.vstack(
            [labels.probability, np.zeros((len(added), labels.probability.shape[1]))]
        ),
        "chosen": np.concatenate([labels.chosen, np.full(len(added), NONE, dtype=np.int16)]),
        "layer": np.concatenate([labels.layer, np.zeros(len(added), dtype=np.int8)]),
    }
    order = np.lexsort([columns["end"], columns["start"], columns["document"]])
    reasons = None if labels.reasons is None else _reordered(labels.reasons, order)
    return replace(labels, reasons=reasons, **{name: c[order] for name, c in columns.items()})


def _reordered(reasons: Reasons, order: NDArray[np.int64]) -> Reasons:
    """Reasons of items in a new order; items beyond the old ones have none."""
    known = len(reasons.indptr) - 1
    kept = reasons.select(order[order < known])
    lengths = np.zeros(len(order), dtype=np.int64)
    lengths[order < known] = np.diff(kept.indptr)
    return replace(kept, indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def _log_probability(labels: SpanLabels) -> NDArray[np.float64]:
    """(C, K + 1) log-probabilities, floored: a sure label model can still be corrected."""
    none = 1 - labels.probability.sum(axis=1, keepdims=True)
    logs: NDArray[np.float64] = np.log(np.clip(np.hstack([none, labels.probability]), _FLOOR, 1))
    return logs
