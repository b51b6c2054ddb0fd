"""Parts that workers write, and counts that they make: the same as in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.analysis import analyze
from weaklabel.atomic import sweep
from weaklabel.engine_local import Failed, HereEngine, PoolEngine
from weaklabel.errors import RunError
from weaklabel.exporting import export, export_in_parts, export_part, part_path
from weaklabel.in_turn import in_turn
from weaklabel.job import Use
from weaklabel.label_statistics import LabelStatistics
from weaklabel.pipeline import run_job
from weaklabel.run import Run
from weaklabel.vote_statistics import VoteStatistics


@pytest.fixture
def run(project: Path) -> Run:
    return run_job(project / "job.yaml").run


class Backwards(HereEngine):
    """The last shard is done first."""

    def map(self, function, items):  # type: ignore[no-untyped-def]
        yield from [(item, function(item)) for item in items][::-1]


@pytest.mark.parametrize("name", ["labels.jsonl", "labels.jsonl.gz"])
def test_parts_in_any_order_are_the_export_of_one_process(
    run: Run, tmp_path: Path, name: str
) -> None:
    output = Use(use="jsonl", tokens=True)
    whole = export(run, ["spans"], output, tmp_path / name)
    steps: list[int] = []
    for engine in (HereEngine(), Backwards()):
        folder = tmp_path / type(engine).__name__
        folder.mkdir()
        written = export_in_parts(engine, run, ["spans"], output, folder / name, steps.append)
        assert written == whole
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert steps == [1, 2, 3, 1, 2, 3]


def test_a_failed_export_leaves_the_old_file_and_parts_that_are_swept(
    run: Run, tmp_path: Path
) -> None:
    class Broken(HereEngine):
        def map(self, function, items):  # type: ignore[no-untyped-def]
            yield 1, function(1)
            yield 0, Failed("no memory")

    path = tmp_path / "labels.jsonl"
    path.write_text("old")
    with pytest.raises(RunError, match=r"shard 0: no part of labels\.jsonl: no memory"):
        export_in_parts(Broken(), run, ["spans"], Use(use="jsonl"), path)
    assert path.read_text() == "old"
    assert part_path(path, 1).exists()
    sweep(tmp_path)
    assert list(tmp_path.glob("*labels*")) == [path]


def test_a_part_begun_twice_is_whole(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.conll"
    tasks = {"spans": run.tasks["spans"]}
    part_path(path, 0).write_text("the beginning of a worker that died" * 1000)
    export_part(run.folder, tasks, Use(use="conll"), path, 0)
    again = part_path(path, 0).read_bytes()
    assert (run.folder / "labels.conll").read_bytes().startswith(again)
    assert len(again) > 0


def test_workers_count_what_one_process_counts(run: Run) -> None:
    engine = PoolEngine(2)
    try:
        assert analyze(run, engine) == analyze(run)
    finally:
        engine.close()


def test_results_wait_for_their_turn() -> None:
    seen = []

    def results():  # type: ignore[no-untyped-def]
        for shard in (1, 0, 3, 2):
            seen.append(shard)
            yield shard, f"r{shard}"

    given = [(len(seen), result) for result in in_turn(results(), "result")]
    assert given == [(2, "r0"), (2, "r1"), (4, "r2"), (4, "r3")]


@pytest.mark.parametrize("multi", [False, True])
def test_class_statistics_of_shards_add_up_to_those_of_the_whole(multi: bool) -> None:
    dice = np.random.default_rng(4)
    task = wl.Task("classes", ("a", "b", "c"), multi=multi)
    n = 60
    probability = dice.dirichlet(np.ones(3), size=n)
    labels = wl.ClassLabels(task, probability, dice.random(n) < 0.7)
    document = np.repeat(np.arange(n), 3)[dice.random(3 * n) < 0.6]
    votes = wl.Votes.build(
        task,
        ["s", "t"],
        np.ones(n),
        document=document,
        source=dice.integers(0, 2, len(document)),
        label=dice.integers(0, 3, len(document)),
    )
    known = np.flatnonzero(dice.random(n) < 0.8)
    gold = wl.Gold.build(
        task, np.ones(n), document=known, label=dice.integers(0, 3, len(known)), complete=known
    )
    whole = LabelStatistics.of(votes, labels, gold)
    counted = VoteStatistics.of(votes, gold)
    parts = [np.arange(0, 11), np.arange(11, 12), np.arange(12, n)]
    pieces = [
        (
            votes.select_documents(p),
            wl.ClassLabels(task, probability[p], labels.covered[p]),
            gold.select_documents(p),
        )
        for p in parts
    ]
    first, *rest = [LabelStatistics.of(*piece) for piece in pieces]
    total = first
    for one in rest:
        total = total + one
    assert total.to_json() == whole.to_json()
    found, expected = total.scores(), whole.scores()
    assert found.keys() == expected.keys()
    for key in ("accuracy", "macro_f1", "brier", "documents"):
        assert found[key] == expected[key]
    assert found["ece"] == pytest.approx(expected["ece"])
    summed = sum(VoteStatistics.of(v, g).right.sum() for v, _, g in pieces)
    assert summed == counted.right.sum() > 0
