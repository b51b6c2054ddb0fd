"""Whatever is killed whenever: the next run goes on and ends in the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from weaklabel.errors import RunError
from weaklabel.lock import locked
from weaklabel.pipeline import run_job

Bytes = Callable[[Path], dict[str, bytes]]


def start(project: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "weaklabel.cli", "run", str(project / "job.yaml"), *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


@pytest.fixture
def undisturbed(project: Path, bytes_of: Bytes) -> dict[str, bytes]:
    return bytes_of(run_job(project / "job.yaml", project / "calm").run.folder)


def notes(folder: Path) -> int:
    return sum(1 for path in (folder / ".done").rglob("*.json"))


def test_killed_at_random_moments_it_ends_in_the_same_bytes(
    project: Path, bytes_of: Bytes, undisturbed: dict[str, bytes]
) -> None:
    total = notes(project / "calm")
    moments = sorted(random.Random(5).sample(range(1, total), 4))
    for moment in moments:
        process = start(project)
        while process.poll() is None and notes(project / "job-run") < moment:
            time.sleep(0.001)
        process.kill()
        process.communicate()
    assert start(project).wait() == 0
    assert bytes_of(project / "job-run") == undisturbed


def test_killed_workers_change_nothing(
    project: Path, bytes_of: Bytes, undisturbed: dict[str, bytes]
) -> None:
    process = start(project, "--workers", "2")
    killed = 0
    while process.poll() is None:
        time.sleep(0.7)
        workers = [c for c in children(process.pid) if b"spawn_main" in command_of(c)]
        if workers and killed < 3:
            os.kill(workers[-1], signal.SIGKILL)
            killed += 1
    assert process.returncode == 0, process.communicate()
    assert killed
    assert bytes_of(project / "job-run") == undisturbed


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_no_worker_outlives_a_killed_driver(project: Path) -> None:
    process = start(project, "--workers", "2")
    workers: list[int] = []
    while process.poll() is None and len(workers) < 2:
        workers = [c for c in children(process.pid) if b"spawn_main" in command_of(c)]
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert workers
    deadline = time.monotonic() + 30
    while any(b"spawn_main" in command_of(w) for w in workers):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.1)


POISON = """

@span_lf("PER", seconds=5)
def poison(doc):
    if any(token.text == "Lima" for token in doc):
        import os
        os._exit(1)
    return ()
"""


def test_a_poisoned_shard_is_given_up_on_and_listed(project: Path) -> None:
    job = project / "job.yaml"
    job.write_text(job.read_text().replace("  - berg", "  - berg\n  - poison") + "workers: 2\n")
    job.write_text(job.read_text().replace("shard_documents: 15", "shard_documents: 25"))
    with (project / "my_sources.py").open("a") as file:
        file.write(POISON)
    with pytest.raises(RunError, match="given up after 3 attempts: the worker process died"):
        run_job(job)
    job.write_text(job.read_text() + "on_error: skip\n")
    outcome = run_job(job)
    assert len(outcome.given_up) == 2
    assert all("source 'poison'" in line for line in outcome.given_up)
    rows = (project / "job-run" / "labels.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == [f"d{i}" for i in range(40)]
    assert outcome.run.votes("spans")[0].looked[4].tolist() == []


def test_one_run_at_a_time(project: Path) -> None:
    with (
        locked(project / "job-run"),
        pytest.raises(RunError, match=rf"another run is going on here \(process {os.getpid()} on "),
    ):
        run_job(project / "job.yaml")
    (project / "job-run" / ".lock").write_text('{"pid": 1, "host": "elsewhere"}')
    assert run_job(project / "job.yaml").made


def test_interrupted_is_one_line_and_goes_on(project: Path) -> None:
    process = start(project, "--workers", "2")
    while not (project / "job-run" / "shards").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.decode() == "weaklabel: interrupted; the same command goes on from here\n"
    assert start(project).wait() == 0
