"""A fit whose walks workers take is the fit on plain lists; votes are filed source by source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from weaklabel import casting
from weaklabel.errors import SourceError
from weaklabel.models.base import load_state
from weaklabel.models.spans import SpanModel
from weaklabel.pipeline import run_job
from weaklabel.sample import sample_documents
from weaklabel.votes import Votes


@pytest.mark.parametrize("fit_on", ["", "fit_on: {documents: 25}\n"])
def test_workers_count_what_one_process_counts(project: Path, fit_on: str) -> None:
    with (project / "job.yaml").open("a") as file:
        file.write(f"workers: 2\nanchors: gold\n{fit_on}")
    run = run_job(project / "job.yaml").run
    gold = run.gold("spans")
    assert gold is not None
    sizes = [len(shard) for shard in run.shards]
    chosen = sample_documents(sizes, 25, run.job.seed) if fit_on else [np.arange(n) for n in sizes]
    votes, texts, known = (
        [whole[i].select_documents(chosen[i]) for i in range(run.n_shards)]
        for whole in (run.votes("spans"), run.shards, gold)
    )
    here = SpanModel(seed=run.job.seed).fit(votes, texts=texts, gold=known)
    here.save(project / "here")
    facts, arrays = load_state(project / "here")
    theirs, their_arrays = load_state(run.model_folder("spans"))
    assert facts == theirs
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, their_arrays[name])


def test_a_source_that_fails_leaves_what_the_others_said(project: Path) -> None:
    good = (project / "my_sources.py").read_text()
    (project / "my_sources.py").write_text(
        good.replace("def berg(doc):", "def berg(doc):\n    1 / 0")
    )
    with pytest.raises(SourceError, match="berg"):
        run_job(project / "job.yaml")
    filed = Votes.load(project / "job-run" / "tasks" / "spans" / "votes" / "00000.parquet")
    assert filed.names == ("said", "places", "two_capitals")
    (project / "my_sources.py").write_text(good)
    outcome = run_job(project / "job.yaml")
    assert outcome.made["votes"] == 6 * 3 - 3
    assert not list((project / "job-run").rglob("*.calling"))


def test_votes_saved_after_every_source_are_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = run_job(project / "job.yaml", project / "one").run
    monkeypatch.setattr(casting, "SAVE_SECONDS", -1.0)
    often = run_job(project / "job.yaml", project / "other").run
    for i in range(3):
        one, other = (run.votes_path("spans", i) for run in (at_once, often))
        assert one.read_bytes() == other.read_bytes()
