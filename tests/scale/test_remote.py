"""A remote run folder: pulled, pushed, and what a second machine sees."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from weaklabel.errors import RunError
from weaklabel.pipeline import run_job
from weaklabel.remote import Mirror
from weaklabel.run import Run


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://bucket/run"
    return f"file://{tmp_path}/remote/run"


def on_machine(name: str, tmp_path: Path, patch: pytest.MonkeyPatch, url: str) -> Mirror:
    patch.setenv("WEAKLABEL_CACHE", str(tmp_path / name))
    return Mirror(url)


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def write(folder: Path, name: str, content: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def test_two_machines_see_the_same_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = on_machine("first", tmp_path, monkeypatch, url)
    folder = first.pull()
    write(folder, "run.json", "{}")
    write(folder, "tasks/spans/votes/a/00000.parquet", "votes")
    write(folder, ".done/tasks/spans/votes/a/00000.parquet", "note")
    first.push()
    second = on_machine("second", tmp_path, monkeypatch, url)
    assert files(second.pull()) == files(folder)
    write(second.folder, "run.json", "{1}")
    (second.folder / "tasks/spans/votes/a/00000.parquet").unlink()
    second.push()
    write(folder, "left-over", "of a killed run")
    assert files(first.pull()) == files(second.folder)


def test_a_file_system_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"^nosuch://a: .*nosuch"):
        Mirror("nosuch://a")


JOB = """
input: {format: jsonl, path: docs.jsonl}
task: spans
labels: [PER]
sources: [{use: regex, name: capitals, pattern: '[A-Z][a-z]+', label: PER}]
model: majority
"""


def test_a_job_runs_into_a_remote_folder_and_is_read_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKLABEL_CACHE", str(tmp_path / "first"))
    write(tmp_path, "job.yaml", JOB)
    write(tmp_path, "docs.jsonl", '{"id": "1", "text": "Anna went home"}\n')
    url = "memory://jobs/one"
    assert run_job(tmp_path / "job.yaml", url).made
    local = run_job(tmp_path / "job.yaml", tmp_path / "local").run.folder
    monkeypatch.setenv("WEAKLABEL_CACHE", str(tmp_path / "second"))
    assert run_job(tmp_path / "job.yaml", url).unchanged
    again = Run.open(url)
    assert (again.folder / "labels.jsonl").read_bytes() == (local / "labels.jsonl").read_bytes()
