"""Spans as token tags and back: 0 outside, 1 + 2k begins a span of label k, 2 + 2k continues it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..labels import SpanLabels


@dataclass(frozen=True)
class Spans:
    """S spans on the tokens of a shard, counted through all its documents; end exclusive."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)


def chosen_spans(labels: SpanLabels, indptr: NDArray[np.int64]) -> Spans:
    """The labelled spans of the outermost layer."""
    rows = labels.labelled[labels.layer[labels.labelled] == 0]
    base = indptr[labels.document[rows]]
    return Spans(
        base + labels.start[rows], base + labels.end[rows], labels.chosen[rows].astype(np.int64)
    )


def tags_of(spans: Spans, n_tokens: int) -> NDArray[np.int64]:
    """(T,) tags of spans that do not overlap."""
    tags = np.zeros(n_tokens, dtype=np.int64)
    lengths = spans.end - spans.start
    label = np.repeat(spans.label, lengths)
    tags[_positions(spans.start, lengths)] = 2 + 2 * label
    tags[spans.start] = 1 + 2 * spans.label
    return tags


def spans_of(tags: NDArray[np.int64], indptr: NDArray[np.int64]) -> Spans:
    """The spans of tags; a continuation of nothing, or of another label, begins a span."""
    kind = (tags + 1) // 2
    first = np.zeros(len(tags) + 1, dtype=bool)
    first[indptr] = True
    previous = np.concatenate([[0], kind[:-1]]) if len(kind) else kind
    begins = (tags > 0) & ((tags % 2 == 1) | (kind != previous) | first[:-1])
    start = np.flatnonzero(begins)
    breaks = np.concatenate([begins | (tags == 0) | first[:-1], [True]])
    ends = np.flatnonzero(breaks)
    end = ends[np.searchsorted(ends, start, side="right")]
    return Spans(start, end, kind[start] - 1)


def soft_tags(labels: SpanLabels, indptr: NDArray[np.int64]) -> NDArray[np.float64]:
    """(T, 1 + 2K) the tag probabilities that the candidates' probabilities imply."""
    n_labels = len(labels.task.labels)
    targets = np.zeros((int(indptr[-1]), 1 + 2 * n_labels))
    start = indptr[labels.document] + labels.start
    lengths = (labels.end - labels.start).astype(np.int64)
    for k in range(n_labels):
        p = labels.probability[:, k]
        np.add.at(targets[:, 1 + 2 * k], start, p)
        inside = _positions(start, lengths)
        column = targets[:, 2 + 2 * k]
        np.add.at(column, inside, np.repeat(p, lengths))
        np.subtract.at(column, start, p)
    np.clip(targets, 0, None, out=targets)
    total = targets.sum(axis=1, keepdims=True)
    targets /= np.maximum(total, 1)
    targets[:, 0] = 1 - targets.sum(axis=1)
    return np.clip(targets, 0, 1)


def span_log_odds(
    probabilities: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(C, K) mean log-odds over a span's tokens, and the one behind it, that it has label k.

    The tags are taken as independent, so that this is evidence, not a probability.
    """
    logs = np.log(np.clip(probabilities, 1e-4, 1))
    sums = np.concatenate([np.zeros((1, logs.shape[1])), np.cumsum(logs, axis=0)])
    n_labels = (probabilities.shape[1] - 1) // 2
    outside = sums[end, 0] - sums[start, 0]
    result = np.empty((len(start), n_labels))
    behind = np.minimum(end, len(logs) - 1)
    for k in range(n_labels):
        inside = sums[end, 2 + 2 * k] - sums[start + 1, 2 + 2 * k] + logs[start, 1 + 2 * k]
        stops = np.log(np.clip(1 - probabilities[behind, 2 + 2 * k], 1e-4, 1))
        result[:, k] = (inside - outside + stops) / (end - start)
    return result


def _positions(start: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(start, lengths) + np.arange(int(lengths.sum())) - offsets
