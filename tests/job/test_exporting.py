"""Exports by the command line: settings of a writer, and splits that do not leak."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weaklabel.cli import app
from weaklabel.pipeline import run_job

JOB = """
input: {format: jsonl, path: documents.jsonl}
task: spans
labels: [LOC]
sources:
  - {use: gazetteer, name: cities, names: [Oslo, New York], label: LOC}
model: majority
shard_documents: 10
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    texts = [
        f"👩‍👩‍👧 From New York number {i} went {i * i} ways to Oslo." for i in range(0, 300, 10)
    ]
    texts += [text.upper().replace("NEW YORK", "New York") for text in texts[:10]]
    rows = [json.dumps({"id": f"d{i}", "text": text}) for i, text in enumerate(texts)]
    (tmp_path / "documents.jsonl").write_text("\n".join(rows))
    (tmp_path / "job.yaml").write_text(JOB)
    return run_job(tmp_path / "job.yaml").run.folder


def export(run: Path, *arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", str(run), *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr or result.stdout


def test_settings_reach_the_writer(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.conll"
    assert export(run, "--format", "conll", "--out", out, "--set", "scheme=BIOES")[0] == 0
    tags = [line.split()[-1] for line in out.read_text().splitlines() if line]
    assert {"B-LOC", "E-LOC", "S-LOC"} <= set(tags)
    offsets = {}
    for unit in ("character", "grapheme"):
        path = tmp_path / f"{unit}.jsonl"
        assert export(run, "--format", "doccano", "--out", path, "--set", f"unit={unit}")[0] == 0
        offsets[unit] = json.loads(path.read_text().splitlines()[0])["label"]
    family = len("👩‍👩‍👧") - 1
    assert offsets["character"] == [[s + family, e + family, k] for s, e, k in offsets["grapheme"]]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("schema=BIOES", "no setting 'schema'; did you mean 'scheme'?"),
        ("records=3", "no setting 'records'"),
        ("scheme=BMEWO", "scheme: Input should be 'IOB1'"),
        ("columns=two", "columns: Input should be a valid integer"),
        ("scheme", "expected KEY=VALUE"),
        ("scheme=[", "no YAML"),
    ],
)
def test_a_wrong_setting_is_one_line(run: Path, tmp_path: Path, setting: str, message: str) -> None:
    out = tmp_path / "out.conll"
    code, said = export(run, "--format", "conll", "--out", out, "--set", setting)
    assert (code, said.count("\n")) == (2, 1)
    assert message in said
    assert not out.exists()


def test_splits_part_the_documents_and_keep_what_reads_alike_together(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data.jsonl.gz"
    shares = "train=0.6,dev=0.2,test=0.2"
    assert export(run, "--format", "jsonl", "--out", out, "--split", shares)[0] == 0
    assert not out.exists()
    sides: dict[str, set[str]] = {}
    for name in ("train", "dev", "test"):
        with gzip.open(tmp_path / f"data-{name}.jsonl.gz", "rt") as file:
            for line in file:
                row = json.loads(line)
                sides.setdefault(" ".join(row["text"].casefold().split()), set()).add(name)
    assert len(sides) == 30
    assert all(len(where) == 1 for where in sides.values())
    assert {name for where in sides.values() for name in where} == {"train", "dev", "test"}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ("train=0.9,dev=0.2", "add up to 1.1"),
        ("train", "expected NAME=SHARE"),
        ("../x=1", "letters"),
    ],
)
def test_wrong_splits_are_one_line(run: Path, tmp_path: Path, shares: str, message: str) -> None:
    code, said = export(run, "--format", "jsonl", "--out", tmp_path / "o.jsonl", "--split", shares)
    assert (code, said.count("\n")) == (2, 1)
    assert message in said
    assert not list(tmp_path.glob("o*"))
