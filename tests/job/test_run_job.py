"""A job from file to report, and what a second run does and does not do again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import weaklabel as wl
from weaklabel.errors import RunError
from weaklabel.labels import ClassLabels, SpanLabels
from weaklabel.pipeline import run_job
from weaklabel.run import Run
from weaklabel.votes import Votes

Bytes = Callable[[Path], dict[str, bytes]]


def votes_made(run: Run) -> list[tuple[str, int]]:
    """(source, shard) of the votes that metrics.jsonl tells of, in order."""
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["source"], row["shard"]) for row in rows if row["stage"] == "votes"]


def change(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_run_leaves_votes_model_labels_exports_and_a_report(project: Path) -> None:
    outcome = run_job(project / "job.yaml")
    run = Run.open(project / "job-run")
    assert [len(shard) for shard in run.shards] == [15, 15, 10]
    assert outcome.made["votes"] == 6 * 3
    votes = run.votes("spans")[2]
    assert set(votes.names) == {"said", "places", "two_capitals", "berg", "long_names", "later"}
    assert run.votes("spans", sources=["berg"])[0].names == ("berg",)
    rows = [json.loads(line) for line in (run.folder / "labels.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"d{i}" for i in range(40)]
    labels = run.labels("spans")
    assert isinstance(labels[0], SpanLabels)
    shard = run.shards[2]
    for d, row in enumerate(rows[30:]):
        start, end = shard.characters(
            [d] * len(labels[2].spans(d)),
            *zip(*[(a, b) for a, b, _ in labels[2].spans(d)], strict=True),
        )
        assert [(s["start"], s["end"]) for s in row["spans"]] == list(zip(start, end, strict=True))
        assert row["spans"][0]["sources"]
    report = json.loads((run.folder / "report.json").read_text())
    assert report["tasks"]["spans"]["scores"]["f1"] > 0.5
    page = (run.folder / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_an_unchanged_rerun_does_nothing(project: Path, bytes_of: Bytes) -> None:
    run = run_job(project / "job.yaml").run
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*.*")}
    bytes_before = bytes_of(run.folder)
    again = run_job(project / "job.yaml")
    assert again.unchanged
    assert bytes_of(run.folder) == bytes_before
    moved = [p.name for p, t in before.items() if p.is_file() and p.stat().st_mtime_ns != t]
    assert moved == [".lock"]


def test_only_what_changed_runs_again(project: Path, bytes_of: Bytes) -> None:
    run = run_job(project / "job.yaml").run
    done = len(votes_made(run))

    def rerun() -> list[str]:
        nonlocal done
        run_job(project / "job.yaml")
        made = votes_made(run)[done:]
        done += len(made)
        return sorted({source for source, _ in made})

    change(project / "my_sources.py", 'token.text == "Berg"', 'token.text in ("Berg", "Ito")')
    assert rerun() == ["berg", "later"]  # later reads labels, which a vote of berg changed
    change(project / "my_sources.py", "def berg(doc):", "def berg(doc):  # a remark")
    assert rerun() == []
    change(project / "my_sources.py", "is_title and", "is_alpha and doc[i].is_title and")
    assert rerun() == ["two_capitals"]  # the same votes as before: nothing follows from them
    with (project / "places.txt").open("a") as file:
        file.write("\nReading")
    assert rerun() == ["later", "places"]
    change(project / "job.yaml", "characters: [9, 30]", "characters: [10, 30]")
    assert rerun() == ["later", "long_names"]
    fresh = run_job(project / "job.yaml", project / "fresh").run
    assert bytes_of(run.folder) == bytes_of(fresh.folder)


def test_more_input_leaves_full_shards_alone(
    project: Path, bytes_of: Bytes, more_documents: Callable[[Path, int], None]
) -> None:
    run = run_job(project / "job.yaml").run
    done = len(votes_made(run))
    more_documents(project / "documents.jsonl", 50)
    run_job(project / "job.yaml")
    first_round = {row for row in votes_made(run)[done:] if row[0] != "later"}
    assert {shard for _, shard in first_round} == {2, 3}
    more_documents(project / "documents.jsonl", 20)
    run_job(project / "job.yaml")
    assert len(run_job(project / "job.yaml").run.shards) == 2
    fresh = run_job(project / "job.yaml", project / "fresh").run
    assert bytes_of(run.folder) == bytes_of(fresh.folder)


def test_sources_and_tasks_that_the_job_drops_are_gone(project: Path, bytes_of: Bytes) -> None:
    run = run_job(project / "job.yaml").run
    change(project / "job.yaml", "  - berg\n", "")
    run_job(project / "job.yaml")
    assert "berg" not in run_job(project / "job.yaml").run.sources("spans")
    assert "berg" not in Votes.load(run.votes_path("spans", 0)).names
    fresh = run_job(project / "job.yaml", project / "fresh").run
    assert bytes_of(run.folder) == bytes_of(fresh.folder)


def test_shard_size_does_not_change_labels(project: Path) -> None:
    one = run_job(project / "job.yaml", project / "one").run
    change(project / "job.yaml", "shard_documents: 15", "shard_documents: 1000")
    other = run_job(project / "job.yaml", project / "other").run
    assert other.n_shards == 1
    for name in ("labels.jsonl", "labels.conll"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_limit_reads_the_first_documents(project: Path) -> None:
    run = run_job(project / "job.yaml", limit=17).run
    assert sum(len(shard) for shard in run.shards) == 17
    assert run.manifest["limit"] == 17
    assert "only the first 17 documents" in (run.folder / "report.html").read_text()


def test_fit_on_a_sample_labels_every_document(project: Path) -> None:
    change(project / "job.yaml", "model: spans", "model: spans\nfit_on: {documents: 12}")
    run = run_job(project / "job.yaml").run
    assert sum(labels.n_documents for labels in run.labels("spans")) == 40


MIXED = """\
input: {format: jsonl, path: documents.jsonl}
tasks:
  "who/where: \\u00e9": {task: spans, labels: [PER], sources: [two_capitals, berg]}
  mood:
    task: classes
    labels: [COLD, WARM]
    sources:
      - {use: class_regex, name: ../cold, label: COLD, pattern: cold}
      - {use: class_regex, name: warm, label: WARM, pattern: Lima}
python: [my_sources.py]
on_error: skip
"""


def test_spans_and_classes_of_the_same_documents_in_one_job(project: Path) -> None:
    (project / "job.yaml").write_text(MIXED)
    run = run_job(project / "job.yaml").run
    assert isinstance(run.labels("mood")[0], ClassLabels)
    assert isinstance(run.labels("who/where: é")[0], SpanLabels)
    assert run.votes("mood")[0].names == ("../cold", "warm")
    # hostile names stay inside the run folder
    assert {p.name for p in project.iterdir()} >= {"job.yaml", "job-run"}
    assert not list(project.glob("**/cold"))
    assert (run.folder / "labels-mood.jsonl").exists()
    assert wl.Task("classes", ("COLD", "WARM"), name="mood") == run.tasks["mood"]


def test_a_fresh_run_keeps_what_cost_work_or_money(project: Path) -> None:
    run = run_job(project / "job.yaml").run
    (run.folder / "llm.sqlite").write_bytes(b"answers")
    outcome = run_job(project / "job.yaml", fresh=True)
    assert outcome.made["votes"] == 18
    assert (run.folder / "llm.sqlite").read_bytes() == b"answers"


def test_a_folder_with_other_files_is_not_run_into(project: Path) -> None:
    with pytest.raises(RunError, match="holds other files"):
        run_job(project / "job.yaml", project, fresh=True)
    assert (project / "documents.jsonl").exists()


def test_anchors_hold(project: Path) -> None:
    change(project / "job.yaml", "gold: gold", "gold: gold\nanchors: gold")
    run = run_job(project / "job.yaml").run
    report = json.loads((run.folder / "report.json").read_text())
    assert report["tasks"]["spans"]["scores"]["f1"] == 1.0


def test_a_run_folder_inside_the_input_folder_is_no_input(project: Path) -> None:
    texts = project / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("Anna Berg met Ito in Lima.")
    change(
        project / "job.yaml", "format: jsonl, path: documents.jsonl", "format: text, path: texts"
    )
    change(project / "job.yaml", "gold: gold\n", "")
    assert run_job(project / "job.yaml", texts / "run").run.n_shards == 1
    assert run_job(project / "job.yaml", texts / "run").unchanged
    (texts / "b.txt").write_text("Cold in Oslo.")
    assert not run_job(project / "job.yaml", texts / "run").unchanged
