"""From how likely on a span should be accepted: the threshold that maximises expected F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels import lattice as kernel
from ..kernels.lattice import Lattice


def best_threshold(
    lattice: Lattice, times: NDArray[np.float64], candidates: NDArray[np.float64]
) -> float:
    """Half of the best expected F1 (Lipton et al. 2014, doi:10.1007/978-3-662-44851-9_15).

    candidates: (C, K) posterior; times: (P,) how often each cluster occurs. Solved by iteration,
    from 0.4: the threshold gives a choice, the choice an expected F1, and half of that is next.
    """
    count = np.repeat(times, np.diff(lattice.cand_ptr))
    best = candidates.max(axis=1, initial=0.0)
    expected = float((candidates.sum(axis=1) * count).sum())
    threshold = 0.4
    for _ in range(20):
        chosen = kernel.choose(lattice, best - threshold)
        hits = float((best * count)[chosen].sum())
        f1 = 2 * hits / max(float(count[chosen].sum()) + expected, 1e-12)
        if abs(f1 / 2 - threshold) < 1e-9:
            break
        threshold = f1 / 2
    return float(min(max(threshold, 0.05), 0.5))
