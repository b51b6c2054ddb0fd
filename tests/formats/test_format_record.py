"""Shard and labels -> records: characters, reasons, decisions."""

from __future__ import annotations

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.errors import VotesError
from weaklabel.formats.placing import flat, sentences
from weaklabel.formats.record import Record, RecordSpan, Written, records

SPANS = wl.Task("spans", ("PER", "LOC"), name="names")
TOPIC = wl.Task("classes", ("sport", "trade"), name="topic")
TEXTS = ["🙂 Anna Berg left Oslo", "", "a b c"]


def reasons() -> wl.Reasons:
    return wl.Reasons(
        ("list", "prompt"),
        np.array([0, 2, 2, 3]),
        np.array([0, 1, 1], dtype=np.int32),
        np.array([0, 0, 1], dtype=np.int16),
        np.zeros(3, dtype=np.int8),
        np.array([1.5, 0.25, 2.0], dtype=np.float32),
    )


def labelled() -> tuple[wl.Shard, wl.SpanLabels, wl.ClassLabels]:
    shard = wl.Corpus.from_texts(TEXTS).one_shard()
    spans = wl.SpanLabels(
        SPANS,
        shard.n_tokens,
        document=np.array([0, 0, 0]),
        start=np.array([1, 2, 4], dtype=np.int32),
        end=np.array([3, 3, 5], dtype=np.int32),
        probability=np.array([[0.9, 0.05], [0.2, 0.1], [0.1, 0.8]]),
        chosen=np.array([0, -1, 1], dtype=np.int16),
        layer=np.zeros(3, dtype=np.int8),
        reasons=reasons(),
    )
    classes = wl.ClassLabels(
        TOPIC, np.array([[0.3, 0.7], [0.5, 0.5], [0.5, 0.5]]), np.array([True, False, True])
    )
    return shard, spans, classes


def test_records_hold_characters_and_reasons() -> None:
    shard, spans, classes = labelled()
    first, second, third = records(shard, {"names": spans, "topic": classes})
    assert [first.text[s.start : s.end] for s in first.spans] == ["Anna Berg", "Oslo"]
    assert [(s.label, s.probability) for s in first.spans] == [("PER", 0.9), ("LOC", 0.8)]
    assert first.spans[0].sources == (("list", "PER", 1.5), ("prompt", "PER", 0.25))
    assert first.spans[1].sources == (("prompt", "LOC", 2.0),)
    assert first.classes == {"sport": 0.3, "trade": 0.7}
    assert (first.chosen, second.chosen, third.chosen) == (("trade",), (), ("sport",))
    assert (second.tokens, second.spans) == ((), ())
    assert (first.decided_spans, first.decided_classes, first.complete) == (None, None, False)
    assert first.least == 0.7


def corrected(rows, complete=()) -> list[tuple[str, str]] | None:
    shard, spans, _ = labelled()
    document, start, end, label = zip(*rows, strict=True) if rows else ((),) * 4
    gold = wl.Gold.build(
        SPANS,
        shard.n_tokens,
        document=document,
        start=start,
        end=end,
        label=label,
        complete=complete,
    )
    record = next(iter(records(shard, {"names": spans}, {"names": gold})))
    assert record.complete == (0 in complete)
    if record.decided_spans is None:
        return None
    return [(record.text[s.start : s.end], s.label) for s in record.decided_spans]


def test_what_persons_decided_replaces_what_it_touches() -> None:
    anna, oslo = ("Anna Berg", "PER"), ("Oslo", "LOC")
    assert corrected([]) is None
    assert corrected([(0, 1, 3, -1)]) == [oslo]
    assert corrected([(0, 1, 2, -1)]) == [anna, oslo]
    assert corrected([(0, 4, 5, 0)]) == [anna, ("Oslo", "PER")]
    assert corrected([(0, 2, 3, 1)]) == [("Berg", "LOC"), oslo]
    assert corrected([(0, 3, 4, 1)]) == [anna, ("left", "LOC"), oslo]
    assert corrected([(0, 2, 3, 1)], complete=[0, 2]) == [("Berg", "LOC")]
    assert corrected([], complete=[0]) == []


def test_decided_classes() -> None:
    shard, _, classes = labelled()
    gold = wl.Gold.build(TOPIC, shard.n_tokens, document=[1], label=[0])
    rows = list(records(shard, {"topic": classes}, {"topic": gold}))
    assert [r.decided_classes for r in rows] == [None, ("sport",), None]
    assert [r.complete for r in rows] == [False, True, False]


def test_tasks_in_one_record_must_not_share_labels() -> None:
    shard, _, classes = labelled()
    task = wl.Task("classes", ("trade", "war"), name="other")
    other = wl.ClassLabels(task, classes.probability, classes.covered)
    with pytest.raises(VotesError, match="tasks 'topic' and 'other' share the label 'trade'"):
        list(records(shard, {"topic": classes, "other": other}))


def test_flat_keeps_outer_spans_and_counts_the_rest() -> None:
    def span(layer: int) -> RecordSpan:
        return RecordSpan(0, 1, "X", layer=layer)

    written = Written()
    placed = [(0, 3, span(0)), (1, 2, span(1)), (2, 5, span(0)), (5, 6, span(0))]
    assert [(a, b) for a, b, _ in flat(placed, 6, written)] == [(0, 3), (5, 6)]
    assert written.left_out == {"inside or across another": 2}


def test_sentences_are_given_or_lines_and_never_cut_a_span() -> None:
    text = "Anna\nBerg left\nOslo"
    tokens = ((0, 4), (5, 9), (10, 14), (15, 19))
    span = RecordSpan(0, 9, "PER")
    assert sentences(Record("1", text, tokens), []) == [(0, 1), (1, 3), (3, 4)]
    assert sentences(Record("1", text, tokens), [(0, 2, span)]) == [(0, 3), (3, 4)]
    assert sentences(Record("1", text, tokens, (0, 2)), []) == [(0, 2), (2, 4)]
    assert sentences(Record("1", ""), []) == []
