"""Write, read back: the same text, spans and classes at the same places, the same bytes again."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.round_trip import (
    FORMATS,
    TASKS,
    TOKEN_LEVEL,
    corpus,
    places,
    random_spans,
    read_back,
    round_trip,
)
from weaklabel import Corpus, Task
from weaklabel.formats import readers, write, writers
from weaklabel.formats.record import Record

NO_IDS = ("conll",)
NO_CLASSES = ("conll", "conllu")
ALPHABET = st.one_of(
    st.sampled_from(
        "ab .,\t\r\n\u00a0\u2028\u200d\u0301\ufe0f👩🇳🇴👍🏽שم東\x00\x0b\x1c\x85|\\\"'=_-#"
    ),
    st.characters(exclude_categories=["Cs"]),
)


def test_every_format_with_both_sides_is_in_the_round_trip() -> None:
    assert set(FORMATS) == set(readers.names()) & set(writers.names())


@pytest.mark.parametrize("name", FORMATS)
def test_every_span_comes_back(name: str) -> None:
    ok, total = round_trip(name)
    assert ok == total > 900


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(ALPHABET, max_size=30), min_size=1, max_size=3), seed=st.integers(0))
def test_any_text_comes_back(name: str, texts: list[str], seed: int) -> None:
    shard = Corpus.from_texts(texts, lang="xx").one_shard()
    records = []
    for d, text in enumerate(shard.texts):
        low, high = shard.indptr[d], shard.indptr[d + 1]
        offsets = (shard.starts[low:high].tolist(), shard.ends[low:high].tolist())
        tokens = tuple(zip(*offsets, strict=True))
        records.append(Record(f"d{d}", text, tokens, (), random_spans(tokens, random.Random(seed))))
    with TemporaryDirectory() as folder:
        documents = read_back(name, records, TASKS, Path(folder))
    assert len(documents) == len(records)
    for record, document in zip(records, documents, strict=True):
        assert places(name, document) == places(name, record)
        if name not in TOKEN_LEVEL:
            lost = name == "conllu" and not record.tokens
            assert document.text == ("" if lost else record.text)
        if document.tokens is not None:
            assert len(document.tokens) == len(record.tokens)


@pytest.mark.parametrize("name", FORMATS)
def test_ids_classes_and_bytes(name: str, tmp_path: Path) -> None:
    tasks = {
        "spans": TASKS["spans"],
        "topic": Task("classes", ("sport", "trade, money"), name="topic"),
    }
    probabilities = {"sport": 0.25, "trade, money": 0.75}
    records = [replace(r, classes=probabilities, chosen=("trade, money",)) for r in corpus(1)]
    documents = read_back(name, records, tasks, tmp_path)
    first = (tmp_path / f"out.{name}").read_bytes()
    read_back(name, iter(records), tasks, tmp_path)
    assert (tmp_path / f"out.{name}").read_bytes() == first
    for record, document in zip(records, documents, strict=True):
        if name not in NO_IDS:
            assert document.id == record.id
        if name not in NO_CLASSES:
            assert set(document.classes.values()) == {("trade, money",)}


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in NO_CLASSES])
def test_several_classes_at_once(name: str, tmp_path: Path) -> None:
    task = Task("classes", ("a", "b", "c"), multi=True)
    many = Record("1", "x", ((0, 1),), classes={"a": 0.9, "b": 0.2, "c": 0.8}, chosen=("a", "c"))
    settings_ = {"multi": True} if name == "docbin" else {}
    write(name, tmp_path / "out", [many], {"classes": task})
    if name == "labelbox":
        write("jsonl", tmp_path / "texts.jsonl", [many], {})
        settings_ = {"texts": tmp_path / "texts.jsonl"}
    [document] = readers.make(name, path=tmp_path / "out", **settings_)
    assert list(document.classes.values()) == [("a", "c")]


@pytest.mark.parametrize("name", ["jsonl", "csv", "docbin", "label_studio", "doccano", "kili"])
def test_nested_spans_come_back(name: str, tmp_path: Path) -> None:
    flat = corpus(1)[0]
    inner = flat.spans[0]._replace(end=flat.spans[0].start + 4, layer=1, label="LOC")
    record = replace(flat, spans=(inner, *flat.spans))
    [document] = read_back(name, [record], TASKS, tmp_path)
    assert places(name, document) == places(name, record)


@pytest.mark.parametrize("name", ["conll", "conllu", "huggingface", "sagemaker"])
def test_what_has_no_room_is_counted(name: str, tmp_path: Path) -> None:
    flat = corpus(1)[0]
    inner = flat.spans[0]._replace(end=flat.spans[0].start + 4, layer=1, label="LOC")
    record = replace(flat, spans=(inner, *flat.spans))
    written = write(name, tmp_path / "out", [record], TASKS)
    assert written.left_out == {"inside or across another": 1}
    assert written.spans == len(flat.spans)


def test_spans_off_the_tokens_are_counted(tmp_path: Path) -> None:
    record = corpus(1)[0]
    torn = replace(record, spans=(record.spans[0]._replace(end=record.spans[0].end - 1),))
    for name in ("conll", "conllu", "docbin", "huggingface", "prodigy"):
        written = write(name, tmp_path / "out", [torn], TASKS)
        assert written.left_out == {"not on whole tokens": 1}, name


def test_graphemes_for_doccano(tmp_path: Path) -> None:
    record = corpus(1)[1]
    write("doccano", tmp_path / "g.jsonl", [record], TASKS, unit="grapheme")
    [document] = readers.make("doccano", path=tmp_path / "g.jsonl", unit="grapheme")
    places_ = {(s.start, s.end) for s in document.spans["gold"]}
    assert places_ <= {(s.start, s.end) for s in record.spans}


@pytest.mark.parametrize("name", writers.names())
def test_writers_read_their_records_once_and_leave_nothing_half_written(
    name: str, tmp_path: Path
) -> None:
    def breaks():
        yield from corpus(1)
        raise RuntimeError("the records end here")

    target = tmp_path / "out"
    target.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="the records end here"):
        write(name, target, breaks(), TASKS)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
