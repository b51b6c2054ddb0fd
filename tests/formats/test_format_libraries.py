"""What we write, read by the libraries it is written for."""

from __future__ import annotations

import datetime
import decimal
import json
from dataclasses import replace
from pathlib import Path

import conllu
import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from label_studio_sdk.label_interface import LabelInterface
from spacy.tokens import DocBin

from benchmarks.round_trip import TASKS, corpus
from weaklabel import Task
from weaklabel.formats import read, write
from weaklabel.formats.label_studio import label_config
from weaklabel.formats.record import Record, RecordSpan

TOPIC = Task("classes", ("sport", "trade"), name="topic")
TONE = Task("classes", ("dry", "warm", 'a "b" <c> & d'), multi=True, name="tone")
ALL = {**TASKS, "topic": TOPIC, "tone": TONE}


def labelled(copies: int = 2) -> list[Record]:
    classes = {"sport": 0.9, "trade": 0.1, "dry": 0.8, "warm": 0.2, 'a "b" <c> & d': 0.7}
    chosen = ("sport", "dry", 'a "b" <c> & d')
    return [replace(record, classes=classes, chosen=chosen) for record in corpus(copies)]


def test_label_studio_validates_every_prediction(tmp_path: Path) -> None:
    records = labelled()
    write("label_studio", tmp_path / "a.json", records, ALL, model_version="v1")
    interface = LabelInterface((tmp_path / "a.json.config.xml").read_text())
    assert interface.validate() is None
    tasks = json.loads((tmp_path / "a.json").read_text())
    assert len(tasks) == len(records)
    for task, record in zip(tasks, records, strict=True):
        [prediction] = task["predictions"]
        assert interface.validate_prediction(prediction)
        assert (prediction["model_version"], prediction["score"]) == ("v1", round(record.least, 6))
        units = task["data"]["text"].encode("utf-16-le")
        for result in prediction["result"]:
            if result["type"] == "labels":
                value = result["value"]
                there = units[2 * value["start"] : 2 * value["end"]].decode("utf-16-le")
                assert there == value["text"]
    wrong = {"result": [{**tasks[0]["predictions"][0]["result"][0]}]}
    wrong["result"][0]["value"] = {**wrong["result"][0]["value"], "labels": ["NOBODY"]}
    assert not interface.validate_prediction(wrong)


def test_label_studio_annotations_are_decisions(tmp_path: Path) -> None:
    record = replace(labelled(1)[0], decided_spans=(RecordSpan(30, 34, "LOC"),), complete=True)
    write("label_studio", tmp_path / "a.json", [record], ALL)
    interface = LabelInterface(label_config(ALL))
    [task] = json.loads((tmp_path / "a.json").read_text())
    assert interface.validate_annotation(task["annotations"][0])
    [document] = read("label_studio", tmp_path / "a.json")
    assert [(s.start, s.end, s.label) for s in document.spans["gold"]] == [(30, 34, "LOC")]
    assert len(document.spans["predicted"]) == len(record.spans)


def test_datasets_loads_features_and_rows(tmp_path: Path) -> None:
    records = [replace(record, chosen=("sport",)) for record in labelled()]
    write("huggingface", tmp_path / "a.parquet", records, {**TASKS, "topic": TOPIC})
    data = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"), cache_dir=str(tmp_path))
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
    assert data.features["ner_tags"] == datasets.List(datasets.ClassLabel(names=names))
    assert data.features["label"] == datasets.ClassLabel(names=["sport", "trade"])
    for row, record in zip(data, records, strict=True):
        assert row["tokens"] == [record.text[a:b] for a, b in record.tokens]
        assert row["label"] == 0
        begins = [tag for tag in row["ner_tags"] if tag % 2]
        assert len(begins) == len(record.spans)
        for tag, probabilities in zip(row["ner_tags"], row["ner_probs"], strict=True):
            assert sum(probabilities) == pytest.approx(1, abs=1e-6)
            assert tag == 0 or probabilities[tag] >= 0.5
        assert row["label_probs"] == pytest.approx([0.9, 0.1], abs=1e-6)


def test_what_datasets_writes_is_read(tmp_path: Path) -> None:
    names = ["O", "B-PER", "I-PER"]
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=names)),
            "label": datasets.ClassLabel(names=["no", "yes"]),
        }
    )
    rows = {"tokens": [["Anna", "Berg"], []], "ner_tags": [[1, 2], []], "label": [1, -1]}
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(str(tmp_path / "a.parquet"))
    first, second = read("huggingface", tmp_path / "a.parquet")
    assert first.text == "Anna Berg"
    assert [(s.start, s.end, s.label) for s in first.spans["gold"]] == [(0, 9, "PER")]
    assert (first.classes, second.classes) == ({"gold": ("yes",)}, {})
    assert second.spans == {"gold": ()}


def test_conllu_parses_every_sentence(tmp_path: Path) -> None:
    records = labelled()
    write("conllu", tmp_path / "a.conllu", records, TASKS)
    sentences = conllu.parse((tmp_path / "a.conllu").read_bytes().decode())
    tokens = [token for sentence in sentences for token in sentence]
    assert len(tokens) == sum(len(record.tokens) for record in records)
    begins = [t for t in tokens if ((t["misc"] or {}).get("NER") or "O").startswith("B-")]
    assert len(begins) == sum(len(record.spans) for record in records)
    plain = [s for s in sentences if "newdoc id" in s.metadata]
    assert plain[0].metadata["newdoc id"] == "d0"
    assert plain[0].metadata["text"] == records[0].text


def test_conllu_of_others_with_ranges_and_empty_nodes(tmp_path: Path) -> None:
    rest = "\t_" * 7
    lines = [
        "# sent_id = x1",
        "# text = vámonos al mar",
        f"1-2\tvámonos{rest}\t_",
        f"1\tvamos{rest}\t_",
        f"2\tnos{rest}\t_",
        f"3-4\tal{rest}\tNER=B-LOC",
        f"3\ta{rest}\t_",
        f"4\tel{rest}\t_",
        f"4.1\tghost{rest}\t_",
        f"5\tmar{rest}\tNER=I-LOC|SpaceAfter=No",
        f"6\t!{rest}\t_",
        "",
        f"1\tFin{rest}\t_",
        "",
    ]
    (tmp_path / "a.conllu").write_text("\n".join(lines), encoding="utf-8")
    first, second = read("conllu", tmp_path / "a.conllu")
    assert (first.id, first.text.rstrip()) == ("x1", "vámonos al mar!")
    assert [first.text[s.start : s.end] for s in first.spans["gold"]] == ["al mar"]
    assert second.text.rstrip() == "Fin"


def test_spacy_reads_ents_groups_and_cats(tmp_path: Path) -> None:
    records = labelled()
    inner = RecordSpan(0, 4, "LOC", 0.6, layer=1)
    records[0] = replace(records[0], spans=(RecordSpan(0, 9, "PER", 0.9), inner))
    write("docbin", tmp_path / "a.spacy", records, ALL)
    docs = list(DocBin().from_disk(tmp_path / "a.spacy").get_docs(spacy.blank("xx").vocab))
    assert [doc.text for doc in docs] == [record.text for record in records]
    assert [(e.start_char, e.end_char, e.label_) for e in docs[0].ents] == [(0, 9, "PER")]
    assert [s.text for s in docs[0].spans["sc"]] == ["Anna Berg", "Anna"]
    assert docs[0].spans["sc"].attrs["scores"] == [0.9, 0.6]
    assert docs[0].cats == records[0].classes
    for doc, record in zip(docs[1:], records[1:], strict=True):
        found = {(e.start_char, e.end_char, e.label_) for e in doc.ents}
        assert found == {(s.start, s.end, s.label) for s in record.spans}


def test_what_spacy_writes_is_read(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    doc = nlp("Anna  Berg\n lives. Here.")
    doc.ents = [doc.char_span(0, 10, label="PER")]
    doc.cats = {"a": 0.2, "b": 0.8}
    bare = nlp("nothing said")
    DocBin(docs=[doc, bare]).to_disk(tmp_path / "a.spacy")
    first, second = read("docbin", tmp_path / "a.spacy")
    assert first.text == doc.text
    assert [(s.start, s.end, s.label) for s in first.spans["gold"]] == [(0, 10, "PER")]
    assert first.classes == {"gold": ("b",)}
    assert [first.text[a:b] for a, b in first.tokens] == [t.text for t in doc if not t.is_space]
    assert (second.spans, second.classes) == ({}, {})


def test_argilla_takes_every_record(tmp_path: Path) -> None:
    rg = pytest.importorskip("argilla")
    write("argilla", tmp_path / "a.json", labelled(), ALL)
    for row in json.loads((tmp_path / "a.json").read_text()):
        assert rg.Record.from_dict(row).to_dict()["suggestions"] == row["suggestions"]


def test_docbin_in_several_files(tmp_path: Path) -> None:
    records = corpus(1)
    write("docbin", tmp_path / "all", records, TASKS, documents_per_file=4)
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == [
        "00000.spacy",
        "00001.spacy",
        "00002.spacy",
    ]
    assert [d.id for d in read("docbin", tmp_path / "all")] == [record.id for record in records]
    write("docbin", tmp_path / "all", records[:5], TASKS, documents_per_file=4)
    assert len(list((tmp_path / "all").iterdir())) == 2
    write("docbin", tmp_path / "none.spacy", [], TASKS)
    assert list(DocBin().from_disk(tmp_path / "none.spacy").get_docs(spacy.blank("xx").vocab)) == []


def test_parquet_columns_of_any_kind(tmp_path: Path) -> None:
    spans = [[{"start": 0, "end": 4, "label": "PER"}], None]
    table = pa.table(
        {
            "text": ["Anna", "b"],
            "id": [7, 8],
            "label": [["x", "y"], None],
            "spans": spans,
            "day": [datetime.date(2026, 1, 2), None],
            "price": [decimal.Decimal("1.50"), None],
            "raw": [b"\xff", None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = read("parquet", tmp_path / "a.parquet")
    assert (first.id, first.classes) == ("7", {"gold": ("x", "y")})
    assert first.fields == {"day": "2026-01-02", "price": "1.50", "raw": None}
    assert [(s.start, s.end, s.label) for s in first.spans["gold"]] == [(0, 4, "PER")]
    assert (second.spans, second.classes) == ({}, {})
