"""Lexeme rules against a loop over the tokens, regexes against ``re.finditer``."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.errors import SourceError

TASK = wl.Task("spans", ("X", "Y"))
words = st.sampled_from(["Anna", "BERG", "of", "-", "3", "e-mail", "Oslo.", "é", "Ünal"])
documents = st.lists(st.lists(words, max_size=8), min_size=1, max_size=4)


def shard_of(token_lists) -> wl.Shard:
    return wl.Shard.from_documents(
        [wl.Document.from_tokens(str(i), [tokens]) for i, tokens in enumerate(token_lists)]
    )


def spans(cast) -> list[tuple[int, int, int]]:
    return list(zip(cast.document.tolist(), cast.start.tolist(), cast.end.tolist(), strict=True))


def naive_runs(tokens: list[str], holds, gap=()) -> list[tuple[int, int]]:
    found, i = [], 0
    while i < len(tokens):
        if not holds(tokens[i]):
            i += 1
            continue
        j = i + 1
        while j < len(tokens):
            if holds(tokens[j]):
                j += 1
            elif tokens[j] in gap and j + 1 < len(tokens) and holds(tokens[j + 1]):
                j += 2
            else:
                break
        found.append((i, j))
        i = j
    return found


@settings(max_examples=150, deadline=None)
@given(documents, st.booleans())
def test_runs_are_those_of_a_loop(token_lists, gapped) -> None:
    gap = ("of", "-") if gapped else ()
    rule = wl.LexemeRule("r", "X", form="capitalized", gap=gap)
    found = spans(rule(shard_of(token_lists)))
    expected = [
        (d, i, j)
        for d, tokens in enumerate(token_lists)
        for i, j in naive_runs(tokens, lambda w: w[:1].isupper(), gap)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pattern": r"\d+"}, [(0, 4, 5)]),
        ({"shape": ["Xxxx", "xx"], "merge": False}, [(0, 0, 1), (0, 2, 3), (0, 3, 4)]),
        ({"words": ["anna", "berg"], "lower": True}, [(0, 0, 2)]),
        (
            {"form": ["alpha", "not lower"], "length": [4, 4], "merge": False},
            [(0, 0, 1), (0, 1, 2), (0, 3, 4)],
        ),
        ({"form": "capitalized", "tokens": [2, None]}, [(0, 0, 2)]),
        ({"where": str.isdigit}, [(0, 4, 5)]),
    ],
)
def test_conditions(settings, expected) -> None:
    shard = shard_of([["Anna", "BERG", "of", "Oslo", "3"]])
    rule = wl.LexemeRule("r", "X", **settings)
    assert spans(rule(shard)) == expected
    assert spans(pickle.loads(pickle.dumps(rule))(shard)) == expected


def test_sentence_starts_can_be_left_out() -> None:
    shard = wl.Shard.from_documents([wl.Document.from_tokens("0", [["Anna", "x"], ["a", "Berg"]])])
    assert spans(wl.LexemeRule("r", "X", form="title", sentence_start=False)(shard)) == [(0, 3, 4)]


def test_a_rule_that_raises_fails_only_where_the_word_is() -> None:
    rule = wl.LexemeRule("r", "X", where=lambda word: 1 / (word != "3") > 0)
    shard = shard_of([["a", "b"], ["a", "3"]])
    applied = wl.apply_sources(shard, [rule], TASK, on_error="skip")
    assert "ZeroDivisionError" in applied.counts["r"].failed["1"]
    assert applied.votes.document.tolist() == [0]


PATTERNS = [r"a+", r"x*", r"(?<!\d)\d{2}", r"^ab", r"\b", r"(a)(b)?", r"[^ ]+(?= )", r"(?m)^\w"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATTERNS), st.text(alphabet="ab1 \né", max_size=30))
def test_matches_are_those_of_finditer_without_the_empty(pattern, text) -> None:
    shard = wl.Corpus.from_texts([text]).one_shard()
    expected = [(0, *m.span()) for m in re.finditer(pattern, text) if m.end() > m.start()]
    assert spans(wl.Regex("r", pattern, "X")(shard)) == expected


def test_a_group_can_be_the_span_and_labels_can_differ() -> None:
    shard = wl.Corpus.from_texts(["Mr. Berg of Oslo"]).one_shard()
    source = wl.Regex("r", {"X": r"Mr\. (?P<who>\w+)", "Y": [r"of (?P<who>\w+)"]}, span="who")
    assert spans(source(shard)) == [(0, 4, 8), (0, 12, 16)]
    assert source(shard).label.tolist() == [0, 1]


def test_a_catastrophic_pattern_is_counted_not_waited_for() -> None:
    bad = "a" * 80 + "!"
    shard = wl.Corpus.from_texts(["aa", bad, bad, bad, "aa", "!"]).one_shard()
    source = wl.Regex("r", r"(a|aa)+$", "X", seconds=0.05)
    applied = wl.apply_sources(shard, [source], TASK, on_error="skip")
    failed = applied.counts["r"].failed
    assert failed["1"] == "pattern '(a|aa)+$' took more than 0.05 s"
    assert failed["4"] == "not tried: it took too long on 3 documents before"
    assert applied.votes.document.tolist() == [0]
    assert applied.votes.looked[0].tolist() == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wl.Regex("r", "(", "X"), r"source 'r': pattern '\('"),
        (lambda: wl.Regex("r", "a"), "set 'label'"),
        (lambda: wl.Regex("r", "a", "X", span=1), "has no group 1"),
        (lambda: wl.LexemeRule("r", "X"), "has no condition"),
        (lambda: wl.LexemeRule("r", "X", form="tittle"), "did you mean 'title'"),
        (lambda: wl.LexemeRule("r", "X", pattern="a", length=3), r"length must be \[least, most\]"),
    ],
)
def test_mistakes_are_one_line(make, message) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
