"""Rows of votes put in order, and groups of rows (or columns of keys) that are alike, numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@njit(cache=True, nogil=True)
def order_ties(document: Any, rows: Any) -> Any:
    """(R,) a stable order by document and the five columns of rows (R, 5).

    For rows in order of document, start and end, save for ties: what is tied is few.
    """
    order = np.arange(len(rows))
    for i in range(1, len(rows)):
        k = i
        while k > 0 and document[order[k - 1]] == document[i]:
            before = order[k - 1]
            c = 0
            while c < 4 and rows[before, c] == rows[i, c]:
                c += 1
            if rows[before, c] <= rows[i, c]:
                break
            order[k] = before
            k -= 1
        order[k] = i
    return order


@njit(cache=True, nogil=True)
def number_groups(indptr: Any, rows: Any) -> Any:
    """(N,) numbers of groups of rows, equal where all rows are, and (P,) the first of each."""
    n = len(indptr) - 1
    which = np.empty(n, np.int64)
    first = np.empty(n, np.int64)
    slots = _slots(n)
    n_found = 0
    for i in range(n):
        low, high = indptr[i], indptr[i + 1]
        key = np.uint64(high - low)
        for r in range(low, high):
            for c in range(rows.shape[1]):
                key = _mixed(key, rows[r, c])
        at = _place(key, slots)
        while slots[at] >= 0 and not _alike(indptr, rows, first[slots[at]], i):
            at = (at + 1) % len(slots)
        if slots[at] < 0:
            slots[at], first[n_found] = n_found, i
            n_found += 1
        which[i] = slots[at]
    return which, first[:n_found].copy()


@njit(cache=True, nogil=True)
def _slots(n: Any) -> Any:
    """An empty hash table with room for n."""
    size = 16
    while size < 2 * n:
        size *= 2
    return np.full(size, -1, np.int64)


@njit(cache=True, nogil=True, inline="always")
def _mixed(key: Any, value: Any) -> Any:
    key = (key ^ np.uint64(value)) * _MIX
    return key ^ (key >> _SHIFT)


@njit(cache=True, nogil=True, inline="always")
def _place(key: Any, slots: Any) -> Any:
    return np.int64(key & np.uint64(len(slots) - 1))


@njit(cache=True, nogil=True)
def _alike(indptr: Any, rows: Any, one: Any, other: Any) -> Any:
    length = indptr[one + 1] - indptr[one]
    if indptr[other + 1] - indptr[other] != length:
        return False
    for r in range(length):
        for c in range(rows.shape[1]):
            if rows[indptr[one] + r, c] != rows[indptr[other] + r, c]:
                return False
    return True
