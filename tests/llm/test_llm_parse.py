"""Answers as models write them -> values; and what must not pass."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaklabel.sources.llm.confidence import binned, label_probabilities
from weaklabel.sources.llm.parse import Mention, label_places, read_choice, read_json, read_mentions
from weaklabel.sources.llm.reply import one_line, read_reply, usage
from weaklabel.sources.llm.status import Status, Token

ANNA = [Mention("Anna", "PER")]


@pytest.mark.parametrize(
    "text",
    [
        '{"entities": [{"quote": "Anna", "label": "PER"}]}',
        '```json\n{"entities": [{"quote": "Anna", "label": "PER"}]}\n```',
        'Sure! Here it is:\n[{"text": "Anna", "type": "PER"}]\nAnything else?',
        "{'entities': [{'quote': 'Anna', 'label': 'PER'}]}",
        '{"entities": [{"quote": "Anna", "label": "PER",},]}',
        '<think>Is {Anna} a name?</think>{"entities": [{"quote": "Anna", "label": "PER"}]}',
        '{"PER": ["Anna"]}',
        '{"mentions": [{"mention": "Anna", "label": "PER"}]}',
        '[["Anna", "PER"]]',
        "1. Anna | PER",
        "Entities:\n- Anna | PER\n",
        '1) "Anna" | **PER**',
        "Anna | PER",
    ],
)
def test_mentions_in_all_their_dresses(text) -> None:
    assert read_mentions(text) == ANNA


@pytest.mark.parametrize("text", ['{"entities": []}', "[]", "None.", "no entities found", "N/A"])
def test_nothing_found_is_an_answer(text) -> None:
    assert read_mentions(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "I could not say.",
        '{"entities": [{"quote": "Anna"}]}',
        '{"entities": "Anna"}',
        '{"entities": [{"quote": "Anna", "label": "PE',
        '{"entities": [3]}',
        "[" * 100_000,
        '{"a": ' * 50_000,
        "",
    ],
)
def test_what_is_no_answer_is_an_error_and_nothing_else(text) -> None:
    with pytest.raises(ValueError, match="."):
        read_mentions(text)


def test_occurrence_and_confidence() -> None:
    text = (
        '[{"quote": "a", "label": "X", "occurrence": 2, "confidence": 90},'
        '{"quote": "b", "label": "X", "occurrence": "x", "confidence": "80%"},'
        '{"quote": "c", "label": "X", "confidence": NaN}]'
    )
    assert read_mentions(text) == [
        Mention("a", "X", 2, 0.9),
        Mention("b", "X", 0, 0.8),
        Mention("c", "X"),
    ]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ('{"answer": "spam"}', ["SPAM"]),
        ("Spam.", ["SPAM"]),
        ("The text sells things.\nAnswer: SPAM", ["SPAM"]),
        ('{"answers": ["HAM", "SPAM"]}', ["HAM", "SPAM"]),
        ('```\n{"label": "ham"}\n```', ["HAM"]),
    ],
)
def test_choices(text, chosen) -> None:
    assert read_choice(text, ("SPAM", "HAM"))[0] == chosen


@pytest.mark.parametrize("text", ['{"answer": "EGGS"}', "spam or ham", '{"x": 1}', "", "null"])
def test_no_answer_outside_the_closed_set(text) -> None:
    with pytest.raises(ValueError, match="closed set"):
        read_choice(text, ("SPAM", "HAM"))


@given(st.text(max_size=200))
def test_readers_raise_value_error_only(text) -> None:
    for read in (read_json, read_mentions, lambda t: read_choice(t, ("a", "b"))):
        with contextlib.suppress(ValueError):
            read(text)


@given(st.binary(max_size=200))
def test_any_body_gives_a_status(body) -> None:
    assert read_reply(body).status is Status.UNPARSABLE
    assert usage(body) is None


def body(**choice) -> bytes:
    import json

    return json.dumps({"choices": [choice]}).encode()


def test_refusals_and_cut_answers_come_before_parsing() -> None:
    good = '{"entities": []}'
    cases = {
        Status.OK: body(message={"content": good}, finish_reason="stop"),
        Status.TRUNCATED: body(message={"content": good}, finish_reason="length"),
        Status.REFUSED: body(message={"content": None, "refusal": "no\nway"}),
        Status.UNPARSABLE: body(message={"content": None}),
    }
    assert {read_reply(b).status: b for b in cases.values()} == cases
    assert read_reply(cases[Status.REFUSED]).reason == "no way"
    filtered = body(message={"content": ""}, finish_reason="content_filter")
    assert read_reply(filtered).status is Status.REFUSED
    assert one_line("a\x1b[31m\r\nb") == "a [31m b"


def tokens(*parts: tuple[str, dict[str, float]]) -> list[Token]:
    return [
        Token(text, tuple((t, math.log(p)) for t, p in ({text: 0.0} | tops).items() if p))
        for text, tops in parts
    ]


def test_label_probability_ignores_fixed_json_and_other_words() -> None:
    answer = '{"answer":"PER"}'
    found = label_probabilities(
        tokens(
            ('{"', {'{"': 0.2}),
            ("answer", {"answer": 0.3}),
            ('":"', {'":"': 0.5}),
            ("PER", {"PER": 0.6, "ORG": 0.2, "Hello": 0.2}),
            ('"}', {'"}': 0.9}),
        ),
        answer.index("PER"),
        ["PER", "ORG", "LOC"],
    )
    assert found == pytest.approx({"PER": 0.75, "ORG": 0.25, "LOC": 0.0})


def test_labels_with_a_common_beginning_part_where_they_part() -> None:
    found = label_probabilities(
        tokens(
            ('"', {'"': 1.0}),
            ("POS", {"POS": 0.8, "NEG": 0.2}),
            ("ITIVE", {"ITIVE": 0.5, "ITION": 0.5}),
            ('"', {'"': 1.0}),
        ),
        1,
        ["POSITIVE", "POSITION", "NEGATIVE"],
    )
    assert found == pytest.approx({"POSITIVE": 0.4, "POSITION": 0.4, "NEGATIVE": 0.2})


def test_a_token_that_begins_before_the_label() -> None:
    found = label_probabilities(
        tokens(('{"label":', {}), (' "A', {' "A': 0.7, ' "B': 0.3}), ('"}', {'"}': 1.0})),
        11,
        ["A", "B"],
    )
    assert found == pytest.approx({"A": 0.7, "B": 0.3})


def test_a_quote_cannot_fake_the_place_of_a_label() -> None:
    import json

    text = json.dumps({"entities": [{"quote": 'x", "label": "ORG', "label": "PER"}]})
    assert [text[p : p + 3] for p in label_places(text)] == ["PER"]


def test_bins_are_few_and_never_zero() -> None:
    assert {binned(i / 100) for i in range(101)} == {0.2, 0.4, 0.6, 0.8, 1.0}
    assert [binned(k / 5) for k in range(1, 6)] == [0.2, 0.4, 0.6, 0.8, 1.0]
