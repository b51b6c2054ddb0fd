"""The flags as one HTML file, by the command line: everything in it, hostile text as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from typer.testing import CliRunner

from weaklabel.cli import app
from weaklabel.pipeline import run_job

JOB = """
input: {format: jsonl, path: documents.jsonl}
task: spans
labels: [LOC]
sources:
  - {use: gazetteer, name: cities, names: [Oslo, Lima], label: LOC}
  - {use: gazetteer, name: more, names: [Oslo], label: LOC}
model: {use: spans}
"""
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> javascript:alert(3) in Oslo'


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data) -> None:
        self.text += data


def test_the_flags_are_one_file_and_hostile_text_is_text(tmp_path: Path) -> None:
    texts = [f"Day {i}: from Lima to Oslo." for i in range(12)] + [HOSTILE]
    rows = [json.dumps({"id": f"<b>{i}", "text": text}) for i, text in enumerate(texts)]
    (tmp_path / "documents.jsonl").write_text("\n".join(rows))
    (tmp_path / "job.yaml").write_text(JOB)
    folder = run_job(tmp_path / "job.yaml").run.folder
    out = tmp_path / "flags.html"
    result = CliRunner().invoke(app, ["review", str(folder), "--static", str(out)])
    assert result.exit_code == 0, result.output
    count = int(re.search(r"(\d+) items", result.stdout)[1])
    page = out.read_text()
    assert page.count("<article") == count >= 13
    seen = Elements()
    seen.feed(page)
    assert not seen.names & {"script", "img", "b onerror", "link", "iframe"}
    assert not seen.attributes & {"onerror", "src", "href"}
    assert "alert(1)" in seen.text
    assert "<b>12" in seen.text
    assert "default-src 'none'" in page


def test_a_budget_holds_and_a_wrong_order_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "documents.jsonl").write_text('{"id": "a", "text": "From Lima to Oslo."}\n')
    (tmp_path / "job.yaml").write_text(JOB)
    folder = str(run_job(tmp_path / "job.yaml").run.folder)
    out = tmp_path / "flags.html"
    arguments = ["review", folder, "--static", str(out)]
    assert CliRunner().invoke(app, [*arguments, "--budget", "1"]).exit_code == 0
    assert out.read_text().count("<article") == 1
    wrong = CliRunner().invoke(app, [*arguments, "--order", "doubts"])
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "did you mean 'doubt'?" in wrong.stderr


def test_a_remote_run_is_not_reviewed_in_place() -> None:
    refused = CliRunner().invoke(app, ["review", "memory://bucket/run"])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "local disk" in refused.stderr
