"""Span labels that look wrong: cleanlab's token scores raised to entities, with a suggestion."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..labels import SpanLabels
from ..models.windows import shape_of
from ..task import NONE
from ..votes import Votes
from .suspects import ISSUES, Suspects
from .tags import Spans, chosen_spans, spans_of, tags_of

_DOUBT, _MISSED, _SPURIOUS, _TYPE, _BOUNDARY = (
    ISSUES.index(name) for name in ("doubt", "missed", "spurious", "wrong type", "wrong boundary")
)


def token_quality(
    tags: NDArray[np.int64], probabilities: NDArray[np.float64], indptr: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(T,) cleanlab's score of each tag (normalized margin): 1 fits the model, 0 does not.

    tags: (T,). probabilities: (T, C) by a model that has not seen them. indptr: (D+1,).
    """
    from cleanlab.token_classification.rank import get_label_quality_scores

    cuts = indptr[np.flatnonzero(np.diff(indptr))]
    if not len(cuts):
        return np.zeros(0)
    _, scores = get_label_quality_scores(
        [part.tolist() for part in np.split(tags, cuts[1:])],
        np.split(probabilities, cuts[1:]),
        token_score_method="normalized_margin",
    )
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in scores])


def entity_quality(
    quality: NDArray[np.float64], tags: NDArray[np.int64], given: Spans, predicted: Spans
) -> NDArray[np.float64]:
    """(T,) token scores in which the tokens of an entity share their mean.

    An entity is right or wrong as one, and a single odd word in it is weak evidence. What the model
    finds where nothing is labelled counts as one entity too.
    """
    shared = quality.copy()
    sums = np.concatenate([[0.0], np.cumsum(quality)])
    labelled = np.concatenate([[0], np.cumsum(tags > 0)])
    fresh = labelled[predicted.end] == labelled[predicted.start]
    for spans, keep in ((predicted, fresh), (given, np.ones(len(given), dtype=bool))):
        for start, end in zip(spans.start[keep].tolist(), spans.end[keep].tolist(), strict=True):
            shared[start:end] = (sums[end] - sums[start]) / (end - start)
    return shared


def span_suspects(
    shard: Shard,
    labels: SpanLabels,
    votes: Votes,
    probabilities: NDArray[np.float64],
    number: int = 0,
) -> Suspects:
    """Every place of a shard where something is labelled, was voted for, or was missed.

    probabilities: (T, 1 + 2K) by an out-of-fold token model. number: of the shard.
    """
    given = chosen_spans(labels, shard.indptr)
    tags = tags_of(given, len(shard.starts))
    predicted = spans_of(probabilities.argmax(axis=1), shard.indptr)
    quality = token_quality(tags, probabilities, shard.indptr)
    quality = entity_quality(quality, tags, given, predicted)
    start, end, row = _places(labels, shard.indptr, predicted)
    label = np.where(row >= 0, labels.chosen[row].astype(np.int64), NONE)
    sums = np.concatenate([[0.0], np.cumsum(quality)])
    document = np.searchsorted(shard.indptr, start, side="right") - 1
    base = shard.indptr[document]
    posterior = _posterior(labels, row)
    guess = _guesses(start, end, label, posterior, predicted)
    disagreement, pattern = _voting(votes, document, start - base, end - base)
    asked = np.stack([guess[:, 3], label + 1, guess[:, 2] + 1], axis=1)
    stands = posterior[np.arange(len(row)), label + 1]
    ordered = np.sort(posterior, axis=1)
    entropy = -np.sum(posterior * np.log(np.clip(posterior, 1e-12, 1)), axis=1)
    return Suspects(
        np.full(len(row), number, dtype=np.int64),
        document,
        start - base,
        end - base,
        label,
        guess[:, 3],
        guess[:, 0] - base,
        guess[:, 1] - base,
        guess[:, 2],
        (sums[end] - sums[start]) / (end - start),
        1 - stands,
        ordered[:, -1] - ordered[:, -2],
        entropy,
        disagreement,
        np.column_stack([pattern, place_groups(shard, start, end, asked)]),
    )


def _places(
    labels: SpanLabels, indptr: NDArray[np.int64], predicted: Spans
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Extents that do not overlap, and the candidate behind each, -1 for the token model's own.

    Chosen spans first, then the likeliest of the other candidates, then what the model finds.
    """
    base = indptr[labels.document]
    starts, ends = base + labels.start, base + labels.end
    likely = labels.probability.sum(axis=1)
    first = (labels.chosen != NONE) & (labels.layer == 0)
    order = np.lexsort([starts, -likely, ~first])
    taken = np.zeros(int(indptr[-1]), dtype=bool)
    places: list[tuple[int, int, int]] = []
    for i in order.tolist():
        if not taken[starts[i] : ends[i]].any():
            taken[starts[i] : ends[i]] = True
            places.append((int(starts[i]), int(ends[i]), i))
    for s, e in zip(predicted.start.tolist(), predicted.end.tolist(), strict=True):
        if not taken[s:e].any():
            places.append((s, e, -1))
    table = np.asarray(sorted(places), dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _posterior(labels: SpanLabels, row: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N, 1 + K) the label model's probabilities; for places it never saw: surely none."""
    result = np.zeros((len(row), 1 + len(labels.task.labels)))
    known = row >= 0
    result[known, 1:] = labels.probability[row[known]]
    result[:, 0] = np.clip(1 - result[:, 1:].sum(axis=1), 0, 1)
    return result


def _guesses(
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    label: NDArray[np.int64],
    posterior: NDArray[np.float64],
    predicted: Spans,
) -> NDArray[np.int64]:
    """(N, 4) start, end, label and issue of the suggestion at each place."""
    best = posterior[:, 1:].argmax(axis=1)
    first = np.searchsorted(predicted.end, start, side="right")
    rows = np.empty((len(start), 4), dtype=np.int64)
    for i, (s, e, k, p) in enumerate(
        zip(start.tolist(), end.tolist(), label.tolist(), first.tolist(), strict=True)
    ):
        found = None
        while p < len(predicted) and predicted.start[p] < e:
            shared = min(e, int(predicted.end[p])) - max(s, int(predicted.start[p]))
            if found is None or shared > found[0]:
                found = (
                    shared,
                    int(predicted.start[p]),
                    int(predicted.end[p]),
                    int(predicted.label[p]),
                )
            p += 1
        if found is None:
            rows[i] = (s, e, NONE, _SPURIOUS) if k != NONE else (s, e, int(best[i]), _DOUBT)
        elif k == NONE:
            rows[i] = (*found[1:], _MISSED)
        elif found[1:3] != (s, e):
            rows[i] = (*found[1:], _BOUNDARY)
        else:
            rows[i] = (*found[1:], _TYPE if found[3] != k else _DOUBT)
    return rows


def _voting(
    votes: Votes, document: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N,) entropy of what was voted on each place, over its maximum, and the pattern of votes."""
    from ..kernels.overlaps import overlap_pairs

    bounds = np.searchsorted(document, np.arange(votes.n_documents + 1))
    pairs = overlap_pairs(bounds, start, end, votes.indptr, votes.start, votes.end)
    c, v = pairs[:, 0], pairs[:, 1]
    exact = (start[c] == votes.start[v]) & (end[c] == votes.end[v])
    outcome = 2 * votes.label[v].astype(np.int64) + exact
    n_outcomes = 2 * len(votes.task.vote_labels)
    counts = np.zeros((len(start), n_outcomes))
    np.add.at(counts, (c, outcome), 1.0)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    entropy = np.abs(np.sum(share * np.log(np.clip(share, 1e-12, 1)), axis=1))
    entropy /= np.log(n_outcomes)
    code = votes.source[v].astype(np.uint64) * np.uint64(n_outcomes) + outcome.astype(np.uint64)
    mixed = (code + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(31)
    pattern = np.zeros(len(start), dtype=np.uint64)
    np.add.at(pattern, c, mixed)
    return entropy, pattern.astype(np.int64)


def place_groups(
    shard: Shard, start: NDArray[np.int64], end: NDArray[np.int64], asked: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(N, 6) numbers of what places share: text, shape, neighbours, their shapes, the question.

    asked: (N, 3) issue, label and suggestion.
    """
    lower = [word.lower() for word in shard.lexemes]
    shapes = [shape_of(word) for word in shard.lexemes]
    words = shard.token_ids.tolist()
    document = np.searchsorted(shard.indptr, start, side="right") - 1
    first, stop = shard.indptr[document].tolist(), shard.indptr[document + 1].tolist()
    rows = np.empty((len(start), 6), dtype=np.int64)
    for i, (s, e, question) in enumerate(
        zip(start.tolist(), end.tolist(), asked.tolist(), strict=True)
    ):
        before = words[s - 1] if s > first[i] else None
        after = words[e] if e < stop[i] else None
        shape = " ".join(shapes[w] for w in words[s : min(e, s + 4)])
        around = ["" if w is None else shapes[w] for w in (before, after)]
        rows[i] = [
            _number(" ".join(lower[w] for w in words[s:e])),
            _number(f"{shape}|{question[1]}"),
            _number("^" if before is None else lower[before]),
            _number("$" if after is None else lower[after]),
            _number("|".join([*around, shape])),
            _number(str(question)),
        ]
    return rows


def _number(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
