"""What decisions changed, against sets taken apart by hand, and in the report of a real run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.changes import Changes
from weaklabel.pipeline import run_job
from weaklabel.review.queue import open_queue
from weaklabel.votes import Gold

TASK = wl.Task("spans", ("PER", "LOC", "ORG"))
JOB = """
input: {format: jsonl, path: documents.jsonl}
gold: gold
task: spans
labels: [LOC, PER]
sources:
  - {use: gazetteer, name: cities, names: [Oslo, Paris, Jordan], label: LOC}
  - {use: regex, name: names, pattern: '(?:Jordan|Berg) (?=said)', label: PER}
model: {use: spans}
"""

Spans = dict[tuple[int, int], int]
SPANS = st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 4)), st.integers(0, 2))


def labels_of(spans: Spans) -> wl.SpanLabels:
    """Spans of one token: (document, token) -> label."""
    rows = sorted(spans)
    document = np.asarray([d for d, _ in rows], dtype=np.int64)
    start = np.asarray([s for _, s in rows], dtype=np.int32)
    chosen = np.asarray([spans[row] for row in rows], dtype=np.int16)
    probability = np.eye(3)[chosen]
    n_tokens, layer = np.asarray([5, 5], dtype=np.int32), np.zeros(len(rows), dtype=np.int8)
    return wl.SpanLabels(TASK, n_tokens, document, start, start + 1, probability, chosen, layer)


@settings(max_examples=60, deadline=None)
@given(SPANS, SPANS, SPANS)
def test_counts_are_those_of_sets_taken_apart(was: Spans, now: Spans, decided: Spans) -> None:
    known = labels_of(decided)
    gold = Gold.build(
        TASK,
        known.n_tokens,
        document=known.document,
        start=known.start,
        end=known.end,
        label=known.chosen,
    )
    changes = Changes.of(labels_of(was), labels_of(now), gold, None)
    found = changes.to_json(TASK.labels)
    assert found["added"] == len(set(now) - set(was))
    assert found["removed"] == len(set(was) - set(now))
    differing = {place for place in set(was) & set(now) if was[place] != now[place]}
    assert found["relabelled"] == len(differing)
    for k, name in enumerate(TASK.labels):
        assert found["labels"][name]["relabelled"] == sum(now[p] == k for p in differing)
        assert found["labels"][name]["removed"] == sum(was[p] == k for p in set(was) - set(now))
    changed = {p for p in set(was) | set(now) if was.get(p) != now.get(p)}
    assert found["elsewhere"] == len(changed - set(decided))
    assert found["before"] is None


def test_the_report_tells_what_decisions_changed(tmp_path: Path) -> None:
    rows = []
    for i in range(30):
        text = f"Jordan said on day {i} that she likes Oslo."
        at = text.index("Oslo")
        spans = [[0, 6, "PER"], [at, at + 4, "LOC"]]
        rows.append({"id": f"d{i}", "text": text, "spans": spans})
    (tmp_path / "documents.jsonl").write_text("\n".join(json.dumps(x) for x in rows))
    (tmp_path / "job.yaml").write_text(JOB)
    run = run_job(tmp_path / "job.yaml").run
    first = json.loads((run.folder / "report.json").read_text())["tasks"]["spans"]
    assert first["changes"] is None
    assert "What decisions changed" not in (run.folder / "report.html").read_text()
    store = open_queue(run)
    asked = [item for item in store.first(1000) if (item.start, item.end) == (0, 6)][:12]
    for item in asked:
        store.decide(item.id, "Ada", "relabel", {"spans": [[0, 6, "PER"]], "none": []})
    store.close()
    run = run_job(tmp_path / "job.yaml").run
    report = json.loads((run.folder / "report.json").read_text())["tasks"]["spans"]
    changes = report["changes"]
    total = sum(changes[kind] for kind in ("added", "removed", "relabelled"))
    assert changes["labels"]["PER"]["relabelled"] + changes["labels"]["PER"]["added"] >= 12
    assert total == sum(sum(row.values()) for row in changes["labels"].values())
    assert changes["after"]["f1"] == report["scores"]["f1"]
    assert changes["after"]["f1"] >= changes["before"]["f1"]
    assert "What decisions changed" in (run.folder / "report.html").read_text()
    assert run_job(tmp_path / "job.yaml").made == {}
