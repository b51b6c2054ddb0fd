"""Quotes to offsets: against planted spans, and a brute-force assignment on small texts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.sources.llm.align import align_quotes
from weaklabel.sources.llm.fold import fold, fold_string


def spans(text, quotes, occurrences=None):
    found = align_quotes(text, quotes, occurrences)
    return [None if m is None else text[m.start : m.end] for m in found], [
        None if m is None else m.start for m in found
    ]


def test_repeated_mentions_take_successive_places() -> None:
    text = "Paris met Paris Hilton in Paris, near Paris."
    assert spans(text, ["Paris", "Paris Hilton", "Paris", "Paris"])[1] == [0, 10, 26, 38]
    assert spans(text, ["Paris Hilton", "Paris"])[1] == [10, 26]


def test_a_consistent_number_decides_and_an_inconsistent_one_does_not() -> None:
    text = "Rome, Rome and Rome"
    assert spans(text, ["Rome"], [3])[1] == [15]
    assert spans(text, ["Rome", "Rome"], [1, 3])[1] == [0, 15]
    assert spans(text, ["Rome", "Rome", "Rome"], [1, 1, 1])[1] == [0, 6, 15]
    assert spans(text, ["Rome"], [9])[1] == [0]
    # "Anna" number 1 is the first word for some models, the second mention for others.
    assert spans("Anna Berg met Anna in Oslo.", ["Anna Berg", "Anna", "Oslo"], [1, 1, 1])[1] == [
        0,
        14,
        22,
    ]


def test_quotes_out_of_order_still_find_their_places() -> None:
    text = "Anna met Bob. Later Anna left."
    assert spans(text, ["Bob", "Anna", "Anna"])[1] == [9, 20, 0]


@pytest.mark.parametrize(
    ("text", "quote", "start", "end"),
    [
        ("İİİ met Anna in Oslo", "anna", 8, 12),
        ("Die STRASSE ist lang", "Straße", 4, 11),
        ("the “Daily Planet” wrote", '"Daily Planet"', 4, 18),
        ("the ``Daily Planet'' wrote", '"Daily Planet"', 4, 20),
        ("Jean–Luc Picard", "jean-luc picard", 0, 15),
        ("Zoe\u0301 lives", "Zoé", 0, 4),
        ("Zoé lives", "Zoe\u0301", 0, 3),
        ("soft\u00adware Inc.", "Software Inc.", 0, 14),
        ("Acme\n   Corp fell", "Acme Corp", 0, 12),
        ("U . S . Open", "U.S. Open", 0, 12),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width", 0, 10),
        ("東京都に行く", "東京都", 0, 3),
        ("👩‍👩‍👧 Anna", "Anna", 9 - 3, 10),
    ],
)
def test_folding_maps_back_to_the_original(text, quote, start, end) -> None:
    (match,) = align_quotes(text, [quote])
    assert match is not None
    assert (match.start, match.end) == (start, end)


@pytest.mark.parametrize("quote", ["Ann", "Bel", "Zorblax Quux", "", "   ", "Annabelle Lee Smith"])
def test_what_is_not_there_is_not_found(quote) -> None:
    assert align_quotes("Annabel left with Bela.", [quote]) == [None]


def test_a_near_miss_is_found_and_weighs_less() -> None:
    text = "The chairman Mikhail Gorbachov spoke."
    (match,) = align_quotes(text, ["Mikhail Gorbachev"])
    assert match is not None
    assert text[match.start : match.end] == "Mikhail Gorbachov"
    assert 0.85 < match.quality < 1


words = st.sampled_from(["ab", "cd", "ab cd", "ef", "Ab"])


def brute(text: str, quotes: list[str]) -> int:
    """The longest chain by trying every assignment: how many quotes can stand in order."""
    options = []
    for quote in quotes:
        at = [
            i
            for i in range(len(text))
            if text.startswith(quote, i)
            and (i == 0 or not text[i - 1].isalnum())
            and (i + len(quote) == len(text) or not text[i + len(quote)].isalnum())
        ]
        options.append([None, *((i, i + len(quote)) for i in at)])
    best = 0
    for choice in product(*options):
        chosen = [c for c in choice if c is not None]
        if all(a[1] <= b[0] for a, b in zip(chosen, chosen[1:], strict=False)):
            best = max(best, len(chosen))
    return best


@given(st.lists(words, max_size=6), st.lists(words, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_the_chain_is_as_long_as_can_be(parts, quotes) -> None:
    text = " ".join(parts)
    found = align_quotes(text, quotes)
    placed = [m for m in found if m is not None]
    assert len({(m.start, m.end) for m in placed}) == len(placed)
    assert len(placed) >= brute(text, quotes)
    for quote, match in zip(quotes, found, strict=True):
        if match is not None and match.quality == 1:
            assert text[match.start : match.end] == quote


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_folding_covers_the_text_in_order(text) -> None:
    folded = fold(text)
    assert folded.text == fold_string(text)
    assert len(folded.starts) == len(folded.ends) == len(folded.text)
    assert list(folded.starts) == sorted(folded.starts)
    assert all(0 <= a < b <= len(text) for a, b in zip(folded.starts, folded.ends, strict=True))


@given(st.text(max_size=40), st.lists(st.text(max_size=8), max_size=4))
@settings(max_examples=300, deadline=None)
def test_hostile_quotes_never_leave_the_text(text, quotes) -> None:
    for match in align_quotes(text, quotes, [10**9] * len(quotes)):
        assert match is None or 0 <= match.start < match.end <= len(text)
