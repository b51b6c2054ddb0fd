"""Texts as code points: where white space cuts them, and which pieces are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def _is_space(code: int) -> bool:
    """What ``str.isspace`` says."""
    if code <= 32:
        return code == 32 or 9 <= code <= 13 or 28 <= code <= 31
    if code < 0x1680:
        return code == 0x85 or code == 0xA0
    if 0x2000 <= code <= 0x202F:
        return code <= 0x200A or code == 0x2028 or code == 0x2029 or code == 0x202F
    return code == 0x1680 or code == 0x205F or code == 0x3000


@njit(cache=True)
def split(
    codes: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    classes: NDArray[np.uint8],
    glued: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The pieces of D texts between white space: bounds of each text's pieces, starts, ends.

    bounds: (D+1,) of the texts in ``codes``. classes: (65536,) of code points, the last also for
    all above. glued: (C, C): one space between characters of these classes does not cut.
    """
    indptr = np.zeros(len(bounds), np.int64)
    starts = np.empty(len(codes) // 2 + len(bounds), np.int64)
    ends = np.empty(len(codes) // 2 + len(bounds), np.int64)
    n = 0
    for d in range(len(bounds) - 1):
        i, stop = bounds[d], bounds[d + 1]
        while i < stop:
            if _is_space(codes[i]):
                i += 1
                continue
            starts[n] = i
            while i < stop:
                if _is_space(codes[i]):
                    if codes[i] != 32 or i + 1 >= stop or _is_space(codes[i + 1]):
                        break
                    left = classes[min(codes[i - 1], np.uint32(65535))]
                    right = classes[min(codes[i + 1], np.uint32(65535))]
                    if not glued[left, right]:
                        break
                i += 1
            ends[n] = i
            n += 1
        indptr[d + 1] = n
    return indptr, starts[:n].copy(), ends[:n].copy()


@njit(cache=True)
def number(
    codes: NDArray[np.uint32], starts: NDArray[Any], ends: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number pieces by what they say: (n,) ids in order of first occurrence, and those firsts."""
    ids = np.empty(len(starts), np.int32)
    first = np.empty(len(starts), np.int64)
    keys = np.empty(len(starts), np.uint64)
    size = 1 << 12
    table = np.zeros(size, np.int32)
    distinct = 0
    for n in range(len(starts)):
        low, length = starts[n], ends[n] - starts[n]
        key = np.uint64(length)
        for i in range(low, low + length):
            key = (key ^ np.uint64(codes[i])) * np.uint64(0xFF51AFD7ED558CCD)
            key ^= key >> np.uint64(32)
        slot = np.int64(key & np.uint64(size - 1))
        while True:
            known = table[slot] - 1
            if known < 0:
                known = distinct
                table[slot] = distinct + 1
                first[known], keys[known] = n, key
                distinct += 1
                break
            if keys[known] == key and _same(codes, starts, ends, first[known], low, length):
                break
            slot = (slot + 1) & (size - 1)
        ids[n] = known
        if 2 * distinct > size:
            size *= 4
            table = np.zeros(size, np.int32)
            for known in range(distinct):
                slot = np.int64(keys[known] & np.uint64(size - 1))
                while table[slot] > 0:
                    slot = (slot + 1) & (size - 1)
                table[slot] = known + 1
    return ids, first[:distinct].copy()


@njit(cache=True)
def _same(
    codes: NDArray[np.uint32],
    starts: NDArray[Any],
    ends: NDArray[Any],
    other: int,
    low: int,
    length: int,
) -> bool:
    if ends[other] - starts[other] != length:
        return False
    base = starts[other]
    for i in range(length):  # noqa: SIM110 (numba knows no generator)
        if codes[base + i] != codes[low + i]:
            return False
    return True


@njit(cache=True)
def consist_of(
    codes: NDArray[np.uint32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    wanted: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(n,) pieces of wanted code points only. wanted: (65536,), the last also for all above."""
    every = np.ones(len(starts), np.bool_)
    for n in range(len(starts)):
        for i in range(starts[n], ends[n]):
            if not wanted[min(codes[i], np.uint32(65535))]:
                every[n] = False
                break
    return every


@njit(cache=True)
def expand(
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    piece_indptr: NDArray[np.int64],
    piece_starts: NDArray[np.int32],
    piece_ends: NDArray[np.int32],
    piece_tokens: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Pieces (n,) -> their tokens: bounds (n+1,), and start, end, lexeme of each token.

    starts: where each piece begins in its document. piece_*: the tokens of each distinct piece.
    """
    indptr = np.zeros(len(ids) + 1, np.int64)
    for n in range(len(ids)):
        indptr[n + 1] = indptr[n] + piece_indptr[ids[n] + 1] - piece_indptr[ids[n]]
    begin = np.empty(indptr[-1], np.int32)
    end = np.empty(indptr[-1], np.int32)
    token = np.empty(indptr[-1], np.int32)
    for n in range(len(ids)):
        to = indptr[n]
        for i in range(piece_indptr[ids[n]], piece_indptr[ids[n] + 1]):
            begin[to] = starts[n] + piece_starts[i]
            end[to] = starts[n] + piece_ends[i]
            token[to] = piece_tokens[i]
            to += 1
    return indptr, begin, end, token
