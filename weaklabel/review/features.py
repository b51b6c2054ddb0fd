"""Hashed features of tokens: computed once per distinct lexeme, then gathered through windows."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard

BUCKETS = 1 << 18
_MIX = np.uint64(0x9E3779B97F4A7C15)


def token_features(shard: Shard) -> NDArray[np.int32]:
    """(T, F) buckets of the binary features of each token: word, shape, affixes, window."""
    base = np.concatenate([_lexeme_hashes(shard.lexemes), np.zeros((1, 10), dtype=np.uint64)])
    ids = shard.token_ids.astype(np.int64)
    pad = len(shard.lexemes)
    here = base[ids]
    word, lower, shape = 0, 1, 2
    near = {d: base[_shifted(shard, ids, d, pad)] for d in (-3, -2, -1, 1, 2, 3)}
    columns = [here[:, j] for j in range(here.shape[1])]
    for d in (-2, -1, 1, 2):
        columns += [_salt(near[d][:, j], 7 * d + j) for j in (lower, shape)]
    for d in (-1, 1):
        columns += [_salt(near[d][:, j], 100 + 7 * d + j) for j in (5, 8)]
    columns += [_salt(near[d][:, lower], 200 + d) for d in (-3, 3)]
    columns += [
        _pair(near[-1][:, lower], here[:, lower], 1),
        _pair(here[:, lower], near[1][:, lower], 2),
        _pair(near[-2][:, lower], near[-1][:, lower], 3),
        _pair(near[1][:, lower], near[2][:, lower], 4),
        _pair(near[-1][:, shape], here[:, shape], 5),
        _pair(here[:, shape], near[1][:, shape], 6),
        _pair(near[-1][:, lower], near[1][:, lower], 7),
        _pair(_pair(near[-1][:, shape], here[:, shape], 8), near[1][:, shape], 9),
    ]
    columns += [_salt(c, 300 + j) for j, c in enumerate(_document_features(shard, ids))]
    columns.append(np.ones(len(ids), dtype=np.uint64))
    hashed = np.stack(columns, axis=1) if len(ids) else np.zeros((0, len(columns)), np.uint64)
    return (hashed % np.uint64(BUCKETS)).astype(np.int32)


def shape_of(word: str) -> str:
    """The shape of a word, runs cut at three: "Anna" -> "Xxxx", "1996" -> "dddd", "U.S." -> "X.X."."""
    shape = []
    for character in word[:24]:
        kind = (
            "X"
            if character.isupper()
            else "x"
            if character.islower()
            else "d"
            if character.isdigit()
            else character
        )
        if shape[-3:] != [kind] * 3:
            shape.append(kind)
    return "".join(shape)


def _lexeme_hashes(lexemes: tuple[str, ...]) -> NDArray[np.uint64]:
    rows = [
        [
            _hash(f"{j}={value}")
            for j, value in enumerate(
                (
                    word,
                    word.lower(),
                    shape_of(word),
                    word[:1],
                    word[:2],
                    word[:3],
                    word[:4],
                    word[-2:],
                    word[-3:],
                    word[-4:],
                )
            )
        ]
        for word in lexemes
    ]
    return np.asarray(rows, dtype=np.uint64).reshape(-1, 10)


def _hash(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return zlib.crc32(data) << 32 | zlib.crc32(data, 0xFFFF)


def _salt(column: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        mixed = (column + np.uint64(salt & 0xFFFF) + np.uint64(1)) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


def _pair(
    left: NDArray[np.uint64], right: NDArray[np.uint64], salt: int
) -> NDArray[np.uint64]:
    return _salt(_salt(left, salt) ^ (right << np.uint64(1)), salt + 1000)


def _shifted(
    shard: Shard, ids: NDArray[np.int64], offset: int, pad: int
) -> NDArray[np.int64]:
    """The lexemes ``offset`` tokens away, ``pad`` outside the document."""
    position = np.arange(len(ids)) + offset
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    inside = (position >= shard.indptr[document]) & (position < shard.indptr[document + 1])
    return np.where(inside, ids[np.clip(position, 0, max(len(ids) - 1, 0))], pad)


def _document_features(shard: Shard, ids: NDArray[np.int64]) -> list[NDArray[np.uint64]]:
    """How a token's line is written: its first token, and whether the text is in capitals."""
    upper = np.asarray([w.isupper() for w in shard.lexemes], dtype=np.float64)
    alpha = np.asarray([any(c.isalpha() for c in w) for w in shard.lexemes], dtype=np.float64)
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    size = np.bincount(document, weights=alpha[ids], minlength=len(shard))
    share = np.bincount(document, weights=upper[ids], minlength=len(shard)) / np.maximum(size, 1)
    position = np.arange(len(ids)) - shard.indptr[document]
    capitals = (share > 0.8)[document].astype(np.uint64)
    length = np.minimum(shard.n_tokens[document], 12).astype(np.uint64)
    place = np.minimum(position, 3).astype(np.uint64)
    return [capitals * np.uint64(4) + place, length * np.uint64(8) + place]
