"""Features of tokens against the same written plainly: strings, zlib, one token at a time."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weaklabel.corpus import Document, Shard
from weaklabel.models.windows import (
    BUCKETS,
    shape_of,
    token_features,
    token_log_tags,
    word_hashes,
)

MASK = (1 << 64) - 1
ODD = (
    "ÄÖÜß",
    "ΣΑΣ",
    "İstanbul",
    "日本語",
    "😀😀😀x",
    "\ud800a",
    "__a_",
    "ǅ",
    "²³",
    "٣٤٥٦",
    "aaaa",
    "....",
)

words = st.one_of(st.sampled_from(ODD), st.text("aAbB1.-é\n", min_size=1, max_size=6))


def hashed(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return zlib.crc32(data) << 32 | zlib.crc32(data, 0xFFFF)


def shape(word: str) -> str:
    for kind, letter in ((r"[^\W\d_a-z]", "X"), (r"[a-z]", "x"), (r"\d", "d")):
        word = re.sub(kind, letter, word)
    return re.sub(r"(.)\1{2,}", r"\1\1", word)


def parts(word: str | None) -> list[int]:
    if word is None:
        return [0] * 9
    low = word.lower()
    strings = [word, low, shape(word), low[:2], low[:3], low[:4], low[-1:], low[-2:], low[-3:]]
    return [hashed(f"{j}{string}") for j, string in enumerate(strings)]


def salt(value: int, number: int) -> int:
    mixed = (value + 2 * number + 1) * 0x9E3779B97F4A7C15 & MASK
    return mixed ^ mixed >> 29


def pair(left: int, right: int, number: int) -> int:
    return salt(salt(left, number) ^ right, number + 1000)


def plainly(document: list[str], t: int) -> list[int]:
    at = {d: parts(document[t + d] if 0 <= t + d < len(document) else None) for d in range(-2, 3)}
    here = at[0]
    rows = list(here)
    for d in (-2, -1, 1, 2):
        rows += [salt(at[d][j], 10 * (d + 3) + j) for j in (1, 2)]
    for d in (-1, 1):
        rows.append(salt(at[d][8], 90 + d))
        for left, right in ((1, 1), (1, 2), (2, 2)):
            rows.append(pair(at[d][left], here[right], 100 * (d + 2) + 10 * left + right))
    rows.append(pair(pair(at[-1][2], at[1][2], 500), here[2], 501))
    capitals = sum(len(w) > 1 and w.isupper() for w in document)
    letters = sum(w[:1].isalpha() for w in document)
    share = min(int(capitals / max(letters, 1) * 4), 3)
    line = share * 16 + min(len(document) // 5, 4) * 2 + (t == 0)
    rows += [salt(line, 600), pair(line, here[2], 601)]
    return [row >> 7 & BUCKETS - 1 for row in rows]


def shard_of(documents: list[list[str]]) -> Shard:
    return Shard.from_documents(
        Document.from_tokens(str(i), [tokens]) for i, tokens in enumerate(documents)
    )


@given(st.lists(words, max_size=20))
@settings(max_examples=50, deadline=None)
def test_words_hash_as_zlib_does_and_take_the_shape_that_regexes_give(found: list[str]) -> None:
    assert word_hashes(tuple(found)).tolist() == [hashed(word) for word in found]
    assert [shape_of(word) for word in found] == [shape(word) for word in found]


@given(st.lists(st.lists(words.filter(lambda w: "\ud800" not in w), max_size=9), max_size=5))
@settings(max_examples=50, deadline=None)
def test_features_are_those_written_plainly(documents: list[list[str]]) -> None:
    expected = [plainly(tokens, t) for tokens in documents for t in range(len(tokens))]
    found = token_features(shard_of(documents))
    assert found.shape == (len(expected), 28)
    assert found.tolist() == expected


DOCUMENTS = [
    ["Anna", "met", "U.S.", "troops"],
    [],
    ["ACME", "1996"],
    ["x"],
    ["the", "the", "Anna", "the"] * 40,
]
FOLDS = np.asarray([0, 1, 1, 2, 0])


def planted(shard: Shard, n_tags: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Coefficients of every other feature of a shard, and of many that it does not have."""
    random = np.random.default_rng(n_tags)
    buckets = np.concatenate(
        [np.unique(token_features(shard))[::2], random.integers(BUCKETS, size=99)]
    )
    buckets = np.unique(buckets).astype(np.int32)
    return buckets, random.normal(size=(3, len(buckets), n_tags)).astype(np.float32)


@pytest.mark.parametrize("n_tags", [3, 9, 11, 21])
def test_log_tags_are_a_softmax_of_summed_rows_by_fold(n_tags: int) -> None:
    shard = shard_of(DOCUMENTS)
    buckets, coefficients = planted(shard, n_tags)
    table = np.zeros((3, BUCKETS, n_tags))
    table[:, buckets] = coefficients
    scores = table[np.repeat(FOLDS, shard.n_tokens)[:, None], token_features(shard)].sum(axis=1)
    expected = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    at, found = token_log_tags(shard, FOLDS, buckets, coefficients)
    assert at.tolist() == list(range(len(expected)))
    np.testing.assert_allclose(found, np.maximum(expected, np.log(1e-12)), rtol=0, atol=1e-5)


@given(st.sets(st.integers(0, 166)), st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=30, deadline=None)
def test_tags_of_some_tokens_are_bit_for_bit_those_of_all(some: set[int], least: float) -> None:
    shard = shard_of(DOCUMENTS)
    buckets, coefficients = planted(shard, 5)
    _, every = token_log_tags(shard, FOLDS, buckets, coefficients)
    asked = np.asarray(sorted(some), dtype=np.int64)
    at, found = token_log_tags(shard, FOLDS, buckets, coefficients, asked, least)
    assert at.tolist() == [
        t for t in asked.tolist() if not least or 1 - np.exp(every[t, 0]) > least
    ]
    np.testing.assert_array_equal(found, every[at])


def test_tags_of_a_document_do_not_depend_on_its_shard() -> None:
    shard = shard_of(DOCUMENTS)
    buckets, coefficients = planted(shard, 11)
    _, every = token_log_tags(shard, FOLDS, buckets, coefficients)
    for d, tokens in enumerate(DOCUMENTS):
        alone = shard_of([["ACME", "met"], tokens])
        _, found = token_log_tags(alone, np.asarray([2, FOLDS[d]]), buckets, coefficients)
        np.testing.assert_array_equal(found[2:], every[shard.indptr[d] : shard.indptr[d + 1]])
