"""The tokenizer by pieces against spaCy on the whole text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.errors import InputError
from weaklabel.language import _may_match, blank, whole_words

_BITS = [
    *("a", "B", "8", "D", "p", "m", "s", "no", "can't", "U.S.", "10a.m.", "http://a.b/c", "é", "ß"),
    *("cannot", "Im", "gonna", "USD", "dollars", "Rp", "doner", "ª", "𝒳", "日本", "d'"),
    *(":", ")", "(", "-", "'", "_", "^", ".", ",", ";", "=", "<", "/", "*", "\\", "¬", "…", "—"),
    *(
        " ",
        " ",
        " ",
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "\u00a0",
        "\u3000",
        "\x1c",
        "\u200b",
        "👩‍👧",
        "o\u0301",
    ),
]
_SPECIAL = ["(-:", ":')", "8-D", "(._.)", "><(((*>", "'Cause", "\\n", ":-((", "¯\\(ツ)/¯", "z.B."]
texts = st.lists(st.sampled_from(_BITS + _SPECIAL), max_size=30).map("".join)


def expected(text: str, lang: str) -> list[tuple[int, int]]:
    return [(t.idx, t.idx + len(t)) for t in blank(lang)(text) if not t.is_space]


def offsets(shard: wl.Shard, d: int) -> list[tuple[int, int]]:
    rows = slice(shard.indptr[d], shard.indptr[d + 1])
    return list(zip(shard.starts[rows].tolist(), shard.ends[rows].tolist(), strict=True))


@pytest.mark.parametrize("lang", ["en", "de", "xx", "id", "fr"])
@settings(max_examples=250, deadline=None)
@given(st.lists(texts, max_size=4))
@example([": : ) :)", "(- :", "a ( : ) :'(", "Dr. med . Dr. med", "' S 'S '' ''"])
def test_tokens_are_those_of_spacy(lang: str, documents: list[str]) -> None:
    shard = wl.Corpus.from_texts(documents, lang=lang).one_shard()
    for d, text in enumerate(documents):
        assert offsets(shard, d) == expected(text, lang)
        assert shard.tokens(d) == [text[a:b] for a, b in expected(text, lang)]
    first = list(dict.fromkeys(w for d in range(len(documents)) for w in shard.tokens(d)))
    assert list(shard.lexemes) == first


def test_it_is_known_which_languages_never_cut_words() -> None:
    assert whole_words("en").letters[[ord(c) for c in "aZßя"]].all()
    assert not whole_words("en").letters[[ord(c) for c in "1.' \u0301"]].any()
    assert not whole_words("id").letters.any()  # "USDollar" has the currency cut off
    assert {"cannot", "don't"} <= whole_words("en").rules


_PATTERNS = [
    *(
        "a",
        "[0-9]k",
        "(?<=[0-9])(?:km|m)",
        "(?<=[a-z])B",
        "x?",
        "x*y",
        "[^a]",
        ".",
        "(?i:Q)",
        "(?a:\\W)",
        "(?a)\\W",
    ),
    *(
        "\\w{3}",
        "\\d+",
        "\\W",
        "[\\s-]",
        "^b",
        "(?<!1)z",
        "'s$",
        "(?:a|-)(?:1|b)",
        "[^\\W\\d]",
        "Ä",
    ),
    *("(c)\\1", "(?>ab)", "a++", "(?=\\d)a", "[\\U0001F300-\\U0001F5FF]", "(?:a|-)1"),
]


@pytest.mark.parametrize("pattern", _PATTERNS)
@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abBcmkQqxyzÄ", max_size=6))
def test_a_pattern_that_finds_letters_is_never_ruled_out(pattern: str, text: str) -> None:
    letters = whole_words("en").letters
    search = re.compile(pattern).search
    assert _may_match(search, letters) or not search(text)


def test_patterns_that_need_more_than_letters_are_ruled_out() -> None:
    wanted = [
        "[0-9]k",
        "(?<=[0-9])(?:km|m)",
        "\\d+",
        "\\W",
        "[\\s-]",
        "'s$",
        "(?:a|-)1",
        "(?=\\d)a",
    ]
    letters = whole_words("en").letters
    assert not [p for p in wanted if _may_match(re.compile(p).search, letters)]


def test_a_tokenizer_without_pieces_reads_whole_documents() -> None:
    text = "我 爱北京。 Peking 2008"
    shard = wl.Corpus.from_texts([text, ""], lang="zh").one_shard()
    assert offsets(shard, 0) == expected(text, "zh")


def test_given_and_found_tokens_in_one_shard() -> None:
    given_tokens = wl.Document("a", "can't stop", tokens=((0, 5), (6, 10)))
    shard = wl.Shard.from_documents([wl.Document("b", "stop can't"), given_tokens])
    assert shard.tokens(0) == ["stop", "ca", "n't"]
    assert shard.tokens(1) == ["can't", "stop"]
    assert shard.lexemes == ("stop", "ca", "n't", "can't")


@pytest.mark.parametrize("tokens", [((0, 9),), ((2, 2),), ((1, 2), (0, 1)), ((-1, 1),), ((2, 1),)])
def test_impossible_tokens_are_one_clear_line(tokens) -> None:
    with pytest.raises(InputError, match="document 'x': token"):
        wl.Shard.from_documents([wl.Document("x", "abc", tokens=tokens)])


def test_half_a_surrogate_pair_names_the_document() -> None:
    with pytest.raises(InputError, match="document '1': character 2"):
        wl.Corpus.from_texts(["fine", "ab\ud83d"]).one_shard()


def test_real_text_has_spacys_tokens(shared_data) -> None:
    lines = (shared_data / "conll2003" / "valid.txt").read_text(encoding="utf-8").split("\n\n")
    joined = [" ".join(row.split(" ")[0] for row in s.splitlines() if row) for s in lines[:800]]
    glued = [text.replace(" .", ".").replace(" ,", ",").replace("( ", "(") for text in joined]
    shard = wl.Corpus.from_texts(joined + glued).one_shard()
    for d, text in enumerate(joined + glued):
        assert offsets(shard, d) == expected(text, "en")
    assert np.all(np.diff(shard.indptr) >= 0)
