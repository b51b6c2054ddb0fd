"""What decisions teach about the rest: a correction of the label model's probabilities.

The label model says how likely each candidate is; a reviewer's decisions show where it errs. The
correction is a softmax regression whose offset is the label model's log-probability and whose
Gaussian prior is "no correction", so that without decisions nothing changes. Its evidence: who
voted what, exactly or overlapping; the words; and an out-of-fold token model trained on the labels
with the decisions in them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..corpus import Shard
from ..labels import SpanLabels
from ..task import NONE
from ..votes import Gold, Votes
from ..models.windows import shape_of, token_features
from .tags import soft_tags, span_log_odds
from .token_model import TokenModel, fold_of

_WORDS = 1 << 16
_DECIDED = 8.0


@dataclass(frozen=True)
class Correction:
    """A fitted correction. weights: (columns, K + 1); column 0 of its output is "no entity"."""

    weights: NDArray[np.float64]

    def apply(
        self, evidence: sparse.csr_matrix, offset: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(C, K + 1) corrected probabilities."""
        return _softmax(offset + evidence @ self.weights)


def taught(
    labels: SpanLabels,
    votes: Votes,
    shard: Shard,
    gold: Gold,
    *,
    rounds: int = 2,
    seed: int = 0,
) -> SpanLabels:
    """The labels of a shard after the decisions in ``gold``; without decisions, as they were."""
    truth = decided_labels(labels, gold)
    if not np.any(truth >= 0):
        return labels
    features = token_features(shard)
    fold = np.repeat(fold_of(shard.ids), shard.n_tokens)
    offset = _offset(labels)
    base = evidence(labels, votes, shard)
    probability = _softmax(offset)
    for _ in range(rounds):
        current = _with_truth(probability, truth)
        token = _token_evidence(labels, shard, features, fold, current, truth, seed)
        rows = sparse.hstack([base, token], format="csr")
        correction = fit_correction(rows, offset, truth)
        probability = correction.apply(rows, offset)
    return choose(labels, _with_truth(probability, truth), truth)


def decided_labels(labels: SpanLabels, gold: Gold) -> NDArray[np.int64]:
    """(C,) -1 undecided, 0 decided to be no entity, 1 + k decided to be one with label k."""
    known: dict[tuple[int, int, int], int] = {}
    taken: dict[int, list[tuple[int, int]]] = {}
    for d, s, e, k in zip(
        gold.document.tolist(), gold.start.tolist(), gold.end.tolist(), gold.label.tolist(), strict=True
    ):
        known[d, s, e] = max(known.get((d, s, e), 0), k + 1)
        if k != NONE:
            taken.setdefault(d, []).append((s, e))
    complete = set(gold.complete.tolist())
    truth = np.full(len(labels), -1, dtype=np.int64)
    rows = np.flatnonzero(np.isin(labels.document, list({*taken, *complete, *(d for d, _, _ in known)})))
    for i in rows.tolist():
        d, s, e = int(labels.document[i]), int(labels.start[i]), int(labels.end[i])
        if (d, s, e) in known:
            truth[i] = known[d, s, e]
        elif d in complete or any(s < b and e > a for a, b in taken.get(d, ())):
            truth[i] = 0
    return truth


def evidence(labels: SpanLabels, votes: Votes, shard: Shard) -> sparse.csr_matrix:
    """(C, columns) binary: who voted what on each candidate, and its words."""
    from ..kernels.overlaps import overlap_pairs

    document = np.arange(labels.n_documents + 1)
    pairs = overlap_pairs(
        np.searchsorted(labels.document, document),
        labels.start,
        labels.end,
        votes.indptr,
        votes.start,
        votes.end,
    )
    c, v = pairs[:, 0], pairs[:, 1]
    exact = (labels.start[c] == votes.start[v]) & (labels.end[c] == votes.end[v])
    n_outcomes = 2 * len(votes.task.vote_labels)
    column = votes.source[v] * n_outcomes + 2 * votes.label[v] + exact
    who = sparse.csr_matrix(
        (np.ones(len(c)), (c, column)), shape=(len(labels), votes.n_sources * n_outcomes)
    )
    who.data[:] = 1
    return sparse.hstack([who, _word_evidence(labels, shard)], format="csr")


def _word_evidence(labels: SpanLabels, shard: Shard) -> sparse.csr_matrix:
    rows: list[int] = []
    columns: list[int] = []
    tokens: list[str] = []
    document = -1
    for i in range(len(labels)):
        if labels.document[i] != document:
            document = int(labels.document[i])
            tokens = shard.tokens(document)
        s, e = int(labels.start[i]), int(labels.end[i])
        before = tokens[s - 1].lower() if s else "^"
        after = tokens[e].lower() if e < len(tokens) else "$"
        span = tokens[s:e]
        names = [
            "s=" + " ".join(span).lower(),
            "f=" + span[0].lower(),
            "l=" + span[-1].lower(),
            "h=" + " ".join(shape_of(w) for w in span[:4]),
            "b=" + before,
            "a=" + after,
            f"n={min(len(span), 5)}",
            "c=" + shape_of(before) + "_" + shape_of(after) + "_" + str(s == 0),
            "",
        ]
        rows += [i] * len(names)
        columns += [zlib.crc32(n.encode("utf-8", "surrogatepass")) % _WORDS for n in names]
    data = np.ones(len(rows))
    return sparse.csr_matrix((data, (rows, columns)), shape=(len(labels), _WORDS))


def _token_evidence(
    labels: SpanLabels,
    shard: Shard,
    features: NDArray[np.int32],
    fold: NDArray[np.int64],
    probability: NDArray[np.float64],
    truth: NDArray[np.int64],
    seed: int,
) -> sparse.csr_matrix:
    """(C, K) the token model's log-odds, squashed, times a gain that lets it be trusted soon."""
    current = replace(labels, probability=probability[:, 1:])
    targets = soft_tags(current, shard.indptr)
    weights = np.ones(len(targets))
    start = shard.indptr[labels.document] + labels.start
    for i in np.flatnonzero(truth >= 0).tolist():
        weights[start[i] : start[i] + labels.end[i] - labels.start[i]] = _DECIDED
    model = TokenModel(seed=seed).fit(features, targets, fold, weights)
    tokens = model.predict(features, fold)
    odds = span_log_odds(tokens, start, start + labels.end - labels.start)
    return sparse.csr_matrix(np.clip(odds, -6, 6))


def fit_correction(
    rows: sparse.csr_matrix,
    offset: NDArray[np.float64],
    truth: NDArray[np.int64],
    penalty: float = 0.5,
) -> Correction:
    """Maximum a posteriori, by L-BFGS; only columns that a decided candidate has can move."""
    from scipy.optimize import minimize

    decided = np.flatnonzero(truth >= 0)
    x = rows[decided]
    active = np.unique(x.indices)
    x = x[:, active]
    target = np.eye(offset.shape[1])[truth[decided]]
    base = offset[decided]
    shape = (len(active), offset.shape[1])

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(shape)
        p = _softmax(base + x @ w)
        loss = -np.sum(target * np.log(np.clip(p, 1e-12, 1))) + penalty / 2 * np.sum(w * w)
        return float(loss), (x.T @ (p - target) + penalty * w).ravel()

    found = minimize(objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights = np.zeros((rows.shape[1], offset.shape[1]))
    weights[active] = found.x.reshape(shape)
    return Correction(weights)


def choose(
    labels: SpanLabels, probability: NDArray[np.float64], truth: NDArray[np.int64]
) -> SpanLabels:
    """Labels decoded anew: of overlapping candidates the set with the highest summed log-odds."""
    odds = np.log(np.clip(probability, 1e-9, 1))
    best = odds[:, 1:].argmax(axis=1)
    gain = odds[np.arange(len(odds)), 1 + best] - odds[:, 0]
    chosen = np.full(len(labels), NONE, dtype=np.int16)
    bounds = np.searchsorted(labels.document, np.arange(labels.n_documents + 1))
    for d in range(labels.n_documents):
        rows = [i for i in range(bounds[d], bounds[d + 1]) if gain[i] > 0]
        for i in _best_set(rows, labels, gain):
            chosen[i] = best[i]
    return replace(
        labels,
        probability=probability[:, 1:],
        chosen=chosen,
        layer=np.zeros(len(labels), dtype=np.int8),
    )


def _best_set(rows: list[int], labels: SpanLabels, gain: NDArray[np.float64]) -> list[int]:
    rows = sorted(rows, key=lambda i: int(labels.end[i]))
    best: list[tuple[float, int, bool]] = []
    total = [0.0]
    back: list[int] = []
    for n, i in enumerate(rows):
        before = n
        while before and labels.end[rows[before - 1]] > labels.start[i]:
            before -= 1
        take = total[before] + float(gain[i])
        best.append((take, before, take > total[n]))
        total.append(max(take, total[n]))
    n = len(rows)
    while n:
        _, before, taken = best[n - 1]
        if taken:
            back.append(rows[n - 1])
            n = before
        else:
            n -= 1
    return back


def _offset(labels: SpanLabels) -> NDArray[np.float64]:
    none = 1 - labels.probability.sum(axis=1, keepdims=True)
    return np.log(np.clip(np.hstack([none, labels.probability]), 0.01, 1))


def _with_truth(
    probability: NDArray[np.float64], truth: NDArray[np.int64]
) -> NDArray[np.float64]:
    result = probability.copy()
    decided = truth >= 0
    result[decided] = np.eye(probability.shape[1])[truth[decided]]
    return result


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    normal: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
    return normal
