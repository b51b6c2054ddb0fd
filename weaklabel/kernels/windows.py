"""What is true of each token, hashed through a window, and the tags that a model sees in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

N_FEATURES = 28
WORD_PARTS = 9
LOWER, SHAPE, SUFFIX = 1, 2, 8
"""Columns of ``words.hash_parts``."""

N_OWN = 19
"""Features of a window that need one of its words: 9 here, the others at 2, 1 before and after."""

N_PAIRS = 9
"""Features that need two words, or the document."""

PLACES = 5
LANES = 8
"""Tags are added up so many at a time: rows of a constant width stay in registers."""

BLOCK = 64
LEAST = 1e-12
"""What a tag is at least as likely as; its logarithm stays finite."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


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
def window_log_tags(
    parts: Any,
    ids: Any,
    indptr: Any,
    lines: Any,
    fold: Any,
    buckets: Any,
    coefficients: Any,
    odds: Any,
    at: Any,
    least: Any,
    tags: Any,
) -> Any:
    """Write log probabilities of the tags of tokens ``at`` (n,), sorted, to ``tags`` (n, C).

    Returns (m,) the token, as a place in ``at``, of each row that was written; m < n if some were
    left out, and then rows are in order of folds.

    By the coefficients (folds, B, C) of ``buckets`` (B,), those of each document's fold (D,).
    odds: (ceil((C - 1) / 8), all buckets, 8) zeros to work in: one fold at a time fits a cache.
    least: tokens whose first tag leaves no more than this to the others are left out; 0: none.

    What a word alone adds up to, at each of its five places, is added up once per fold and shard.
    The order of additions is that of ``_own_rows`` and ``_pair_rows``, for every token the same.
    """
    mask = np.uint64(odds.shape[1] - 1)
    n_words = parts.shape[0]
    token = np.arange(len(at))
    n = 0
    sums = np.empty((len(odds), PLACES * n_words, LANES), np.float32)
    used = np.empty(n_words, np.bool_)
    own = np.empty((BLOCK, PLACES), np.uint64)
    pairs = np.empty((BLOCK, N_PAIRS), np.uint64)
    scores = np.empty((len(odds), BLOCK, LANES), np.float32)
    bounds = np.searchsorted(at, indptr)
    unlikely = math.log(least / (1 - least) / (tags.shape[1] - 1)) if least > 0 else -np.inf
    for k in range(len(coefficients)):
        _use_fold(buckets, coefficients[k], odds)
        used[:] = False
        for d in range(len(fold)):
            if fold[d] == k:
                _mark(ids, indptr[d], indptr[d + 1], at[bounds[d] : bounds[d + 1]], used)
        _add_up_words(used, parts, odds, mask, sums)
        for d in range(len(fold)):
            if fold[d] != k:
                continue
            for low in range(bounds[d], bounds[d + 1], BLOCK):
                some = at[low : min(low + BLOCK, bounds[d + 1])]
                _pair_rows(parts, ids, indptr[d], indptr[d + 1], lines[d], some, mask, own, pairs)
                scores[:] = 0
                for p in range(len(odds)):
                    for i in range(len(some)):
                        _add_rows(sums[p], own[i], 0, PLACES, scores[p, i])
                        _add_rows(odds[p], pairs[i], 0, N_PAIRS, scores[p, i])
                for i in range(len(some)):
                    if least <= 0:
                        _log_softmax(scores, i, tags, low + i)
                    elif _reaches(scores, i, tags.shape[1] - 1, unlikely):
                        _log_softmax(scores, i, tags, n)
                        token[n] = low + i
                        n += 1 - math.exp(tags[n, 0]) > least
    return token if least <= 0 else token[:n]


@njit(cache=True, nogil=True)
def _use_fold(buckets: Any, coefficients: Any, odds: Any) -> None:
    """Lay out log odds against the first tag: a row of coefficients is eight wide, by bucket."""
    n = coefficients.shape[1] - 1
    for p in range(len(odds)):
        low, high = p * LANES, min(n, (p + 1) * LANES)
        for i in range(len(buckets)):
            for c in range(low, high):
                odds[p, buckets[i], c - low] = coefficients[i, c + 1] - coefficients[i, 0]


@njit(cache=True, nogil=True)
def _mark(ids: Any, low: Any, high: Any, at: Any, used: Any) -> None:
    """Mark the words within the windows of some tokens of the document low:high."""
    for t in at:
        for u in range(t - 2, t + 3):
            used[ids[u] if low <= u < high else len(used) - 1] = True


@njit(cache=True, nogil=True)
def _add_up_words(used: Any, parts: Any, odds: Any, mask: Any, sums: Any) -> None:
    """Fill sums (P, 5 * words, 8) of the words used: as 2 before, 1 before, itself, 1, 2 after."""
    rows = np.empty(N_OWN, np.uint64)
    for w in range(len(used)):
        if not used[w]:
            continue
        _own_rows(parts[w], mask, rows)
        for p in range(len(odds)):
            to = sums[p, PLACES * w : PLACES * (w + 1)]
            to[:] = 0
            _add_rows(odds[p], rows, 0, 2, to[0])
            _add_rows(odds[p], rows, 2, 5, to[1])
            _add_rows(odds[p], rows, 5, 14, to[2])
            _add_rows(odds[p], rows, 14, 17, to[3])
            _add_rows(odds[p], rows, 17, 19, to[4])


@njit(cache=True, nogil=True)
def _own_rows(part: Any, mask: Any, rows: Any) -> None:
    n = 0
    for d in range(-2, 3):
        if d == 0:
            for j in range(WORD_PARTS):
                rows[n + j] = _bucket(part[j], mask)
            n += WORD_PARTS
            continue
        rows[n] = _bucket(_salt(part[LOWER], 10 * (d + 3) + LOWER), mask)
        rows[n + 1] = _bucket(_salt(part[SHAPE], 10 * (d + 3) + SHAPE), mask)
        n += 2
        if d * d == 1:
            rows[n] = _bucket(_salt(part[SUFFIX], 90 + d), mask)
            n += 1


@njit(cache=True, nogil=True)
def _pair_rows(
    parts: Any, ids: Any, low: Any, high: Any, line: Any, at: Any, mask: Any, own: Any, pairs: Any
) -> None:
    """Of tokens ``at`` of the document low:high: the rows of their words' sums, and of pairs."""
    last = parts.shape[0] - 1
    for i in range(len(at)):
        t = at[i]
        left = ids[t - 1] if t - 1 >= low else last
        right = ids[t + 1] if t + 1 < high else last
        own[i, 0] = PLACES * (ids[t - 2] if t - 2 >= low else last)
        own[i, 1] = PLACES * left + 1
        own[i, 2] = PLACES * ids[t] + 2
        own[i, 3] = PLACES * right + 3
        own[i, 4] = PLACES * (ids[t + 2] if t + 2 < high else last) + 4
        lower, shape = parts[ids[t], LOWER], parts[ids[t], SHAPE]
        before, after = parts[left, SHAPE], parts[right, SHAPE]
        pairs[i, 0] = _bucket(_pair(parts[left, LOWER], lower, 111), mask)
        pairs[i, 1] = _bucket(_pair(parts[left, LOWER], shape, 112), mask)
        pairs[i, 2] = _bucket(_pair(before, shape, 122), mask)
        pairs[i, 3] = _bucket(_pair(parts[right, LOWER], lower, 311), mask)
        pairs[i, 4] = _bucket(_pair(parts[right, LOWER], shape, 312), mask)
        pairs[i, 5] = _bucket(_pair(after, shape, 322), mask)
        pairs[i, 6] = _bucket(_pair(_pair(before, after, 500), shape, 501), mask)
        here = line + np.uint64(t == low)
        pairs[i, 7] = _bucket(_salt(here, 600), mask)
        pairs[i, 8] = _bucket(_pair(here, shape, 601), mask)


@njit(cache=True, nogil=True, inline="always")
def _add_rows(table: Any, rows: Any, low: Any, high: Any, to: Any) -> None:
    """Add rows low:high of a table (n, 8) to ``to`` (8,)."""
    a, b, c, d, e, f, g, h = to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7]
    for i in range(low, high):
        row = table[rows[i]]
        a += row[0]
        b += row[1]
        c += row[2]
        d += row[3]
        e += row[4]
        f += row[5]
        g += row[6]
        h += row[7]
    to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = a, b, c, d, e, f, g, h


@njit(cache=True, nogil=True)
def _reaches(scores: Any, i: Any, n: Any, limit: Any) -> Any:
    """Whether one of n log odds is this high; if not, no exponential is needed."""
    highest = scores[0, i, 0]
    for c in range(1, n):
        highest = max(highest, scores[c // LANES, i, c % LANES])
    return highest >= limit


@njit(cache=True, nogil=True)
def _log_softmax(scores: Any, i: Any, tags: Any, to: Any) -> None:
    """Write row ``to`` of tags."""
    highest = 0.0
    for c in range(1, tags.shape[1]):
        tags[to, c] = scores[(c - 1) // LANES, i, (c - 1) % LANES]
        highest = max(highest, tags[to, c])
    total = math.exp(-highest)
    for c in range(1, tags.shape[1]):
        total += math.exp(tags[to, c] - highest)
    log_total = highest + math.log(total)
    floor = math.log(LEAST)
    tags[to, 0] = max(-log_total, floor)
    for c in range(1, tags.shape[1]):
        tags[to, c] = max(tags[to, c] - log_total, floor)
