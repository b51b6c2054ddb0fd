"""Readers on public data: counts against seqeval and against a second, plain way to read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from weaklabel.formats import read, write
from weaklabel.formats.record import Record, RecordSpan
from weaklabel.formats.wrench import read_wrench, splits
from weaklabel.task import Task

CONLL = {"train": (946, 14_041), "valid": (216, 3_250), "test": (231, 3_453)}
SPAN_SETS = ("conll03_16lf", "ncbi", "onto_gpt35", "wnut17_systems")
CLASS_SETS = ("youtube", "trec", "semeval", "crowd_rte", "crowd_bluebird", "agnews")


def sentences_of(path: Path) -> list[list[list[str]]]:
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    parsed = [[line.split(" ") for line in block.split("\n") if line] for block in blocks]
    return [rows for rows in parsed if rows and rows[0][0] != "-DOCSTART-"]


@pytest.mark.parametrize("split", CONLL)
def test_conll_counts(split: str, shared_data: Path) -> None:
    path = shared_data / "conll2003" / f"{split}.txt"
    expected = sentences_of(path)
    n_documents, n_sentences = CONLL[split]
    documents = list(read("conll", path))
    one_each = list(read("conll", path, documents="sentence"))
    entities = [get_entities([row[-1] for row in rows]) for rows in expected]
    assert len(documents) == n_documents
    assert len(one_each) == len(expected) == n_sentences
    assert sum(len(d.sentence_starts) for d in documents) == n_sentences
    n_tokens = sum(map(len, expected))
    assert sum(len(d.tokens) for d in documents) == n_tokens
    # The notes count -DOCSTART- lines as tokens of train: 204,567.
    assert split != "train" or n_tokens + n_documents == 204_567
    assert sum(len(d.spans["gold"]) for d in documents) == sum(map(len, entities))
    for document, rows, found in zip(one_each, expected, entities, strict=True):
        words = [document.text[a:b] for a, b in document.tokens]
        assert words == [row[0] for row in rows]
        spans = [(document.text[s.start : s.end], s.label) for s in document.spans["gold"]]
        assert spans == [(" ".join(words[a : b + 1]), label) for label, a, b in found]


def test_conll_is_written_as_it_was(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "conll2003" / "valid.txt"
    records = [
        Record(
            d.id,
            d.text,
            d.tokens,
            d.sentence_starts,
            tuple(RecordSpan(s.start, s.end, s.label) for s in d.spans["gold"]),
        )
        for d in read("conll", path)
    ]
    write("conll", tmp_path / "a", records, {"": Task("spans", ("PER", "LOC", "ORG", "MISC"))})

    def columns(file: Path) -> list[tuple[str, str]]:
        lines = file.read_text(encoding="utf-8").split("\n")
        return [(line.split(" ")[0], line.split(" ")[-1]) for line in lines]

    assert columns(tmp_path / "a") == columns(path)


@pytest.mark.parametrize("name", SPAN_SETS)
def test_wrench_spans(name: str, shared_data: Path) -> None:
    folder = shared_data / "wrench" / name
    split = splits(folder)[-1]
    data = json.loads((folder / f"{split}.json").read_text())
    loaded = read_wrench(folder, split)
    meta = json.loads((folder / "meta.json").read_text())
    assert loaded.sources == tuple(meta["lf"])
    assert [d.id for d in loaded.documents] == list(data)
    assert loaded.votes.n_tokens.tolist() == [len(item["label"]) for item in data.values()]
    gold = [get_entities(item["label"]) for item in data.values()]
    assert len(loaded.gold) == sum(map(len, gold))
    assert loaded.gold.complete.tolist() == list(range(len(data)))
    for j in range(0, len(loaded.sources), 3):
        cast = [get_entities([row[j] for row in item["weak_labels"]]) for item in data.values()]
        expected = {(d, a, b + 1, label) for d, spans in enumerate(cast) for label, a, b in spans}
        mine = loaded.votes.rows(loaded.votes.source == j)
        labels = [loaded.task.labels[k] for k in mine.label]
        columns = (mine.document.tolist(), mine.start.tolist(), mine.end.tolist(), labels)
        assert set(zip(*columns, strict=True)) == expected
    shard = loaded.shard()
    assert shard.n_tokens.tolist() == loaded.votes.n_tokens.tolist()


@pytest.mark.parametrize("name", CLASS_SETS)
def test_wrench_classes(name: str, shared_data: Path) -> None:
    folder = shared_data / "wrench" / name
    split = splits(folder)[-1]
    data = json.loads((folder / f"{split}.json").read_text())
    loaded = read_wrench(folder, split)
    matrix = np.asarray([item["weak_labels"] for item in data.values()])
    assert np.array_equal(loaded.votes.class_matrix(), matrix)
    truth = [item["label"] for item in data.values()]
    assert loaded.gold.label.tolist() == [k for k in truth if k >= 0]
    assert [d.text for d in loaded.documents] == [item["data"]["text"] for item in data.values()]


def test_wrench_as_documents_with_layers(shared_data: Path) -> None:
    folder = shared_data / "wrench" / "conll03_16lf"
    loaded = read_wrench(folder, "test")
    documents = list(read("wrench", folder, split="test"))
    by_source = dict.fromkeys((*loaded.sources, "gold"), 0)
    for document in documents:
        for name, spans in document.spans.items():
            by_source[name] += len(spans)
    counts = np.bincount(loaded.votes.source, minlength=len(loaded.sources)).tolist()
    assert by_source == dict(zip(loaded.sources, counts, strict=True)) | {"gold": len(loaded.gold)}
    youtube = list(read("wrench", shared_data / "wrench" / "youtube", split="test"))
    assert youtube[0].classes["gold"] == ("SPAM",)
