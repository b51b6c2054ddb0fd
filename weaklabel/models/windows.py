"""Hashed features of tokens: made once per distinct word, then gathered through a window."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from .kinds import word_hash

BUCKETS = 1 << 18
_MIX = np.uint64(0x9E3779B97F4A7C15)
_RUNS = re.compile(r"(.)\1{2,}")
_KINDS = ((re.compile(r"[^\W\d_a-z]"), "X"), (re.compile(r"[a-z]"), "x"), (re.compile(r"\d"), "d"))

Hashes = NDArray[np.uint64]


def token_features(shard: Shard) -> NDArray[np.int32]:
    """(T, F) buckets of what is true of each token: word, shape, affixes, neighbours, line."""
    ids = shard.token_ids.astype(np.int64)
    of_word = np.concatenate([_word_features(shard.lexemes), np.zeros((1, 9), dtype=np.uint64)])
    at = {d: of_word[_neighbour(shard, ids, d)] for d in (-2, -1, 0, 1, 2)}
    here = at[0]
    columns = list(here.T)
    for d in (-2, -1, 1, 2):
        columns += [_salt(at[d][:, j], 10 * (d + 3) + j) for j in (LOWER, SHAPE)]
    for d in (-1, 1):
        columns.append(_salt(at[d][:, SUFFIX], 90 + d))
        columns += [
            _pair(at[d][:, left], here[:, right], 100 * (d + 2) + 10 * left + right)
            for left, right in ((LOWER, LOWER), (LOWER, SHAPE), (SHAPE, SHAPE))
        ]
    both = _pair(at[-1][:, SHAPE], at[1][:, SHAPE], 500)
    columns.append(_pair(both, here[:, SHAPE], 501))
    line = _line(shard, ids)
    columns += [_salt(line, 600), _pair(line, here[:, SHAPE], 601)]
    hashed = np.stack(columns, axis=1) if len(ids) else np.zeros((0, len(columns)), np.uint64)
    return (hashed >> np.uint64(7) & np.uint64(BUCKETS - 1)).astype(np.int32)


WORD, LOWER, SHAPE = 0, 1, 2
SUFFIX = 8


def shape_of(word: str) -> str:
    """The shape of a word, runs cut at two: "Anna" -> "Xxx", "1996" -> "dd", "U.S." -> "X.X."."""
    for kind, letter in _KINDS:
        word = kind.sub(letter, word)
    return _RUNS.sub(r"\1\1", word)


def _word_features(words: tuple[str, ...]) -> Hashes:
    rows = []
    for word in words:
        low = word.lower()
        parts = (word, low, shape_of(word), low[:2], low[:3], low[:4], low[-1:], low[-2:], low[-3:])
        rows.append([word_hash(f"{j}{part}") for j, part in enumerate(parts)])
    return np.asarray(rows, dtype=np.uint64).reshape(-1, 9)


def _salt(column: Hashes, salt: int) -> Hashes:
    with np.errstate(over="ignore"):
        mixed = (column + np.uint64(2 * salt + 1)) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


def _pair(left: Hashes, right: Hashes, salt: int) -> Hashes:
    return _salt(_salt(left, salt) ^ right, salt + 1000)


def _neighbour(shard: Shard, ids: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    """The words ``offset`` tokens away; beyond the document, the number after the last word's."""
    position = np.arange(len(ids)) + offset
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    inside = (position >= shard.indptr[document]) & (position < shard.indptr[document + 1])
    return np.where(inside, ids[np.clip(position, 0, max(len(ids) - 1, 0))], len(shard.lexemes))


def _line(shard: Shard, ids: NDArray[np.int64]) -> Hashes:
    """How the document is written: how much of it in capitals, how long; and whether it begins."""
    capital = np.asarray([len(w) > 1 and w.isupper() for w in shard.lexemes], dtype=np.float64)
    letter = np.asarray([w[:1].isalpha() for w in shard.lexemes], dtype=np.float64)
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    capitals = np.bincount(document, capital[ids], minlength=len(shard))
    share = capitals / np.maximum(np.bincount(document, letter[ids], minlength=len(shard)), 1)
    kind = np.minimum(share * 4, 3).astype(np.int64) * 16 + np.minimum(shard.n_tokens // 5, 4) * 2
    first = np.arange(len(ids)) == shard.indptr[document]
    return (kind[document] + first).astype(np.uint64)
