"""Features of tokens against the same written plainly: strings, zlib, one token at a time."""

from __future__ import annotations

import re
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.corpus import Document, Shard
from weaklabel.models.windows import BUCKETS, shape_of, token_features, token_tags, word_hashes

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


def test_tags_are_a_softmax_of_summed_rows_by_fold() -> None:
    shard = shard_of([["Anna", "met", "U.S.", "troops"], [], ["ACME", "1996"], ["x"]])
    fold = np.asarray([0, 1, 1, 2])
    random = np.random.default_rng(0)
    rows = np.full(BUCKETS, -1, dtype=np.int32)
    features = token_features(shard)
    known = np.unique(features)[::2]
    rows[known] = np.arange(len(known))
    table = random.normal(size=(3, len(known), 5)).astype(np.float32)
    found = token_tags(shard, fold, rows, table)
    for t, d in enumerate(np.repeat(fold, shard.n_tokens)):
        on = rows[features[t]]
        scores = table[d, on[on >= 0]].sum(axis=0, dtype=np.float64)
        expected = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(found[t], expected, rtol=1e-9)
