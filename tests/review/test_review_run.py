"""Decisions on a real run: they are kept, they come true, and they teach the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import weaklabel as wl
from weaklabel.pipeline import run_job
from weaklabel.review.queue import open_queue
from weaklabel.review.static_report import write
from weaklabel.run import Run

JOB = """
input: {format: jsonl, path: documents.jsonl}
task: spans
labels: [LOC, PER]
sources:
  - {use: gazetteer, name: cities, names: [Oslo, Paris, Jordan], label: LOC}
  - {use: regex, name: names, pattern: '(?:Jordan|Berg) (?=said)', label: PER}
model: {use: spans}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    lines = [
        {"id": f"d{i}", "text": text}
        for i, text in enumerate(
            [f"Jordan said on day {i} that she likes Oslo." for i in range(30)]
            + [f"They flew from Paris to Oslo on day {i}." for i in range(30)]
        )
    ]
    (tmp_path / "documents.jsonl").write_text("\n".join(json.dumps(x) for x in lines))
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"


def labelled(run: Run, document: str) -> set[tuple[str, str]]:
    shard, labels = run.shards[0], run.labels("spans")[0]
    assert isinstance(labels, wl.SpanLabels)
    d = shard.ids.index(document)
    return {(" ".join(shard.tokens(d)[s:e]), label) for s, e, label in labels.spans(d)}


def test_decisions_come_true_and_teach_the_rest(job: Path) -> None:
    run = run_job(job).run
    store = open_queue(run)
    asked = [item for item in store.first(1000) if item.start == 0 and item.end == 6]
    taught, rest = asked[:12], [f"d{i}" for i in range(30)]
    for item in taught:
        said = {"spans": [[0, 6, "PER"]], "none": []}
        store.decide(item.id, "Ada", "relabel", said)
        rest.remove(store.document(item.document)[0])
    store.close()
    again = Run.open(run_job(job).run.folder)
    decided = {f"d{i}" for i in range(30)} - set(rest)
    assert len(decided) == 12
    assert all(("Jordan", "PER") in labelled(again, d) for d in decided)
    right = sum(("Jordan", "PER") in labelled(again, d) for d in rest)
    assert right >= 0.9 * len(rest)
    assert all(("Oslo", "LOC") in labelled(again, d) for d in rest)
    assert run_job(job).made == {}


def test_the_queue_is_made_anew_after_a_run_and_keeps_decisions(job: Path) -> None:
    run = run_job(job).run
    store = open_queue(run, "uncertainty", 20)
    assert store.progress()["items"] == 20
    item = store.next("Ada")
    assert item is not None
    store.decide(item.id, "Ada", "accept", {"spans": [], "none": [[item.start, item.end]]})
    store.close()
    store = open_queue(Run.open(run_job(job).run.folder), "uncertainty")
    assert store.progress()["items"] > 20
    assert store.progress()["decided"] == 1
    store.close()


def test_what_decisions_speak_of_is_not_asked_again(job: Path) -> None:
    run = run_job(job).run
    store = open_queue(run)
    moved, whole = store.first(2)
    assert moved.document != whole.document
    document, payload = store.document(moved.document)
    end = min(e for _, e in payload["tokens"] if e > moved.end)
    said = {"spans": [[moved.start, end, "PER"]], "none": [[moved.start, moved.end]]}
    store.decide(moved.id, "Ada", "adjust", said)
    store.decide(whole.id, "Ada", "accept", {"spans": [], "none": [], "complete": True})
    finished = store.document(whole.document)[0]
    store.close()
    store = open_queue(Run.open(run_job(job).run.folder))
    asked = store.first(1000)
    names = [store.document(item.document)[0] for item in asked]
    known = [
        name == finished or (name == document and item.start < end and item.end > moved.start)
        for name, item in zip(names, asked, strict=True)
    ]
    assert sum(known) >= 2
    assert known == sorted(known)
    store.close()


def test_the_static_report_is_one_file_without_references(job: Path, tmp_path: Path) -> None:
    run = run_job(job).run
    count = write(run, tmp_path / "flags.html", budget=7)
    text = (tmp_path / "flags.html").read_text()
    assert count == 7
    assert text.count("<article") == 7
    assert "<script" not in text
    assert "href=" not in text
    assert "src=" not in text.replace("default-src", "").replace("style-src", "")
