"""Hashes of words and their parts, made where they are used.

Words come as the code points of all in a row, one sign between two of them, and bounds (N+1,):
where each word begins, the last one where a further one would.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

WORD_PARTS = 9
LOWER, SHAPE, SUFFIX = 1, 2, 8

UPPER, NOT_UPPER, ALPHA = 1, 2, 4
"""Flags of a code point: upper case, lower or title case, a letter."""

CAPITAL, LETTER = 1, 2
"""Flags of a word: longer than one sign and all in capitals, begins with a letter."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


def _crc_table() -> Any:
    table: Any = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0xEDB88320), table >> 1)
    return table.astype(np.uint32)


_CRC = _crc_table()
_FULL = np.uint32(0xFFFFFFFF)
_SECOND = np.uint32(0xFFFF)


@njit(cache=True, nogil=True, inline="always")
def _byte(state: Any, byte: Any) -> Any:
    return _CRC[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8))


@njit(cache=True, nogil=True)
def _code(state: Any, code: Any) -> Any:
    """CRC-32 state after the UTF-8 bytes of a code point; surrogates count as any other."""
    code = np.uint32(code)
    tail = np.uint32(0x80)
    six = np.uint32(0x3F)
    if code < 0x80:
        return _byte(state, code)
    if code < 0x800:
        state = _byte(state, np.uint32(0xC0) | code >> np.uint32(6))
        return _byte(state, tail | code & six)
    if code < 0x10000:
        state = _byte(state, np.uint32(0xE0) | code >> np.uint32(12))
    else:
        state = _byte(state, np.uint32(0xF0) | code >> np.uint32(18))
        state = _byte(state, tail | code >> np.uint32(12) & six)
    state = _byte(state, tail | code >> np.uint32(6) & six)
    return _byte(state, tail | code & six)


@njit(cache=True, nogil=True)
def _hash(codes: Any, low: Any, high: Any, first: Any) -> Any:
    """64 bits of some code points after a first one (0: none): two CRC-32."""
    left, right = _FULL, _SECOND ^ _FULL
    if first:
        left, right = _code(left, first), _code(right, first)
    for i in range(low, high):
        left, right = _code(left, codes[i]), _code(right, codes[i])
    return np.uint64(left ^ _FULL) << np.uint64(32) | np.uint64(right ^ _FULL)


@njit(cache=True, nogil=True)
def hash_words(codes: Any, bounds: Any) -> Any:
    """(N,) hashes of words."""
    hashes = np.empty(len(bounds) - 1, dtype=np.uint64)
    for i in range(len(hashes)):
        hashes[i] = _hash(codes, bounds[i], bounds[i + 1] - 1, 0)
    return hashes


@njit(cache=True, nogil=True)
def hash_strings(hashes: Any, ids: Any, first: Any, length: Any) -> Any:
    """(V,) a hash of the words of each span; of one word, the word's. hashes: (N,) by id."""
    strings = np.zeros(len(first), dtype=np.uint64)
    for i in range(len(first)):
        for t in range(first[i], first[i] + length[i]):
            strings[i] = strings[i] * _MIX + hashes[ids[t]]
    return strings


@njit(cache=True, nogil=True)
def word_cases(codes: Any, bounds: Any, flags: Any) -> Any:
    """(N,) flags of words, from those of each code point, as ``str.isupper`` and ``isalpha``."""
    cases = np.zeros(len(bounds) - 1, dtype=np.uint8)
    for i in range(len(cases)):
        low, high = bounds[i], bounds[i + 1] - 1
        all_flags = 0
        for k in range(low, high):
            all_flags |= flags[codes[k]]
        if high - low > 1 and all_flags & UPPER and not all_flags & NOT_UPPER:
            cases[i] |= CAPITAL
        if high > low and flags[codes[low]] & ALPHA:
            cases[i] |= LETTER
    return cases


@njit(cache=True, nogil=True)
def document_lines(cases: Any, ids: Any, indptr: Any) -> Any:
    """(D,) how each document is written: how much of it in capitals, and how long."""
    lines = np.empty(len(indptr) - 1, dtype=np.uint64)
    for d in range(len(lines)):
        capitals, letters = 0, 0
        for t in range(indptr[d], indptr[d + 1]):
            capitals += cases[ids[t]] & CAPITAL
            letters += (cases[ids[t]] & LETTER) >> 1
        share = min(capitals / max(letters, 1) * 4, 3.0)
        length = min((indptr[d + 1] - indptr[d]) // 5, 4)
        lines[d] = np.uint64(np.int64(share) * 16 + length * 2)
    return lines


@njit(cache=True, nogil=True)
def hash_parts(codes: Any, bounds: Any, lower: Any, lower_bounds: Any, shapes: Any) -> Any:
    """(N + 1, 9) hashes: word, lower case, shape, 2 to 4 first and 1 to 3 last letters; then 0.

    shapes: what stands for each code point in a shape; of a run of one sign two are kept.
    """
    n = len(bounds) - 1
    parts = np.zeros((n + 1, WORD_PARTS), dtype=np.uint64)
    shape = np.empty(0, dtype=np.uint32)
    zero = 48
    for i in range(n):
        low, high = bounds[i], bounds[i + 1] - 1
        parts[i, 0] = _hash(codes, low, high, zero)
        if high - low > len(shape):
            shape = np.empty(2 * (high - low), dtype=np.uint32)
        size = 0
        for k in range(low, high):
            sign = shapes[codes[k]]
            run = size > 1 and shape[size - 1] == sign and shape[size - 2] == sign
            if not run or sign == 10:
                shape[size] = sign
                size += 1
        parts[i, SHAPE] = _hash(shape, 0, size, zero + SHAPE)
        low, high = lower_bounds[i], lower_bounds[i + 1] - 1
        parts[i, LOWER] = _hash(lower, low, high, zero + LOWER)
        for k in range(3):
            parts[i, 3 + k] = _hash(lower, low, min(high, low + 2 + k), zero + 3 + k)
            parts[i, 6 + k] = _hash(lower, max(low, high - 1 - k), high, zero + 6 + k)
    return parts
