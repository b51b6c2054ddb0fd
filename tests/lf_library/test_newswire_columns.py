"""What the newswire pack works out in whole columns, against one thing after the other."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

import weaklabel as wl
from lf_library.newswire.lexicon import BIT, Keys
from lf_library.newswire.shapes import _letters, _plain_shapes
from lf_library.newswire.tokens import _line_starts, read

words = st.text(alphabet="aszASZéÉß1-.", min_size=1, max_size=6)


@given(st.lists(words))
@example(["S", "s", "SS", "USS", "Cars", "CARS", "Cass", "iPod", "iPo", "été"])
def test_shapes_of_plain_words(some: list[str]) -> None:
    shapes, plain = _plain_shapes(some)
    assert plain.tolist() == [word.isascii() and word.isalpha() for word in some]
    assert [int(s) for s in shapes[plain]] == [
        _letters(word) for word in some if word.isascii() and word.isalpha()
    ]


@given(
    st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 99)),
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 99)),
)
def test_keys_are_found(keys: set[int], wanted: list[int]) -> None:
    known = np.array(sorted(keys), dtype=np.uint64)
    rows, at = Keys(known).find(np.array(wanted, dtype=np.uint64))
    assert rows.tolist() == [i for i, key in enumerate(wanted) if key in keys]
    assert [int(known[i]) for i in at] == [wanted[i] for i in rows]


def slow_line_starts(shard: wl.Shard) -> list[int]:
    found = []
    for d, text in enumerate(shard.texts):
        low, high = int(shard.indptr[d]), int(shard.indptr[d + 1])
        previous = -1
        for cut in (match.start() for match in re.finditer("\n", text)):
            blank = text[cut + 1 : cut + 2] in {"\n", " ", "\t", "\r", ""}
            later = [t for t in range(low, high) if shard.starts[t] >= cut]
            if later and (blank or cut - previous < 60):
                found.append(later[0])
            previous = cut
    return found


lines = st.sampled_from(["", "Oslo", "a b .", " Bergen", "\r", "word " * 12, "x" * 59, "x" * 58])


@settings(deadline=None)
@given(st.lists(st.lists(lines, max_size=5).map("\n".join), max_size=4))
def test_lines_start_after_blank_and_short_ones(texts: list[str]) -> None:
    shard = wl.Corpus.from_texts(texts).one_shard()
    assert _line_starts(shard).tolist() == slow_line_starts(shard)


def test_given_sentences_are_kept_beside_found_ones() -> None:
    given_ones = wl.Document.from_tokens("a", [["Oslo", "is", "."], ["Bergen", "too"]])
    raw = wl.Document("b", "Oslo\nBergen is wet . It is")
    shard = wl.Shard.from_documents([given_ones, wl.Document("c", ""), raw])
    tokens = read(shard, None)
    assert sorted(set(tokens.low.tolist())) == [0, 3, 5, 6, 10]
    assert int(tokens.flags[0]) & int(BIT["cap"])
