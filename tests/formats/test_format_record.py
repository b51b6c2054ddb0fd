"""Shard and labels -> records: characters, reasons, decisions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.errors import VotesError
from weaklabel.formats import write
from weaklabel.formats.placing import flat, sentences
from weaklabel.formats.record import Record, RecordSpan, Written, records
from weaklabel.formats.registry import is_joinable, writers

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


def random_labels(seed: int, task: wl.Task, n_tokens: np.ndarray) -> wl.SpanLabels:
    dice = np.random.default_rng(seed)
    places = sorted(
        {
            (d, int(a), int(dice.integers(a + 1, n + 1)))
            for d, n in enumerate(n_tokens.tolist())
            for a in dice.integers(0, max(n, 1), size=6)
            if n
        }
    )
    document, start, end = np.array(places).reshape(-1, 3).T
    n = len(places)
    votes = dice.integers(0, 4, size=n)
    total = int(votes.sum())
    why = wl.Reasons(
        ("list", "prompt", "rule"),
        np.concatenate([[0], np.cumsum(votes)]),
        dice.integers(0, 3, size=total).astype(np.int32),
        dice.integers(0, len(task.vote_labels), size=total).astype(np.int16),
        np.zeros(total, dtype=np.int8),
        dice.choice([0.0, -1e-6, 0.5, dice.normal()], size=total).astype(np.float32),
    )
    probability = dice.dirichlet(np.ones(len(task.labels) + 1), size=n)[:, :-1]
    chosen = dice.integers(-1, len(task.labels), size=n).astype(np.int16)
    layer = dice.integers(0, 3, size=n).astype(np.int8)
    columns = (document, start.astype(np.int32), end.astype(np.int32), probability, chosen, layer)
    return wl.SpanLabels(task, n_tokens, *columns, why)


def one_by_one(shard: wl.Shard, labels: wl.SpanLabels, d: int) -> list[RecordSpan]:
    """The spans of a document, looked up row by row."""
    base, found, why = int(shard.indptr[d]), [], labels.reasons
    for i in np.flatnonzero((labels.document == d) & (labels.chosen >= 0)).tolist():
        rows = range(int(why.indptr[i]), int(why.indptr[i + 1]))
        found.append(
            RecordSpan(
                int(shard.starts[base + labels.start[i]]),
                int(shard.ends[base + labels.end[i] - 1]),
                labels.task.labels[labels.chosen[i]],
                float(labels.probability[i, labels.chosen[i]]),
                int(labels.layer[i]),
                tuple(
                    (
                        why.sources[why.source[r]],
                        labels.task.vote_labels[why.label[r]],
                        float(why.weight[r]),
                    )
                    for r in rows
                ),
            )
        )
    return found


@pytest.mark.parametrize("seed", range(8))
def test_records_against_looking_up_row_by_row(seed: int, tmp_path: Path) -> None:
    texts = ["Anna Berg left Oslo for good", "", 'a "b"\t\u2028 c\\ 🙂', "x", " "]
    shard = wl.Corpus.from_texts(texts).one_shard()
    other = wl.Task("spans", ("TIME", "DATE"), name="times")
    by_task = {
        "names": random_labels(seed, SPANS, shard.n_tokens),
        "times": random_labels(seed + 100, other, shard.n_tokens),
    }
    found = list(records(shard, by_task))
    for d, record in enumerate(found):
        spans = [span for labels in by_task.values() for span in one_by_one(shard, labels, d)]
        assert record.spans == tuple(sorted(spans, key=lambda s: (s.start, s.end, s.label)))
        low, high = shard.indptr[d], shard.indptr[d + 1]
        places = zip(shard.starts[low:high].tolist(), shard.ends[low:high].tolist(), strict=True)
        assert record.tokens == tuple(places)
    write("jsonl", tmp_path / "a", found, {"names": SPANS, "times": other}, tokens=True)
    lines = (tmp_path / "a").read_text().split("\n")
    for line, record in zip(lines, found, strict=False):
        row = json.loads(line)
        assert json.dumps(row, ensure_ascii=False) == line
        assert row["tokens"] == [list(pair) for pair in record.tokens]
        assert row["spans"] == [
            {
                "start": span.start,
                "end": span.end,
                "label": span.label,
                "probability": round(span.probability, 6),
                **({"layer": span.layer} if span.layer else {}),
                **(
                    {"sources": [[s, k, round(w, 4)] for s, k, w in span.sources]}
                    if span.sources
                    else {}
                ),
            }
            for span in record.spans
        ]


JOINABLE = [name for name in writers.own_names() if is_joinable(name)]


@pytest.mark.parametrize("name", JOINABLE)
def test_parts_of_a_joinable_format_make_the_whole(name: str, tmp_path: Path) -> None:
    shard = wl.Corpus.from_texts(["Anna left Oslo", "", "b c d e f", "x y", "z"]).one_shard()
    labels = random_labels(3, SPANS, shard.n_tokens)
    rows = [
        replace(r, decided_spans=r.spans[:1] if r.spans else None)
        for r in records(shard, {"names": labels})
    ]
    whole = write(name, tmp_path / "whole", rows, {"names": SPANS})
    parts = [tmp_path / str(i) for i in range(3)]
    counts = [
        write(name, part, rows[2 * i : 2 * i + 2], {"names": SPANS}) for i, part in enumerate(parts)
    ]
    assert sum(counts, Written()) == whole
    assert b"".join(part.read_bytes() for part in parts) == (tmp_path / "whole").read_bytes()


def test_formats_with_a_head_or_a_foot_are_not_joinable() -> None:
    assert {"jsonl", "conll", "chat"} <= set(JOINABLE)
    assert not {"csv", "label_studio", "kili", "argilla", "docbin", "huggingface"} & set(JOINABLE)
