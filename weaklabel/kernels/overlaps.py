"""Which votes lie on which candidate spans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def overlap_pairs(
    candidate_indptr: Any,
    starts: Any,
    ends: Any,
    vote_indptr: Any,
    vote_starts: Any,
    vote_ends: Any,
) -> Any:
    """Pairs that share a token, document by document: (P, 2) rows (candidate, vote)."""
    total = _walk(
        candidate_indptr,
        starts,
        ends,
        vote_indptr,
        vote_starts,
        vote_ends,
        np.empty((0, 2), np.int64),
    )
    pairs = np.empty((total, 2), dtype=np.int64)
    _walk(candidate_indptr, starts, ends, vote_indptr, vote_starts, vote_ends, pairs)
    return pairs


@njit(cache=True)
def _walk(
    candidate_indptr: Any,
    starts: Any,
    ends: Any,
    vote_indptr: Any,
    vote_starts: Any,
    vote_ends: Any,
    pairs: Any,
) -> Any:
    """Count the pairs; write those for which there is room."""
    count = 0
    for d in range(len(candidate_indptr) - 1):
        low = vote_indptr[d]
        for c in range(candidate_indptr[d], candidate_indptr[d + 1]):
            for v in range(low, vote_indptr[d + 1]):
                if vote_starts[v] >= ends[c]:
                    break
                if vote_ends[v] > starts[c]:
                    if count < len(pairs):
                        pairs[count, 0] = c
                        pairs[count, 1] = v
                    count += 1
    return count
