"""Hashed features of tokens: made once per distinct word, then gathered through a window."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..kernels import words as kernel

BUCKETS = 1 << 18
_RUNS = re.compile(r"(.)\1{2,}")
_KINDS = ((re.compile(r"[^\W\d_a-z]"), "X"), (re.compile(r"[a-z]"), "x"), (re.compile(r"\d"), "d"))

Hashes = NDArray[np.uint64]


def token_features(shard: Shard) -> NDArray[np.int32]:
    """(T, F) buckets of what is true of each token: word, shape, affixes, neighbours, line."""
    features: NDArray[np.int32] = kernel.window_features(
        word_parts(shard.lexemes), shard.token_ids, shard.indptr, _lines(shard), BUCKETS
    )
    return features


def token_tags(
    shard: Shard,
    fold: NDArray[np.int64],
    rows: NDArray[np.int32],
    coefficients: NDArray[np.float32],
) -> NDArray[np.float64]:
    """(T, C) probabilities of the tags of each token, without keeping the features.

    fold: (D,). rows: (BUCKETS,) the row of each bucket in ``coefficients`` (folds, B, C), or -1.
    """
    tags: NDArray[np.float64] = kernel.window_tags(
        word_parts(shard.lexemes),
        shard.token_ids,
        shard.indptr,
        _lines(shard),
        fold,
        rows,
        coefficients,
    )
    return tags


def shape_of(word: str) -> str:
    """The shape of a word, runs cut at two: "Anna" -> "Xxx", "1996" -> "dd", "U.S." -> "X.X."."""
    for kind, letter in _KINDS:
        word = kind.sub(letter, word)
    return _RUNS.sub(r"\1\1", word)


def word_parts(words: tuple[str, ...]) -> Hashes:
    """(N + 1, 9) hashes of words, their lower case, shape and affixes; a row of 0 comes last."""
    codes, bounds = _codes(words)
    lower, lower_bounds = _codes([word.lower() for word in words])
    seen = np.zeros(int(codes.max(initial=0)) + 1, dtype=bool)
    seen[codes] = True
    shapes = np.zeros(len(seen), dtype=np.uint32)
    for code in np.flatnonzero(seen):
        shapes[code] = ord(shape_of(chr(code)))
    parts: Hashes = kernel.hash_parts(codes, bounds, lower, lower_bounds, shapes)
    return parts


def word_hashes(words: tuple[str, ...]) -> Hashes:
    """(N,) 64 bits of each word, the same in every process and shard."""
    hashes: Hashes = kernel.hash_words(*_codes(words))
    return hashes


def _codes(words: tuple[str, ...] | list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Code points of words in a row, and their bounds (N+1,)."""
    joined = "".join(words).encode("utf-32-le", "surrogatepass")
    lengths = np.fromiter((len(word) for word in words), dtype=np.int64, count=len(words))
    return np.frombuffer(joined, dtype=np.uint32), np.concatenate([[0], np.cumsum(lengths)])


def _lines(shard: Shard) -> Hashes:
    """(D,) how each document is written: how much of it in capitals, and how long."""
    ids = shard.token_ids
    capital = np.asarray([len(w) > 1 and w.isupper() for w in shard.lexemes], dtype=np.float64)
    letter = np.asarray([w[:1].isalpha() for w in shard.lexemes], dtype=np.float64)
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    capitals = np.bincount(document, capital[ids], minlength=len(shard))
    share = capitals / np.maximum(np.bincount(document, letter[ids], minlength=len(shard)), 1)
    kind: Hashes = np.minimum(share * 4, 3).astype(np.uint64) * np.uint64(16)
    kind += np.minimum(shard.n_tokens // 5, 4).astype(np.uint64) * np.uint64(2)
    return kind
