"""Majority vote on spans: counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from weaklabel.models.base import registry
from weaklabel.models.majority import MajorityModel
from weaklabel.task import Task
from weaklabel.votes import Votes

TASK = Task("spans", ("PER", "LOC"))


def votes_of(rows: list[tuple[int, int, int, int]], n_sources: int = 3, **options: object) -> Votes:
    """Votes (start, end, source, label) on one document of six tokens."""
    columns = np.asarray(rows, dtype=np.int64).reshape(-1, 4).T
    return Votes.build(
        TASK,
        [f"s{j}" for j in range(n_sources)],
        [6],
        document=np.zeros(columns.shape[1]),
        start=columns[0],
        end=columns[1],
        source=columns[2],
        label=columns[3],
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("rows", "ignored", "counted"),
    [
        ([(1, 3, 0, 0)], [(1, 3, "PER")], []),
        ([(1, 3, 0, 0), (1, 3, 1, 0)], [(1, 3, "PER")], [(1, 3, "PER")]),
        ([(1, 3, 0, 0), (1, 3, 1, 1), (1, 3, 2, 1)], [(1, 3, "LOC")], [(1, 3, "LOC")]),
        ([(1, 2, 0, 1), (1, 2, 1, 0)], [(1, 2, "PER")], [(1, 2, "PER")]),
        ([(0, 2, 0, 0), (2, 3, 0, 0)], [(0, 2, "PER"), (2, 3, "PER")], []),
        ([(0, 2, 0, 0), (1, 2, 1, 0)], [(0, 2, "PER")], []),
        ([], [], []),
    ],
)
def test_majority_by_hand(
    rows: list[tuple[int, int, int, int]],
    ignored: list[tuple[int, int, str]],
    counted: list[tuple[int, int, str]],
) -> None:
    votes = votes_of(rows)
    assert MajorityModel().fit(votes).predict(votes).spans(0) == ignored
    if rows[:1] != [(0, 2, 0, 0)]:
        assert MajorityModel(silence=True).fit(votes).predict(votes).spans(0) == counted


def test_who_did_not_look_is_not_silent() -> None:
    rows = [(1, 3, 0, 0)]
    votes = votes_of(rows, looked=[None, [], []])
    assert MajorityModel(silence=True).fit(votes).predict(votes).spans(0) == [(1, 3, "PER")]


def test_save_and_load(tmp_path: Path) -> None:
    votes = votes_of([(1, 3, 0, 0)])
    model = registry.make("majority", silence=True).fit(votes)
    model.save(tmp_path)
    again = MajorityModel.load(tmp_path)
    assert again.silence
    assert again.predict(votes).spans(0) == model.predict(votes).spans(0)


def test_skweak_gives_what_both_its_sources_say(tmp_path: Path) -> None:
    pytest.importorskip("skweak")
    rows = [(1, 3, 0, 0), (1, 3, 1, 0), (4, 5, 0, 1), (4, 5, 2, 1)]
    votes = votes_of(rows)
    for name in ("skweak-hmm", "skweak-nb"):
        model = registry.make(name).fit(votes)
        assert model.predict(votes).spans(0) == [(1, 3, "PER"), (4, 5, "LOC")]
        model.save(tmp_path / name)
        again = type(model).load(tmp_path / name)
        assert again.predict(votes).spans(0) == model.predict(votes).spans(0)
