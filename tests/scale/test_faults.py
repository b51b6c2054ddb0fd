"""What goes away, changes, fills up or dies in mid-run: one line, and the rerun ends as if not."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weaklabel.context import Step
from weaklabel.errors import InputError, RunError
from weaklabel.metrics import Metrics
from weaklabel.pipeline import run_job

Bytes = Callable[[Path], dict[str, bytes]]


def weaklabel(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weaklabel", "run", str(project / "job.yaml"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def at(stage: str, act: Callable[[], object]) -> Callable[[Step], None]:
    """A watch that acts once, when the second item of a stage is done."""
    waiting = [act]

    def watch(step: Step) -> None:
        if waiting and step.stage == stage and step.done == 2:
            waiting.pop()()

    return watch


def write_input(project: Path, kind: str) -> Path:
    plain = project / "documents.jsonl"
    job = project / "job.yaml"
    if kind == "jsonl":
        return plain
    if kind == "gz":
        path = project / "documents.jsonl.gz"
        path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = project / "documents.parquet"
        rows = [json.loads(line) for line in plain.read_text().splitlines()]
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=30)
    named = "parquet" if kind == "parquet" else "jsonl"
    text = job.read_text().replace("format: jsonl, path: documents.jsonl", "format: F, path: P")
    job.write_text(text.replace("F,", f"{named},").replace("P}", f"{path.name}}}"))
    plain.unlink()
    return path


def half(path: Path) -> None:
    """Up to the end of a line near the middle: what is left looks whole."""
    content = path.read_bytes()
    os.truncate(path, content.find(b"\n", len(content) // 2) + 1)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"Mei", b"Ida"))
    other.replace(path)


@pytest.mark.parametrize("kind", ["jsonl", "gz", "parquet"])
@pytest.mark.parametrize("tamper", [half, Path.unlink, replace])
def test_an_input_that_changes_while_it_is_read(
    project: Path, bytes_of: Bytes, kind: str, tamper: Callable[[Path], None]
) -> None:
    path = write_input(project, kind)
    whole = path.read_bytes()
    with pytest.raises(InputError, match=r"documents\..*: changed or vanished while it was read"):
        run_job(project / "job.yaml", watch=at("read", lambda: tamper(path)))
    path.write_bytes(whole)
    run_job(project / "job.yaml")
    calm = run_job(project / "job.yaml", project / "calm").run.folder
    assert bytes_of(project / "job-run") == bytes_of(calm)


def test_an_input_that_changes_later_is_labelled_as_it_was_read(
    project: Path, bytes_of: Bytes
) -> None:
    path = project / "documents.jsonl"
    calm = bytes_of(run_job(project / "job.yaml", project / "calm").run.folder)
    run_job(project / "job.yaml", watch=at("votes", lambda: half(path)))
    assert bytes_of(project / "job-run") == calm
    assert run_job(project / "job.yaml").made
    assert bytes_of(project / "job-run") == bytes_of(
        run_job(project / "job.yaml", project / "new").run.folder
    )


@pytest.mark.parametrize("stage", ["read", "votes", "labels of spans"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_folder_that_is_removed(
    project: Path, bytes_of: Bytes, stage: str, workers: int
) -> None:
    run = project / "job-run"
    remove = at(stage, lambda: shutil.rmtree(run, ignore_errors=True))
    with pytest.raises(RunError, match=r"job-run: was removed or replaced while the run was going"):
        run_job(project / "job.yaml", watch=remove, workers=workers)
    shutil.rmtree(run, ignore_errors=True)
    calm = run_job(project / "job.yaml", project / "calm").run.folder
    assert bytes_of(run_job(project / "job.yaml").run.folder) == bytes_of(calm)


@pytest.mark.parametrize(("stage", "part"), [("votes", "shards"), ("labels of spans", "tasks")])
def test_a_part_of_the_run_folder_that_is_removed(
    project: Path, bytes_of: Bytes, stage: str, part: str
) -> None:
    run = project / "job-run"
    remove = at(stage, lambda: shutil.rmtree(run / part))
    with pytest.raises(RunError) as caught:
        run_job(project / "job.yaml", watch=remove)
    assert str(run / part) in str(caught.value)
    calm = run_job(project / "job.yaml", project / "calm").run.folder
    assert bytes_of(run_job(project / "job.yaml").run.folder) == bytes_of(calm)


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A file system of 200 kB in the place of the run folder."""
    run = project / "job-run"
    run.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(run)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    yield run
    subprocess.run(["umount", "-l", str(run)], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_disk_that_is_full_and_one_that_is_read_only(
    small_disk: Path, bytes_of: Bytes, workers: str
) -> None:
    project = small_disk.parent
    full = weaklabel(project, "--workers", workers)
    assert (full.returncode, full.stderr.count("\n")) == (2, 1), full.stderr
    assert "No space left on device" in full.stderr
    assert not list(small_disk.rglob(".*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert weaklabel(project, "--workers", workers).returncode == 0
    calm = run_job(project / "job.yaml", project / "calm").run.folder
    assert bytes_of(small_disk) == bytes_of(calm)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    locked = weaklabel(project, "--workers", workers)
    assert (locked.returncode, locked.stderr.count("\n")) == (2, 1)
    assert "cannot write to" in locked.stderr
    assert "Read-only file system" in locked.stderr


def test_the_second_run_in_a_folder_is_told_who_holds_it_since_when(project: Path) -> None:
    said: list[subprocess.CompletedProcess[str]] = []
    run_job(project / "job.yaml", watch=at("votes", lambda: said.append(weaklabel(project))))
    (second,) = said
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    today = time.strftime("%Y-%m-")
    assert f"another run is going on here (process {os.getpid()} on " in second.stderr
    assert f", since {today}" in second.stderr


CRASH = """

@span_lf("PER", seconds=60)
def crash(doc):
    import os, pathlib, signal
    mark = pathlib.Path(__file__).with_name("crashed")
    if any(token.text == "123" for token in doc) and HOW:
        mark.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return ()
"""


def poison(project: Path, how: str, engine: str, on_error: str) -> None:
    with (project / "my_sources.py").open("a") as file:
        file.write(CRASH.replace("HOW", how))
    text = (project / "job.yaml").read_text().replace("- capitals", "- capitals\n  - crash")
    text += f"engine: {engine}\nworkers: 2\non_error: {on_error}\n"
    (project / "job.yaml").write_text(text)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_worker_that_died_leaves_its_retry_in_the_metrics(
    project: Path, bytes_of: Bytes, engine: str
) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    poison(project, "not mark.exists()", engine, "stop")
    done = weaklabel(project)
    assert done.returncode == 0, done.stderr
    rows = Metrics(project / "job-run" / "metrics.jsonl").read()
    retries = [row for row in rows if row["stage"] == "retry"]
    assert 3 in {row["shard"] for row in retries}
    assert all("died" in row["reason"] for row in retries)
    assert weaklabel(project, "--out", str(project / "calm")).returncode == 0
    assert bytes_of(project / "job-run") == bytes_of(project / "calm")


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_poisoned_document_stops_the_run_or_is_listed(project: Path, engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    poison(project, "True", engine, "stop")
    stopped = weaklabel(project)
    assert (stopped.returncode, stopped.stderr.strip().count("\n")) == (2, 0), stopped.stderr
    assert "shard 3: given up after 3 attempts: the worker process died" in stopped.stderr
    job = project / "job.yaml"
    job.write_text(job.read_text().replace("on_error: stop", "on_error: skip"))
    skipped = weaklabel(project)
    assert skipped.returncode == 0, skipped.stderr
    listed = json.loads((project / "job-run" / "run.json").read_text())["given_up"]
    assert len(listed) == 1
    assert "source 'crash' of task 'spans', shard 3" in listed[0]
    assert "given up:" in skipped.stdout
    rows = (project / "job-run" / "labels.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == [f"d{i}" for i in range(400)]


def test_ctrl_c_on_ray_is_one_line_and_the_run_goes_on(project: Path, bytes_of: Bytes) -> None:
    """The interrupt goes to the whole process group, as a terminal sends it."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    job = project / "job.yaml"
    job.write_text(job.read_text() + "engine: ray\nworkers: 2\n")
    command = [sys.executable, "-m", "weaklabel", "run", str(job)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, process_group=0, text=True)
    while not list((project / "job-run").glob("tasks/*/votes/*")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "weaklabel: interrupted; the same command goes on from here\n"
    job.write_text(job.read_text().replace("engine: ray", "engine: local"))
    assert weaklabel(project).returncode == 0
    assert weaklabel(project, "--out", str(project / "calm")).returncode == 0
    assert bytes_of(project / "job-run") == bytes_of(project / "calm")


LLM = """\
input: {{format: jsonl, path: documents.jsonl}}
task: spans
labels: [PER, LOC]
sources: [{{use: llm_spans, name: asked, labels: [PER, LOC]}}]
model: majority
shard_documents: 10
engine: {engine}
workers: 2
llm: {{base_url: "{url}", model: m, concurrency: 4, budget: {{tokens: {tokens}}}}}
"""


def test_prompts_share_one_budget_and_one_cache_whatever_the_engine(project: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from server import Server

    job = project / "job.yaml"
    rows = (project / "documents.jsonl").read_text().splitlines(keepends=True)
    (project / "documents.jsonl").write_text("".join(rows[:30]))
    with Server(usage=lambda body, content: (900, 100)) as server:
        job.write_text(LLM.format(engine="ray", url=server.url, tokens=15_000))
        stopped = weaklabel(project)
        assert (stopped.returncode, stopped.stderr.strip().count("\n")) == (2, 0)
        assert "llm.budget does not allow the next call" in stopped.stderr
        bought = len(server.done)
        assert 0 < bought < 30
        assert sum(server.spent) <= 15_000
        job.write_text(LLM.format(engine="ray", url=server.url, tokens=60_000))
        assert weaklabel(project).returncode == 0
        assert len(server.done) == 30
    answers = (project / "job-run" / "labels.jsonl").read_bytes()
    job.write_text(LLM.format(engine="local", url=server.url, tokens=60_000))
    out = project / "offline"
    out.mkdir()
    shutil.copy(project / "job-run" / "llm.sqlite", out)
    assert weaklabel(project, "--out", str(out), "--offline").returncode == 0
    assert (out / "labels.jsonl").read_bytes() == answers
