"""Mistakes in a job: one line that names file, line and what would be right; nothing written."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weaklabel.cli import app

JOB_MISTAKES = [
    # what is replaced, by what, the line, what the message says
    ("shard_documents: 15", "shard_document: 15", 21, "did you mean 'shard_documents'?"),
    ("task: spans", "task: span", 3, "'spans' or 'classes'"),
    (
        "gold: gold",
        "gold: golden",
        2,
        "no document has an annotation layer 'golden'; there are: gold",
    ),
    ("labels: [PER, LOC]", "labels: [PER, NO]", 4, "put it in quotes"),
    ("labels: [PER, LOC]", "labels: [PER, PLACE]", 12, "casts 'LOC', no label of the task"),
    ("labels: [PER, LOC]", "labels: [PER, PER, LOC]", 4, "stands twice"),
    ("use: regex", "use: regexp", 7, "no source 'regexp'; did you mean 'regex'?"),
    ("    pattern:", "    patern:", 10, "no setting 'patern'; did you mean 'pattern'?"),
    ("'([A-Z]", "'(([A-Z]", 7, "'said'"),
    ("span: 1", "span: 4", 7, "no group 4"),
    ("places.txt}", "place.txt}", 14, "place.txt"),
    ("  - berg", "  - bergs", 16, "did you mean 'berg'?"),
    ("  - berg", "  - two_capitals", 16, "two sources are named 'two_capitals'"),
    ("reads: [two_capitals]", "reads: [capitals]", 6, "reads 'capitals', which does not exist"),
    ("model: spans", "model: spams", 19, "no model 'spams'; did you mean 'spans'?"),
    ("model: spans", "model: {use: spans, wait: 1}", 19, "no setting 'wait'"),
    ("output: [jsonl", "output: [jsonlines", 20, "no writer 'jsonlines'; did you mean 'jsonl'?"),
    ("format: jsonl", "format: jsnl", 1, "no reader 'jsnl'; did you mean 'jsonl'?"),
    ("path: documents", "path: document", 1, "document.jsonl"),
    ("path: documents.jsonl", "path: documents.jsonl, txt: a", 1, "no setting 'txt'"),
    ("python: my_sources", "python: sources", 5, "no such file"),
    ("task: spans", "task: spans\ntask: classes", 4, "'task' stands here twice"),
    ("task: spans", "task: [spans", 4, "no valid YAML"),
    ("shard_documents: 15", "workers: 0", 21, "greater than or equal to 1"),
    ("shard_documents: 15", "engine: dask", 21, "no engine 'dask'; known: local, ray"),
    ("shard_documents: 15", "tasks: {}", 3, "beside 'tasks'"),
    ("shard_documents: 15", "llm: {modell: x}", 21, "did you mean 'model'?"),
    ("shard_documents: 15", "fit_on: {document: 2}", 21, "did you mean 'documents'?"),
]


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize(("old", "new", "line", "message"), JOB_MISTAKES)
def test_a_mistake_in_the_job_names_its_line(
    project: Path, old: str, new: str, line: int, message: str
) -> None:
    job = project / "job.yaml"
    assert old in job.read_text()
    job.write_text(job.read_text().replace(old, new, 1))
    code, said = run("run", job)
    assert code == 2
    assert said.count("\n") == 1
    assert message in said
    assert f"job.yaml:{line}: " in said
    if "golden" not in new:
        assert not (project / "job-run").exists()


def test_several_mistakes_are_counted(project: Path) -> None:
    job = project / "job.yaml"
    job.write_text(job.read_text().replace("gold: gold", "glod: gold\nsede: 3"))
    _, said = run("run", job)
    assert "job.yaml:2: unknown key 'glod'; did you mean 'gold'? (and 1 more)" in said


@pytest.mark.parametrize(
    ("code", "line", "message"),
    [
        ("import nothing_of_that_name", 1, "ModuleNotFoundError"),
        ("def f(:", 1, "SyntaxError"),
        ("\n\n1 / 0", 3, "ZeroDivisionError"),
    ],
)
def test_user_code_that_does_not_load(project: Path, code: str, line: int, message: str) -> None:
    (project / "my_sources.py").write_text(code)
    status, said = run("run", project / "job.yaml")
    assert (status, said.count("\n")) == (2, 1)
    assert f"my_sources.py:{line}: {message}" in said


BAD_SOURCES = {
    "raises": ("    raise KeyError('x')", "KeyError"),
    "loops": ("    while True: pass", "more than 0.2 s"),
    "other label": ("    yield 0, 1, 'ORG'", "cast 'ORG', but declares PER"),
    "no triple": ("    yield 0", "TypeError"),
}


def misbehave(project: Path, body: str) -> None:
    code = (project / "my_sources.py").read_text()
    code += f"\n\n@span_lf('PER', seconds=0.2)\ndef bad(doc):\n{body}\n"
    (project / "my_sources.py").write_text(code)
    job = project / "job.yaml"
    job.write_text(job.read_text().replace("  - berg", "  - berg\n  - bad"))


@pytest.mark.parametrize("kind", BAD_SOURCES)
def test_a_source_that_misbehaves_stops_the_run(project: Path, kind: str) -> None:
    misbehave(project, BAD_SOURCES[kind][0])
    code, said = run("run", project / "job.yaml")
    assert (code, said.count("\n")) == (2, 1)
    assert "source 'bad' failed on document 'd0'" in said
    assert BAD_SOURCES[kind][1] in said


@pytest.mark.parametrize("kind", ["raises", "loops"])
def test_a_source_that_misbehaves_is_skipped_and_counted(project: Path, kind: str) -> None:
    misbehave(project, BAD_SOURCES[kind][0])
    job = project / "job.yaml"
    job.write_text(job.read_text() + "on_error: skip\n")
    code, said = run("run", job)
    assert (code, said) == (0, "")
    from weaklabel.run import Run

    counts = Run.open(project / "job-run").counts("spans")["bad"]
    assert counts["failed"] == 40
    assert BAD_SOURCES[kind][1] in next(iter(counts["failures"].values()))


def bad_documents(path: Path, kind: str) -> None:
    good = path.read_bytes()
    if kind == "gzip":
        path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(good)[:-40])
        path.unlink()
    lines = good.splitlines(keepends=True)
    lines[20] = {
        "gzip": lines[20],
        "utf-8": b'{"id": "x", "text": "\xff"}\n',
        "list": b"[1, 2]\n",
        "no json": b"{oops\n",
        "twice": lines[19],
        "offsets": b'{"id": "x", "text": "ab", "spans": [[1, 9, "PER"]]}\n',
    }[kind]
    if kind != "gzip":
        path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gzip", "end too early"),
        ("utf-8", "is not UTF-8"),
        ("list", "line 21: expected a JSON object"),
        ("no json", "line 21: no JSON"),
        ("twice", "'d19' was used before"),
        ("offsets", "outside the text"),
    ],
)
def test_bad_documents_are_one_line(project: Path, kind: str, message: str) -> None:
    bad_documents(project / "documents.jsonl", kind)
    if kind == "gzip":
        job = project / "job.yaml"
        job.write_text(job.read_text().replace("documents.jsonl}", "documents.jsonl.gz}"))
    code, said = run("run", project / "job.yaml")
    assert (code, said.count("\n")) == (2, 1)
    assert message in said


def test_empty_documents_and_spans_off_tokens_are_no_error(project: Path) -> None:
    (project / "documents.jsonl").write_text(
        '{"id": "a", "text": ""}\n{"id": "b", "text": " \\n"}\n{"id": "c", "text": "Anna Berg"}\n'
        '{"id": "d", "text": "Annas Berg", "spans": [[0, 4, "PER"]]}\n'
    )
    job = project / "job.yaml"
    text = job.read_text().replace("([A-Z]\\w+ [A-Z]\\w+) said", "(Ann)")
    job.write_text(text)
    code, said = run("run", job)
    assert (code, said) == (0, "")
    from weaklabel.run import Run

    assert Run.open(project / "job-run").counts("spans")["said"]["misaligned"] == 2


def test_a_file_in_the_place_of_the_folder(project: Path) -> None:
    (project / "out").write_text("mine")
    code, said = run("run", project / "job.yaml", "--out", project / "out")
    assert code == 2
    assert "is a file; a run needs a folder" in said
    code, said = run("run", project / "job.yaml", "--out", project / "out" / "deeper")
    assert code == 2
    assert "cannot write" in said
    assert (project / "out").read_text() == "mine"


def test_a_full_disk_is_one_line_and_leaves_no_half_files(project: Path) -> None:
    """The limit on file sizes stands in for a full disk: a write that cannot be finished."""
    script = (
        "import resource, signal, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from weaklabel.cli import app\n"
        f"app(['run', {str(project / 'job.yaml')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "cannot write" in done.stderr
    left = [p.name for p in (project / "job-run").rglob("*") if p.is_file()]
    assert not [name for name in left if name.startswith(".0") or ".jsonl." in name]
    code, said = run("run", project / "job.yaml")
    assert (code, said) == (0, "")


def test_what_is_no_run_folder(project: Path) -> None:
    for command in (["analyze"], ["export", "--format", "jsonl", "--out", "x"], ["review"]):
        code, said = run(command[0], project, *command[1:])
        assert code == 2
        assert "no run folder" in said


def test_a_run_that_stopped_early_says_so(project: Path) -> None:
    misbehave(project, BAD_SOURCES["raises"][0])
    run("run", project / "job.yaml")
    code, said = run("analyze", project / "job-run")
    assert code == 2
    assert "the run is not finished" in said
    (project / "job-run" / "run.json").unlink()
    assert run("analyze", project / "job-run")[0] == 2
