"""Distinct vote patterns: which documents have the same votes, found by a 128-bit hash."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]


@njit(cache=True, nogil=True)
def _mix(key: np.uint64, value: np.uint64) -> np.uint64:
    """One round of splitmix64 (Steele, Lea & Flood 2014): every bit of both goes into the key."""
    key = (key ^ value) + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@njit(cache=True, nogil=True)
def symbols_and_levels(
    source: NDArray[np.int32],
    label: NDArray[np.int16],
    confidence: NDArray[np.float32],
    ranks: Ints,
    n_labels: int,
    full: int,
) -> tuple[Ints, Ints]:
    """(V,) ``rank of the source * L + label`` and confidence in ``full`` steps, at least one."""
    symbols = np.empty(len(source), np.int64)
    levels = np.empty(len(source), np.int64)
    for v in range(len(source)):
        symbols[v] = ranks[source[v]] * n_labels + label[v]
        levels[v] = max(np.rint(confidence[v] * full), 1.0)
    return symbols, levels


@njit(cache=True, nogil=True)
def hash_rows(indptr: Ints, symbols: Ints, levels: Ints, known: Ints) -> Keys:
    """(P, 2) uint64 keys of P rows of votes; equal rows have equal keys, and nothing else has.

    indptr: (P+1,). symbols, levels: (V,) sorted within a row. known: (P,) gold label or -1.
    """
    n_rows = len(indptr) - 1
    keys = np.empty((n_rows, 2), np.uint64)
    for i in range(n_rows):
        first = np.uint64(known[i] + 1)
        second = ~first
        for v in range(indptr[i], indptr[i + 1]):
            value = np.uint64(symbols[v]) * np.uint64(32) + np.uint64(levels[v])
            first = _mix(first, value)
            second = _mix(second, ~value)
        keys[i, 0], keys[i, 1] = first, second
    return keys


@njit(cache=True, nogil=True)
def number_keys(
    slots: NDArray[np.int32], known: Keys, n_known: int, keys: Keys, group: Ints
) -> int:
    """Number keys in order of first occurrence; returns how many are known then.

    slots: (2^b,) numbers of known keys at the place of their hash or after it, -1 where none is;
    more than half of them must stay free. known: (capacity, 2), the first n_known are filled, and
    new keys are appended. group: (P,) gets the number of each key.
    """
    mask = np.uint64(len(slots) - 1)
    for i in range(len(keys)):
        slot = np.int64(keys[i, 0] & mask)
        while True:
            g = slots[slot]
            if g < 0:
                slots[slot] = g = n_known
                known[g, 0], known[g, 1] = keys[i, 0], keys[i, 1]
                n_known += 1
                break
            if known[g, 0] == keys[i, 0] and known[g, 1] == keys[i, 1]:
                break
            slot = (slot + 1) & np.int64(mask)
        group[i] = g
    return n_known


@njit(cache=True, nogil=True)
def sort_rows(indptr: Ints, symbols: Ints, levels: Ints) -> None:
    """Sort the votes of each row by symbol, then level, in place (rows are short)."""
    for i in range(len(indptr) - 1):
        for v in range(indptr[i] + 1, indptr[i + 1]):
            symbol, level = symbols[v], levels[v]
            w = v - 1
            while w >= indptr[i] and (
                symbols[w] > symbol or (symbols[w] == symbol and levels[w] > level)
            ):
                symbols[w + 1], levels[w + 1] = symbols[w], levels[w]
                w -= 1
            symbols[w + 1], levels[w + 1] = symbol, level


@njit(cache=True, nogil=True)
def share_levels(indptr: Ints, sources: Ints, levels: Ints, full: int) -> None:
    """One source has one voice per row: where its levels sum to more than ``full``, scale them.

    levels: (V,) in place; never below 1. sources: (V,), equal ones adjacent within a row.
    """
    for i in range(len(indptr) - 1):
        low = indptr[i]
        while low < indptr[i + 1]:
            high, total = low, 0
            while high < indptr[i + 1] and sources[high] == sources[low]:
                total += levels[high]
                high += 1
            if total > full:
                for v in range(low, high):
                    levels[v] = max(1, levels[v] * full // total)
            low = high
