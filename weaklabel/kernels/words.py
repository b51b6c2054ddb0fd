"""Hashes of words, and of what is true of each token, made where they are used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

N_FEATURES = 28
WORD_PARTS = 9
LOWER, SHAPE, SUFFIX = 1, 2, 8

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
    """(N,) hashes of words: code points of all in a row, and their bounds (N+1,)."""
    hashes = np.empty(len(bounds) - 1, dtype=np.uint64)
    for i in range(len(hashes)):
        hashes[i] = _hash(codes, bounds[i], bounds[i + 1], 0)
    return hashes


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
        low, high = bounds[i], bounds[i + 1]
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
        low, high = lower_bounds[i], lower_bounds[i + 1]
        parts[i, LOWER] = _hash(lower, low, high, zero + LOWER)
        for k in range(3):
            parts[i, 3 + k] = _hash(lower, low, min(high, low + 2 + k), zero + 3 + k)
            parts[i, 6 + k] = _hash(lower, max(low, high - 1 - k), high, zero + 6 + k)
    return parts


@njit(cache=True, nogil=True, inline="always")
def _salt(value: Any, salt: Any) -> Any:
    mixed = (value + np.uint64(2 * salt + 1)) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


@njit(cache=True, nogil=True, inline="always")
def _pair(left: Any, right: Any, salt: Any) -> Any:
    return _salt(_salt(left, salt) ^ right, salt + 1000)


@njit(cache=True, nogil=True)
def _window(
    parts: Any, ids: Any, low: Any, high: Any, t: Any, line: Any, mask: Any, row: Any
) -> Any:
    """The buckets of token t of the document low:high, written to ``row`` (28,)."""
    last = parts.shape[0] - 1
    here = parts[ids[t]]
    n = 0
    for j in range(WORD_PARTS):
        row[n] = _bucket(here[j], mask)
        n += 1
    for d in (-2, -1, 1, 2):
        at = parts[ids[t + d] if low <= t + d < high else last]
        row[n] = _bucket(_salt(at[LOWER], 10 * (d + 3) + LOWER), mask)
        row[n + 1] = _bucket(_salt(at[SHAPE], 10 * (d + 3) + SHAPE), mask)
        n += 2
    for d in (-1, 1):
        at = parts[ids[t + d] if low <= t + d < high else last]
        row[n] = _bucket(_salt(at[SUFFIX], 90 + d), mask)
        salt = 100 * (d + 2)
        row[n + 1] = _bucket(_pair(at[LOWER], here[LOWER], salt + 11), mask)
        row[n + 2] = _bucket(_pair(at[LOWER], here[SHAPE], salt + 12), mask)
        row[n + 3] = _bucket(_pair(at[SHAPE], here[SHAPE], salt + 22), mask)
        n += 4
    before = parts[ids[t - 1] if t > low else last]
    after = parts[ids[t + 1] if t + 1 < high else last]
    both = _pair(before[SHAPE], after[SHAPE], 500)
    row[n] = _bucket(_pair(both, here[SHAPE], 501), mask)
    row[n + 1] = _bucket(_salt(line, 600), mask)
    row[n + 2] = _bucket(_pair(line, here[SHAPE], 601), mask)


@njit(cache=True, nogil=True, inline="always")
def _bucket(value: Any, mask: Any) -> Any:
    return np.int32(value >> np.uint64(7) & mask)


@njit(cache=True, nogil=True)
def window_features(parts: Any, ids: Any, indptr: Any, lines: Any, buckets: Any) -> Any:
    """(T, 28) buckets. lines: (D,) of each document; its first token has the next one."""
    mask = np.uint64(buckets - 1)
    features = np.empty((len(ids), N_FEATURES), dtype=np.int32)
    for d in range(len(indptr) - 1):
        low, high = indptr[d], indptr[d + 1]
        for t in range(low, high):
            line = lines[d] + np.uint64(t == low)
            _window(parts, ids, low, high, t, line, mask, features[t])
    return features


@njit(cache=True, nogil=True)
def window_tags(
    parts: Any, ids: Any, indptr: Any, lines: Any, fold: Any, rows: Any, coefficients: Any
) -> Any:
    """(T, C) class probabilities, by the coefficients (folds, B, C) of each document's fold.

    rows: (buckets,) the row of each bucket, -1 where there is none.
    """
    mask = np.uint64(len(rows) - 1)
    n_classes = coefficients.shape[2]
    tags = np.empty((len(ids), n_classes), dtype=np.float64)
    row = np.empty(N_FEATURES, dtype=np.int32)
    for d in range(len(indptr) - 1):
        low, high = indptr[d], indptr[d + 1]
        table = coefficients[fold[d]]
        for t in range(low, high):
            line = lines[d] + np.uint64(t == low)
            _window(parts, ids, low, high, t, line, mask, row)
            scores = tags[t]
            scores[:] = 0.0
            for f in range(N_FEATURES):
                at = rows[row[f]]
                if at >= 0:
                    for c in range(n_classes):
                        scores[c] += table[at, c]
            _normalize(scores)
    return tags


@njit(cache=True, nogil=True)
def _normalize(scores: Any) -> Any:
    """Softmax in place."""
    highest = scores.max()
    total = 0.0
    for c in range(len(scores)):
        scores[c] = math.exp(scores[c] - highest)
        total += scores[c]
    for c in range(len(scores)):
        scores[c] /= total
