"""From how likely on a span should be accepted: the threshold that maximises expected F1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels import lattice as kernel
from ..kernels.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Judged:
    """Clusters with the posterior (C, K) of their candidates, and how often each occurs, (P,)."""

    lattice: Lattice
    times: NDArray[np.float64]
    candidates: NDArray[np.float64]


def best_threshold(parts: Sequence[Judged]) -> float:
    """Half of the best expected F1 (Lipton et al. 2014, doi:10.1007/978-3-662-44851-9_15).

    Solved by iteration, from 0.4: the threshold gives a choice, the choice an expected F1, and half
    of that is next. Sums are exact, so it is the same however the clusters are cut into parts.
    """
    counts = [np.repeat(part.times, np.diff(part.lattice.cand_ptr)) for part in parts]
    best = [part.candidates.max(axis=1, initial=0.0) for part in parts]
    expected = _exact_sum(
        part.candidates * count[:, None] for part, count in zip(parts, counts, strict=True)
    )
    threshold = 0.4
    for _ in range(20):
        chosen = [
            kernel.choose(part.lattice, gain - threshold)
            for part, gain in zip(parts, best, strict=True)
        ]
        rows = list(zip(best, counts, chosen, strict=True))
        hits = _exact_sum((gain * count)[on] for gain, count, on in rows)
        n_chosen = _exact_sum(count[on] for _, count, on in rows)
        f1 = 2 * hits / max(n_chosen + expected, 1e-12)
        if abs(f1 / 2 - threshold) < 1e-9:
            break
        threshold = f1 / 2
    return float(min(max(threshold, 0.05), 0.5))


def _exact_sum(parts: Iterable[NDArray[np.float64]]) -> float:
    return math.fsum(value for part in parts for value in part.ravel().tolist())
