"""Slow oracles for clusters of spans, written from the definition; they import nothing of ours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np


def segmentations(
    n_tokens: int, spans: Sequence[tuple[int, int]], n_labels: int
) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every set of (span number, label) whose spans do not overlap."""
    for size in range(n_tokens + 1):
        for chosen in itertools.combinations(range(len(spans)), size):
            pairs = itertools.combinations(chosen, 2)
            if any(spans[a][0] < spans[b][1] and spans[b][0] < spans[a][1] for a, b in pairs):
                continue
            for labels in itertools.product(range(n_labels), repeat=size):
                yield tuple(zip(chosen, labels, strict=True))


def posterior(
    n_tokens: int, spans: Sequence[tuple[int, int]], scores: np.ndarray, outside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior of (span, label), of each token outside, and log Z, by summing over all sets."""
    in_span = np.zeros(scores.shape)
    out = np.zeros(n_tokens)
    total = 0.0
    for chosen in segmentations(n_tokens, spans, scores.shape[1]):
        covered = {t for c, _ in chosen for t in range(*spans[c])}
        free = [t for t in range(n_tokens) if t not in covered]
        weight = math.exp(sum(scores[c, k] for c, k in chosen) + sum(outside[t] for t in free))
        total += weight
        for c, k in chosen:
            in_span[c, k] += weight
        out[free] += weight
    return in_span / total, out / total, math.log(total)


def best_gain(n_tokens: int, spans: Sequence[tuple[int, int]], gain: np.ndarray) -> float:
    """The highest sum of gains of spans that do not overlap."""
    one = [[c for c, _ in chosen] for chosen in segmentations(n_tokens, spans, 1)]
    return max(sum(float(gain[c]) for c in chosen) for chosen in one)


def said(
    span: tuple[int, int], votes: Sequence[tuple[int, int, int, int]], source: int, n_votes: int
) -> int | None:
    """What a source says of a span: a label, n_votes + label if it overlaps, None if silent.

    votes: (start, end, source, label), at most one of a source on each token.
    """
    best: tuple[int, int] | None = None
    for s, e, j, v in votes:
        overlap = min(e, span[1]) - max(s, span[0])
        if j != source or overlap <= 0:
            continue
        if (s, e) == span:
            return v
        if best is None or overlap > best[0]:
            best = (overlap, n_votes + v)
    return None if best is None else best[1]
