"""A small project on disk, and the bytes that a run of it leaves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

JOB = """\
input: {format: jsonl, path: documents.jsonl}
gold: gold
task: spans
labels: [PER, LOC]
python: my_sources.py
sources:
  - use: regex
    name: said
    label: PER
    pattern: '([A-Z]\\w+ [A-Z]\\w+) said'
    span: 1
  - use: gazetteer
    name: places
    files: {LOC: places.txt}
  - two_capitals
  - berg
  - {use: filter, name: long_names, reads: [two_capitals], labels: [PER], characters: [9, 30]}
  - {use: doc_history, name: later, labels: [PER]}
model: spans
output: [jsonl, conll, docbin]
shard_documents: 15
"""

SOURCES = """\
from weaklabel.sources.function import span_lf


@span_lf("PER")
def two_capitals(doc):
    for i in range(len(doc) - 1):
        if doc[i].is_title and doc[i + 1].is_title:
            yield i, i + 2, "PER"


@span_lf("PER")
def berg(doc):
    for token in doc:
        if token.text == "Berg":
            yield token.i, token.i + 1, "PER"
"""

PLACES = ["Oslo", "Bergen", "Lima", "Nairobi", "Reading"]


def documents(count: int, seed: int = 0) -> list[dict[str, object]]:
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        first, last = rng.choice(["Anna", "Tomas", "Mei"]), rng.choice(["Berg", "Ito", "Novak"])
        place, other = rng.sample(PLACES, 2)
        text = f"{first} {last} said that {place} was cold. Later {last} went to {other}."
        at = text.index(place), text.rindex(last), text.rindex(other)
        spans = [
            [0, len(first) + len(last) + 1, "PER"],
            [at[0], at[0] + len(place), "LOC"],
            [at[1], at[1] + len(last), "PER"],
            [at[2], at[2] + len(other), "LOC"],
        ]
        rows.append({"id": f"d{i}", "text": text, "spans": spans})
    return rows


def write_documents(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with job.yaml, its sources and 40 documents; three shards."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    (folder / "my_sources.py").write_text(SOURCES)
    (folder / "places.txt").write_text("\n".join(PLACES[:4]))
    write_documents(folder / "documents.jsonl", documents(40))
    return folder


DIFFERS = {"metrics.jsonl", ".lock", "llm.sqlite", "review.sqlite"}


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run folder that equal runs must have equal."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in DIFFERS
    }


@pytest.fixture
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    return content


@pytest.fixture
def more_documents() -> Callable[[Path, int], None]:
    """Writes so many documents; the first ones stay the same."""
    return lambda path, count: write_documents(path, documents(count))
