"""Prompts in a job, from the command line, against the server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from server import Server
from test_llm_session import texts

JOB = """
input: {{format: jsonl, path: docs.jsonl}}
task: spans
labels: [PER, ORG, LOC]
sources:
  - {{use: llm_spans, name: names, labels: [PER, ORG, LOC]}}
  - use: llm_spans
    name: own
    labels: [PER, ORG, LOC]
    template_file: own.j2
model: {{use: majority}}
llm:
  base_url: {url}
  model: m
  {more}
"""


def weaklabel(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weaklabel", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts(6))]
    (tmp_path / "docs.jsonl").write_text("\n".join(rows))
    (tmp_path / "own.j2").write_text("Find {{ labels | join(', ') }} here:\n{{ text }}")
    return tmp_path


def test_a_job_asks_once_and_runs_again_offline(folder) -> None:
    with Server() as server:
        (folder / "job.yaml").write_text(JOB.format(url=server.url, more="seed: 1"))
        planned = weaklabel(folder, "plan", "job.yaml")
        assert "names (m): 6 calls, 0 cached, 6 to make" in planned.stdout
        assert server.calls == []
        first = weaklabel(folder, "run", "job.yaml", "--out", "out")
        assert (first.returncode, first.stderr) == (0, "")
        assert len(server.done) == 12
    labels = (folder / "out" / "labels.jsonl").read_bytes()
    assert labels.count(b"PER") + labels.count(b"ORG") + labels.count(b"LOC") >= 6
    again = weaklabel(folder, "run", "job.yaml", "--out", "out", "--fresh", "--offline")
    assert (again.returncode, again.stderr) == (0, "")
    assert (folder / "out" / "labels.jsonl").read_bytes() == labels


def test_a_job_that_spends_its_budget_stops_and_goes_on(folder) -> None:
    with Server(usage=lambda body, content: (900, 100)) as server:
        budget = "budget: {tokens: 12000}\n  concurrency: 2"
        (folder / "job.yaml").write_text(JOB.format(url=server.url, more=budget))
        stopped = weaklabel(folder, "run", "job.yaml", "--out", "out")
        assert stopped.returncode == 2
        assert "llm.budget does not allow the next call" in stopped.stderr
        assert stopped.stderr.strip().count("\n") == 0
        bought = len(server.done)
        assert 0 < bought < 12
        assert sum(server.spent) <= 12_000
        budget = budget.replace("12000", "90000")
        (folder / "job.yaml").write_text(JOB.format(url=server.url, more=budget))
        assert weaklabel(folder, "run", "job.yaml", "--out", "out").returncode == 0
        assert len(server.done) == 12


def test_what_was_not_answered_is_asked_by_the_next_run(folder) -> None:
    with Server() as server:
        (folder / "job.yaml").write_text(JOB.format(url=server.url, more="fail_above: 1.0"))
        assert weaklabel(folder, "run", "job.yaml", "--out", "out", "--offline").returncode == 0
        assert server.calls == []
        assert weaklabel(folder, "run", "job.yaml", "--out", "out").returncode == 0
        assert len(server.done) == 12
        assert weaklabel(folder, "run", "job.yaml", "--out", "out").returncode == 0
        assert len(server.done) == 12
