"""Hashed features of tokens: made once per distinct word, then gathered through a window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..kernels import windows as kernel
from ..kernels import words

BUCKETS = 1 << 18
_RUNS = re.compile(r"(.)\1{2,}")
_KINDS = ((re.compile(r"[^\W\d_a-z]"), "X"), (re.compile(r"[a-z]"), "x"), (re.compile(r"\d"), "d"))

Hashes = NDArray[np.uint64]


def token_features(shard: Shard) -> NDArray[np.int32]:
    """(T, F) buckets of what is true of each token: word, shape, affixes, neighbours, line."""
    parts, lines = _parts_and_lines(shard)
    features: NDArray[np.int32] = kernel.window_features(
        parts, shard.token_ids, shard.indptr, lines, BUCKETS
    )
    return features


def token_log_tags(
    shard: Shard,
    fold: NDArray[np.int64],
    buckets: NDArray[np.int32],
    coefficients: NDArray[np.float32],
    at: NDArray[np.int64] | None = None,
    least: float = 0.0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Tokens (n,), and log probabilities (n, C) of their tags, without keeping the features.

    fold: (D,). coefficients: (folds, B, C) of the features in ``buckets`` (B,); others have none.
    at: sorted tokens that are asked for; None: all. least: leave out those of which all tags but
    the first are together no likelier than this. Probabilities are 1e-12 or more.
    """
    wanted = np.arange(len(shard.token_ids)) if at is None else at
    blocks = -(-(coefficients.shape[2] - 1) // kernel.LANES)
    # made by numpy, not numba: it asks the system for large pages, which random access needs
    odds = np.zeros((blocks, BUCKETS, kernel.LANES), dtype=np.float32)
    tags = np.empty((len(wanted), coefficients.shape[2]))
    parts, lines = _parts_and_lines(shard)
    found = kernel.window_log_tags(
        parts,
        shard.token_ids,
        shard.indptr,
        lines,
        fold,
        buckets,
        coefficients,
        odds,
        wanted,
        least,
        tags,
    )
    if least <= 0:
        return wanted, tags
    order = np.argsort(found)
    return wanted[found[order]], tags[order]


def shape_of(word: str) -> str:
    """The shape of a word, runs cut at two: "Anna" -> "Xxx", "1996" -> "dd", "U.S." -> "X.X."."""
    for kind, letter in _KINDS:
        word = kind.sub(letter, word)
    return _RUNS.sub(r"\1\1", word)


def word_hashes(strings: Sequence[str]) -> Hashes:
    """(N,) 64 bits of each word, the same in every process and shard."""
    hashes: Hashes = words.hash_words(*_codes(strings))
    return hashes


class _Codes(NamedTuple):
    """Code points of words in a row, a line break after each but the last, and bounds (N+1,)."""

    codes: NDArray[np.uint32]
    bounds: NDArray[np.int64]


def _parts_and_lines(shard: Shard) -> tuple[Hashes, Hashes]:
    """(N + 1, 9) hashes of what the shard's words are, a row of 0 last; (D,) of its documents."""
    codes = _codes(shard.lexemes)
    seen = np.zeros(int(codes.codes.max(initial=0)) + 1, dtype=bool)
    seen[codes.codes] = True
    distinct = np.flatnonzero(seen)
    shapes, flags = np.zeros(len(seen), np.uint32), np.zeros(len(seen), np.uint8)
    facts = np.asarray([_facts(code) for code in distinct.tolist()], np.uint32).reshape(-1, 2)
    shapes[distinct], flags[distinct] = facts[:, 0], facts[:, 1]
    parts: Hashes = words.hash_parts(*codes, *_lower_codes(shard.lexemes, codes), shapes)
    cases = words.word_cases(*codes, flags)
    lines: Hashes = words.document_lines(cases, shard.token_ids, shard.indptr)
    return parts, lines


@cache
def _facts(code: int) -> tuple[int, int]:
    """What stands for a code point in a shape, and its flags."""
    sign = chr(code)
    # of one sign istitle() is true of capitals too
    other = sign.islower() or (sign.istitle() and not sign.isupper())
    flags = words.UPPER * sign.isupper() | words.NOT_UPPER * other | words.ALPHA * sign.isalpha()
    return ord(shape_of(sign)), flags


def _codes(strings: Sequence[str]) -> _Codes:
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    bounds = np.concatenate([[0], np.cumsum(lengths + 1)])
    return _Codes(_code_points("\n".join(strings)), bounds)


def _lower_codes(strings: Sequence[str], codes: _Codes) -> _Codes:
    """Codes of the lower case: of all words at once, unless one of them grows by it ("İ")."""
    joined = "\n".join(strings)
    lower = joined.lower()
    if len(lower) == len(joined):
        return _Codes(_code_points(lower), codes.bounds)
    return _codes([word.lower() for word in strings])


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
