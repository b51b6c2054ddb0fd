"""A job that takes a few shards, and what a run of it must leave whatever happened."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "llm"))

JOB = """\
input: {format: jsonl, path: documents.jsonl}
task: spans
labels: [PER, LOC]
python: my_sources.py
sources:
  - {use: gazetteer, name: places, names: [Oslo, Lima], label: LOC}
  - capitals
model: spans
shard_documents: 40
"""

SOURCES = """\
from weaklabel.sources.function import span_lf


@span_lf("PER")
def capitals(doc):
    for i in range(len(doc) - 1):
        if doc[i].is_title and doc[i + 1].is_title:
            yield i, i + 2, "PER"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a job and 400 documents: ten shards."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    (folder / "my_sources.py").write_text(SOURCES)
    names = ["Anna Berg", "Tomas Ito", "Mei Novak"]
    with (folder / "documents.jsonl").open("w") as file:
        for i in range(400):
            text = f"{names[i % 3]} left Oslo for Lima, {i} days ago, to meet {names[i % 2]} there."
            file.write(json.dumps({"id": f"d{i}", "text": text}) + "\n")
    return folder


@pytest.fixture
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a run folder that equal runs must have equal."""

    def content(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("metrics.jsonl", ".lock", "llm.sqlite")
        }

    return content
