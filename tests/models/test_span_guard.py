"""The guard of the span model: quiet on sound fits, awake on drifted ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from weaklabel.errors import LabelModelWarning
from weaklabel.models.majority import MajorityModel
from weaklabel.models.spans import SpanModel
from weaklabel.scoring import score_spans
from weaklabel.task import Task
from weaklabel.votes import Gold, Voter, Votes

TASK = Task("spans", ("PER", "LOC"))


def lists(seed: int, documents: int = 1500) -> tuple[Votes, Gold]:
    """Six lists that each know a fourth of all names and mark some words that are none."""
    random = np.random.default_rng(seed)
    known_by = random.random((80, 6)) < 0.25
    mistaken_by = random.random((40, 6)) < 0.12
    mistaken_as = random.integers(0, 2, (40, 6))
    truth, rows = [], []
    for d in range(documents):
        for start in (0, 6):
            name = int(random.integers(80))
            truth.append((d, start, start + 2, name % 2))
            rows += [(d, start, start + 2, j, name % 2) for j in np.flatnonzero(known_by[name])]
            word = int(random.integers(40))
            for j in np.flatnonzero(mistaken_by[word]):
                rows.append((d, start + 3, start + 4, j, mistaken_as[word, j]))
    columns, true = np.asarray(rows).T, np.asarray(truth).T
    votes = Votes.build(
        TASK,
        [Voter(f"s{j}", kind="spotter") for j in range(6)],
        [12] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
    )
    gold = Gold.build(
        TASK, votes.n_tokens, document=true[0], start=true[1], end=true[2], label=true[3]
    )
    return votes, gold


def f1(model: SpanModel | MajorityModel, votes: Votes, gold: Gold) -> float:
    return score_spans(model.predict(votes), gold)[""].f1


def test_no_better_than_majority_is_said_but_kept() -> None:
    """Here the default labels what majority labels, and nothing else: a doubt, not a failure."""
    votes, gold = lists(0)
    with pytest.warns(LabelModelWarning, match="may be no better than majority"):
        model = SpanModel().fit(votes)
    assert model.fallback_ == ""
    assert f1(model, votes, gold) == f1(MajorityModel().fit(votes), votes, gold)


def test_a_fit_that_drifts_falls_back_to_the_share_of_votes(tmp_path: Path) -> None:
    """EM without anchor in which the silence of lists counts as a no: it explains names away."""
    votes, gold = lists(0)
    with pytest.warns(LabelModelWarning, match="fell back to majority vote"):
        model = SpanModel(anchor=0.0, silence=1.0).fit(votes)
    assert model.fallback_
    assert f1(model, votes, gold) >= f1(MajorityModel().fit(votes), votes, gold) - 0.01
    drifted = SpanModel.load(_saved(model, tmp_path))
    assert drifted.fallback_ == model.fallback_
    np.testing.assert_array_equal(drifted.predict(votes).chosen, model.predict(votes).chosen)
    drifted.fallback_ = ""
    assert f1(drifted, votes, gold) < f1(model, votes, gold) - 0.05


def _saved(model: SpanModel, folder: Path) -> Path:
    model.save(folder)
    return folder


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["conll03_16lf", "ncbi", "wnut17_systems"])
def test_public_votes_do_not_wake_it(name: str, shared_data: Path) -> None:
    from weaklabel.formats.wrench import read_wrench

    votes = read_wrench(shared_data / "wrench" / name, "test").votes
    assert SpanModel(context=False).fit(votes).fallback_ == ""
