"""Exports of annotation tools, as the tools write them, and training files for language models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from weaklabel import Task
from weaklabel.corpus import Document
from weaklabel.formats import read, write
from weaklabel.formats.record import Record, RecordSpan

TEXT = "🙂 Anna Berg joined Acme Corp."
SPANS = Task("spans", ("PER", "ORG"))
TOPIC = Task("classes", ("sport", "trade"), name="topic")
PER, ORG = RecordSpan(2, 11, "PER", 0.9), RecordSpan(19, 28, "ORG", 0.8)


def only(name: str, content, tmp_path: Path, **settings) -> Document:
    (tmp_path / "a.json").write_text(json.dumps(content, ensure_ascii=False))
    [document] = read(name, tmp_path / "a.json", **settings)
    return document


def texts(document: Document, layer: str) -> list[tuple[str, str]]:
    return [(document.text[s.start : s.end], s.label) for s in document.spans[layer]]


def region(start: int, end: int, label: str) -> dict:
    value = {"start": start, "end": end, "text": "ignored", "labels": [label]}
    return {"id": f"x{start}", "from_name": "l", "to_name": "t", "type": "labels", "value": value}


def test_label_studio_takes_the_last_that_was_not_cancelled(tmp_path: Path) -> None:
    choice = {"type": "choices", "value": {"choices": ["trade"]}}
    task = {
        "id": 7,
        "data": {"text": TEXT, "source": "wire"},
        "annotations": [
            {"completed_by": 1, "result": [region(3, 7, "PER")]},
            {
                "completed_by": {"id": 2},
                "result": [region(20, 29, "ORG"), region(3, 12, "PER"), choice],
            },
            {"completed_by": 3, "was_cancelled": True, "result": []},
        ],
        "predictions": [],
    }
    document = only("label_studio", [task], tmp_path, annotators=True)
    assert document.id == "7"
    assert document.fields == {"source": "wire"}
    assert texts(document, "gold") == [("Anna Berg", "PER"), ("Acme Corp", "ORG")]
    assert texts(document, "annotator 1") == [("Anna", "PER")]
    assert document.classes == {"gold": ("trade",), "annotator 2": ("trade",)}
    assert set(document.spans) == {"gold", "annotator 1", "annotator 2"}
    task["annotations"][0]["ground_truth"] = True
    assert texts(only("label_studio", [task], tmp_path), "gold") == [("Anna", "PER")]
    task["annotations"] = task["annotations"][2:]
    assert only("label_studio", [task], tmp_path).spans == {}
    named_by_id = {"id": 7, "data": {"text": TEXT}, "predictions": [12]}
    assert only("label_studio", [named_by_id], tmp_path).spans == {}


def test_doccano_in_all_its_forms(tmp_path: Path) -> None:
    relation = {
        "text": TEXT,
        "entities": [{"id": 0, "start_offset": 2, "end_offset": 11, "label": "PER"}],
        "relations": [],
    }
    assert texts(only("doccano", relation, tmp_path), "gold") == [("Anna Berg", "PER")]
    listed = {"id": 3, "text": TEXT, "label": [[19, 28, "ORG"], [2, 11, "PER"]], "Comments": []}
    document = only("doccano", listed, tmp_path)
    assert (document.id, document.fields) == ("3", {})
    assert texts(document, "gold") == [("Anna Berg", "PER"), ("Acme Corp", "ORG")]
    classed = only("doccano", {"text": TEXT, "label": ["trade"]}, tmp_path)
    assert (classed.spans, classed.classes) == ({}, {"gold": ("trade",)})
    both = only(
        "doccano", {"text": TEXT, "cats": ["trade"], "entities": [[2, 11, "PER"]]}, tmp_path
    )
    assert (len(both.spans["gold"]), both.classes["gold"]) == (1, ("trade",))


def test_doccano_counts_graphemes_where_the_project_does(tmp_path: Path) -> None:
    record = {"text": "👩‍👩‍👧 Zoë\u0301 lives", "label": [[2, 5, "PER"]]}
    document = only("doccano", record, tmp_path, unit="grapheme")
    assert texts(document, "gold") == [("Zoë\u0301", "PER")]


def test_argilla_responses_are_gold_and_suggestions_predicted(tmp_path: Path) -> None:
    answer = [{"start": 2, "end": 11, "label": "PER"}]
    record = {
        "id": "d1",
        "fields": {"text": TEXT},
        "metadata": {"source": "wire"},
        "suggestions": {"spans": {"value": [], "score": [], "agent": "m"}},
        "responses": {
            "spans": [{"value": [], "user_id": "u1"}, {"value": answer, "user_id": "u2"}],
            "topic": [{"value": "trade", "user_id": "u2"}],
        },
        "status": "completed",
    }
    document = only("argilla", [record], tmp_path, annotators=True)
    assert texts(document, "gold") == texts(document, "annotator u2") == [("Anna Berg", "PER")]
    assert document.spans["predicted"] == document.spans["annotator u1"] == ()
    assert document.classes == {"gold": ("trade",), "annotator u2": ("trade",)}
    answer[0] |= {"start": 3, "end": 12}
    assert texts(only("argilla", [record], tmp_path, unit="utf-16"), "gold") == [
        ("Anna Berg", "PER")
    ]


@pytest.mark.parametrize(
    ("answer", "layers"),
    [("accept", {"gold"}), ("reject", set()), ("ignore", set()), (None, {"predicted"})],
)
def test_prodigy_answers(answer, layers, tmp_path: Path) -> None:
    record = {
        "text": TEXT,
        "spans": [{"start": 2, "end": 11, "token_start": 1, "token_end": 2, "label": "PER"}],
        "accept": ["trade"],
        "_input_hash": 1,
        "_task_hash": 2,
        "meta": {"id": "d9"},
    }
    if answer:
        record["answer"] = answer
    document = only("prodigy", record, tmp_path)
    assert (document.id, document.fields) == ("d9", {})
    assert set(document.spans) == set(document.classes) == layers


def test_prodigy_token_ends_are_inclusive(tmp_path: Path) -> None:
    tokens = ((0, 1), (2, 6), (7, 11), (12, 18), (19, 23), (24, 28), (28, 29))
    record = Record("d", TEXT, tokens, spans=(PER, ORG))
    write("prodigy", tmp_path / "a.jsonl", [record], {"spans": SPANS})
    row = json.loads((tmp_path / "a.jsonl").read_text())
    assert [(s["token_start"], s["token_end"]) for s in row["spans"]] == [(1, 2), (4, 5)]
    assert [token["ws"] for token in row["tokens"]] == [True, True, True, True, True, False, False]
    assert [token["text"] for token in row["tokens"]] == TEXT.replace(".", " .").split()


def test_kili_export(tmp_path: Path) -> None:
    def label(kind: str, start: int, content: str) -> dict:
        found = {"categories": [{"name": "PER"}], "beginOffset": start, "content": content}
        job = {"NER_JOB": {"annotations": [found]}, "JOB_1": {"categories": [{"name": "trade"}]}}
        return {"labelType": kind, "jsonResponse": job}

    asset = {
        "externalId": "d1",
        "content": TEXT,
        "labels": [label("PREDICTION", 2, "Anna"), label("DEFAULT", 3, "Anna Berg")],
    }
    document = only("kili", [asset], tmp_path)
    assert texts(document, "predicted") == [("Anna", "PER")]
    assert texts(document, "gold") == [("Anna Berg", "PER")]
    assert document.classes["gold"] == ("trade",)


def test_labelbox_export(tmp_path: Path) -> None:
    entity = {"name": "PER", "annotation_kind": "TextEntity", "location": {"start": 2, "end": 10}}
    choices = [
        {"name": "topic", "radio_answer": {"name": "trade"}},
        {"name": "tone", "checklist_answers": [{"name": "dry"}, {"name": "warm"}]},
    ]
    made = {"objects": [entity], "classifications": choices}
    row = {
        "data_row": {"id": "c1", "global_key": "d1", "row_data": TEXT},
        "projects": {"p": {"labels": [{"annotations": made}]}},
    }
    document = only("labelbox", row, tmp_path)
    assert document.id == "d1"
    assert texts(document, "gold") == [("Anna Berg", "PER")]
    assert document.classes["gold"] == ("trade", "dry", "warm")
    assert texts(only("labelbox", row, tmp_path, end="exclusive"), "gold") == [("Anna Ber", "PER")]
    row["projects"] = {"p": {"labels": []}}
    assert only("labelbox", row, tmp_path).spans == {}


def test_sagemaker_tells_people_from_machines(tmp_path: Path) -> None:
    entities = [{"startOffset": 2, "endOffset": 11, "label": "PER"}]
    row = {
        "source": TEXT,
        "ner": {"annotations": {"entities": entities, "labels": [{"label": "PER"}]}},
        "ner-metadata": {"type": "groundtruth/text-span", "human-annotated": "yes"},
        "mood": "1",
        "mood-metadata": {
            "type": "groundtruth/text-classification",
            "class-name": "positive",
            "human-annotated": "no",
        },
        "shelf": 4,
    }
    document = only("sagemaker", row, tmp_path)
    assert texts(document, "gold") == [("Anna Berg", "PER")]
    assert document.classes == {"predicted": ("positive",)}
    assert document.fields == {"shelf": 4}


def test_jsonl_layers_fields_and_given_tokens(tmp_path: Path) -> None:
    row = {
        "text": "Anna Berg",
        "tokens": ["Anna", "Berg"],
        "spans": {"gold": [[0, 9, "PER"]], "list": [{"start": 0, "end": 4, "label": "PER"}]},
        "label": {"gold": "trade", "crowd": ["sport", "trade"]},
        "url": "x",
    }
    document = only("jsonl", row, tmp_path)
    assert document.tokens == ((0, 4), (5, 9))
    assert {layer: len(spans) for layer, spans in document.spans.items()} == {"gold": 1, "list": 1}
    assert document.classes == {"gold": ("trade",), "crowd": ("sport", "trade")}
    assert document.fields == {"url": "x"}
    bare = only("jsonl", {"tokens": ["Anna", "Berg"]}, tmp_path)
    assert (bare.text, bare.tokens) == ("Anna Berg", ((0, 4), (5, 9)))
    renamed = only("jsonl", {"body": "x", "key": 5}, tmp_path, text="body", id="key")
    assert (renamed.id, renamed.text) == ("5", "x")


def test_jsonl_says_who_voted_what(tmp_path: Path) -> None:
    told = PER._replace(sources=(("list", "PER", 1.23456),))
    record = Record("d", TEXT, spans=(told,), fields={"url": "x", "text": "never"})
    write("jsonl", tmp_path / "a", [record], {"spans": SPANS}, model_version="m1")
    assert json.loads((tmp_path / "a").read_text()) == {
        "id": "d",
        "text": TEXT,
        "spans": [
            {
                "start": 2,
                "end": 11,
                "label": "PER",
                "probability": 0.9,
                "sources": [["list", "PER", 1.2346]],
            }
        ],
        "model": "m1",
        "url": "x",
    }


def test_csv_leaves_text_alone_and_keeps_other_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('text\tlabel\tpage\n"=1+1\r\nx"\ttrade\t3\n', newline="")
    [document] = read("csv", tmp_path / "a.tsv")
    assert (document.text, document.fields) == ("=1+1\r\nx", {"page": "3"})
    assert document.classes == {"gold": ("trade",)}
    write("csv", tmp_path / "b.csv", [Record("1", "=1+1")], {"spans": SPANS})
    assert (tmp_path / "b.csv").read_text() == '"id","text","spans"\n"1","=1+1","[]"\n'


def test_conll_documents(tmp_path: Path) -> None:
    first_document = "-DOCSTART-\tO\n\nAnna\tI-PER\nBerg\tI-PER\nZoë\tB-PER\n\nHi\tO\n\n"
    content = first_document + "-DOCSTART-\tO\n\nOslo\tS-LOC\n"
    (tmp_path / "a.conll").write_text(content)
    first, second = read("conll", tmp_path / "a.conll")
    assert first.text == "Anna Berg Zoë\nHi"
    assert texts(first, "gold") == [("Anna Berg", "PER"), ("Zoë", "PER")]
    assert first.sentence_starts == (0, 3)
    assert texts(second, "gold") == [("Oslo", "LOC")]
    assert len(list(read("conll", tmp_path / "a.conll", documents="sentence"))) == 3
    (tmp_path / "b.conll").write_text("Anna O\n\nBerg O\n")
    assert len(list(read("conll", tmp_path / "b.conll"))) == 2
    assert len(list(read("conll", tmp_path / "b.conll", documents="docstart"))) == 1


def test_chat_lines(tmp_path: Path) -> None:
    record = Record(
        "d", TEXT, spans=(PER,), classes={"sport": 0.4, "trade": 0.6}, chosen=("trade",)
    )
    unknown = replace(record, chosen=())
    tasks = {"spans": SPANS, "topic": TOPIC}
    written = write("chat", tmp_path / "a.jsonl", [record, unknown], tasks)
    assert written.documents == 1
    row = json.loads((tmp_path / "a.jsonl").read_text())
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    assert row["messages"][1]["content"] == TEXT
    assert json.loads(row["messages"][2]["content"]) == {
        "entities": [{"quote": "Anna Berg", "label": "PER"}],
        "topic": "trade",
    }


def test_preferences_are_where_a_person_decided_otherwise(tmp_path: Path) -> None:
    undecided = Record("a", TEXT, spans=(PER,))
    agreed = replace(undecided, decided_spans=(PER._replace(probability=1.0),))
    changed = replace(undecided, decided_spans=(PER, ORG))
    rows = [undecided, agreed, changed]
    assert write("preference", tmp_path / "t.jsonl", rows, {"s": SPANS}).documents == 1
    row = json.loads((tmp_path / "t.jsonl").read_text())
    assert set(row) == {"prompt", "chosen", "rejected"}
    assert len(json.loads(row["chosen"][0]["content"])["entities"]) == 2
    assert len(json.loads(row["rejected"][0]["content"])["entities"]) == 1
    write("preference", tmp_path / "o.jsonl", rows, {"s": SPANS}, form="openai")
    other = json.loads((tmp_path / "o.jsonl").read_text())
    assert other["input"]["messages"] == row["prompt"]
    assert other["preferred_output"] == row["chosen"]
    assert other["non_preferred_output"] == row["rejected"]
