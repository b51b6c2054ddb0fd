"""Classes: an out-of-fold text model, cleanlab's scores and Datalab's issues -> suspects."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..labels import ClassLabels, Labels
from ..task import NONE
from ..votes import Votes
from .label_issues import class_issues, crowd_quality, set_issues
from .oddities import text_issues
from .suspects import ISSUES, Suspects
from .text_model import out_of_fold_sets, out_of_fold_texts

TRAINING_TEXTS = 100_000
"""Text model and Datalab look at the first shards, up to so many documents."""


def class_suspects_of(
    shards: Sequence[Shard], labels: Sequence[Labels], votes: Sequence[Votes], seed: int = 0
) -> Suspects:
    """Every document of a run, as far as text model and memory reach."""
    parts: list[tuple[int, ClassLabels]] = []
    cast: list[Votes] = []
    texts: list[str] = []
    for i in range(len(shards)):
        part = labels[i]
        assert isinstance(part, ClassLabels)
        parts.append((i, part))
        cast.append(votes[i])
        texts += shards[i].texts
        if len(texts) >= TRAINING_TEXTS:
            break
    every = ClassLabels.concatenate([part for _, part in parts])
    verdict = (
        _several(every, texts, seed) if every.task.multi else _single(every, texts, cast, seed)
    )
    number = np.concatenate([np.full(p.n_documents, i) for i, p in parts]).astype(np.int64)
    document = np.concatenate([np.arange(p.n_documents) for _, p in parts]).astype(np.int64)
    entropy, pattern = _voting(cast)
    return _suspects(every, texts, verdict, number, document, entropy, pattern)


@dataclass(frozen=True, eq=False)
class _Verdict:
    """What is thought of each document's label: (D,) columns of ``Suspects``.

    label: as it stands; of several, the one in doubt. issue: whether it looks wrong. lead, entropy:
    of the label model's posterior.
    """

    label: NDArray[np.int64]
    guess: NDArray[np.int64]
    issue: NDArray[np.bool_]
    quality: NDArray[np.float64]
    doubt: NDArray[np.float64]
    lead: NDArray[np.float64]
    entropy: NDArray[np.float64]


def _single(labels: ClassLabels, texts: list[str], votes: Sequence[Votes], seed: int) -> _Verdict:
    posterior, chosen = labels.probability, labels.chosen.astype(np.int64)
    probabilities = out_of_fold_texts(texts, chosen, posterior.shape[1], seed=seed)
    quality = class_quality(chosen, probabilities)
    crowd, _ = crowd_quality(votes, chosen, probabilities)
    ordered = np.sort(posterior, axis=1)
    guess = probabilities.argmax(axis=1).astype(np.int64)
    return _Verdict(
        np.where(labels.covered, chosen, NONE),
        guess,
        class_issues(chosen, probabilities) & (guess != chosen),
        np.where(np.isnan(crowd), quality, crowd),
        1 - labels.confidence,
        ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1],
        -np.sum(posterior * np.log(np.clip(posterior, 1e-12, 1)), axis=1),
    )


def _several(labels: ClassLabels, texts: list[str], seed: int) -> _Verdict:
    """A document with several labels is asked about once, for the label most in doubt."""
    posterior, sets = labels.probability, labels.chosen_sets
    issues, quality = set_issues(sets, out_of_fold_sets(texts, sets, seed=seed))
    doubt = np.minimum(posterior, 1 - posterior)
    worst = np.argmin(np.where(issues, quality - 2, quality - doubt), axis=1)
    rows = np.arange(len(worst))
    p = np.clip(posterior[rows, worst], 1e-12, 1 - 1e-12)
    flagged = issues[rows, worst]
    return _Verdict(
        worst.astype(np.int64),
        np.where(flagged, worst, NONE).astype(np.int64),
        flagged,
        quality[rows, worst],
        doubt[rows, worst],
        np.abs(2 * p - 1),
        -(p * np.log(p) + (1 - p) * np.log(1 - p)),
    )


def class_quality(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(D,) cleanlab's score of each label (self confidence): 1 fits the model, 0 does not."""
    from cleanlab.rank import get_label_quality_scores

    scores: NDArray[np.float64] = get_label_quality_scores(
        labels, probabilities, method="self_confidence"
    )
    return scores


def stacked(
    labels: NDArray[np.int64], witnesses: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(D, K) one belief from several that have not seen the labels, as far as each predicts them.

    The log-probabilities are added with weights that make the given labels likeliest; wrong labels
    are few and scattered, so a witness that knows nothing gets no weight.
    labels: (D,). witnesses: (D, K) each.
    """
    from scipy.optimize import minimize

    logs = np.stack([np.log(np.clip(witness, 1e-3, 1)) for witness in witnesses])
    rows = np.arange(len(labels))

    def belief(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.tensordot(weights, logs, axes=1)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        normal: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return normal

    def loss(weights: NDArray[np.float64]) -> float:
        return float(-np.mean(np.log(np.clip(belief(weights)[rows, labels], 1e-12, 1))))

    start = np.full(len(witnesses), 0.5)
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0, 5)] * len(witnesses))
    return belief(found.x)


def _suspects(
    labels: ClassLabels,
    texts: list[str],
    verdict: _Verdict,
    number: NDArray[np.int64],
    document: NDArray[np.int64],
    disagreement: NDArray[np.float64],
    pattern: NDArray[np.int64],
) -> Suspects:
    issue = np.where(verdict.issue, ISSUES.index("wrong class"), ISSUES.index("doubt"))
    odd = text_issues(texts)
    issue = np.where((issue == 0) & (odd >= 0), odd, issue).astype(np.int64)
    zeros = np.zeros(len(texts), dtype=np.int64)
    length = np.asarray([min(len(t.split()), 64).bit_length() for t in texts], dtype=np.int64)
    first = np.asarray([_number(" ".join(t.lower().split()[:2])) for t in texts], dtype=np.int64)
    question = (verdict.guess + 1) * len(labels.task.labels) + labels.chosen
    return Suspects(
        number,
        document,
        zeros,
        zeros,
        verdict.label,
        issue,
        zeros,
        zeros,
        verdict.guess,
        verdict.quality,
        verdict.doubt,
        verdict.lead,
        verdict.entropy,
        disagreement,
        np.column_stack([pattern, first, length, question, issue]),
    )


def _voting(shards: Sequence[Votes]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(D,) entropy of the votes on each document over its maximum, and the pattern of votes."""
    entropies, patterns = [], []
    for votes in shards:
        n_labels = len(votes.task.vote_labels)
        counts = np.zeros((votes.n_documents, n_labels))
        np.add.at(counts, (votes.document, votes.label), 1.0)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        entropy = np.abs(np.sum(share * np.log(np.clip(share, 1e-12, 1)), axis=1))
        entropies.append(entropy / np.log(max(n_labels, 2)))
        code = votes.source.astype(np.uint64) * np.uint64(n_labels) + votes.label.astype(np.uint64)
        mixed = (code + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        pattern = np.zeros(votes.n_documents, dtype=np.uint64)
        np.add.at(pattern, votes.document, mixed ^ (mixed >> np.uint64(31)))
        patterns.append(pattern.astype(np.int64))
    return np.concatenate(entropies), np.concatenate(patterns)


def _number(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
