"""Tokens that meet a condition -> spans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def runs(
    hit: NDArray[np.bool_], indptr: NDArray[np.int64], *, merge: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Maximal runs of hits (T,) within documents as (document, start, end), tokens, each (n,).

    Without ``merge`` each hit is a span of its own.
    """
    at = np.flatnonzero(hit)
    document = np.searchsorted(indptr, at, side="right") - 1
    if not merge or not len(at):
        return document, at - indptr[document], at - indptr[document] + 1
    fresh = np.ones(len(at), dtype=bool)
    fresh[1:] = (at[1:] != at[:-1] + 1) | (document[1:] != document[:-1])
    first = np.flatnonzero(fresh)
    length = np.diff(np.append(first, len(at)))
    document = document[first]
    start = at[first] - indptr[document]
    return document, start, start + length


def bridge(
    hit: NDArray[np.bool_], gap: NDArray[np.bool_], indptr: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Hits (T,), and each gap token right between two of them in one document."""
    if len(hit) < 3:
        return hit
    between = np.zeros(len(hit), dtype=bool)
    between[1:-1] = hit[:-2] & hit[2:] & gap[1:-1]
    edges = indptr[(indptr > 0) & (indptr < len(hit))]
    between[edges] = False
    between[edges - 1] = False
    between |= hit
    return between
