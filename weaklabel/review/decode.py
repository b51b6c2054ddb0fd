"""Probabilities -> chosen spans: of overlapping candidates the set with the highest log-odds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..labels import SpanLabels
from ..task import NONE


def choose(labels: SpanLabels, probability: NDArray[np.float64]) -> SpanLabels:
    """The labels with new probabilities (C, K + 1), column 0 "no entity", decoded anew, flat."""
    odds = np.log(np.clip(probability, 1e-9, 1))
    best = odds[:, 1:].argmax(axis=1)
    gain = odds[np.arange(len(odds)), 1 + best] - odds[:, 0]
    chosen = np.full(len(labels), NONE, dtype=np.int16)
    hopeful = np.flatnonzero(gain > 0)
    cuts = np.flatnonzero(np.diff(labels.document[hopeful])) + 1
    for rows in np.split(hopeful, cuts):
        for i in best_set(rows.tolist(), labels.start, labels.end, gain):
            chosen[i] = best[i]
    layer = np.zeros(len(labels), dtype=np.int8)
    return replace(labels, probability=probability[:, 1:], chosen=chosen, layer=layer)


def best_set(
    rows: list[int],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    gain: NDArray[np.float64],
) -> list[int]:
    """The rows that do not overlap and gain the most in sum (weighted interval scheduling)."""
    rows = sorted(rows, key=lambda i: (int(end[i]), i))
    total, before = [0.0], []
    for n, i in enumerate(rows):
        free = n
        while free and end[rows[free - 1]] > start[i]:
            free -= 1
        before.append(free)
        total.append(max(total[n], total[free] + float(gain[i])))
    chosen = []
    n = len(rows)
    while n:
        if total[n] > total[n - 1]:
            chosen.append(rows[n - 1])
            n = before[n - 1]
        else:
            n -= 1
    return chosen
