from __future__ import annotations

import json
import warnings

import naive_classes as naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from planted_classes import crowd, majority_accuracy, rules, task, votes_of

from weaklabel.errors import LabelModelWarning, ModelError, NotFitted, VotesError
from weaklabel.formats.wrench import read_wrench
from weaklabel.kernels import confusion
from weaklabel.models.base import registry
from weaklabel.models.classes import ClassModel
from weaklabel.models.counting import count_patterns
from weaklabel.models.crowds import e_step
from weaklabel.models.guard import drift, majority_fit, temperature
from weaklabel.models.majority_classes import ClassMajorityModel
from weaklabel.votes import Gold, Voter, Votes


def accuracy(labels, truth):
    return float((labels.chosen == truth).mean())


def test_registered():
    assert isinstance(registry.make("classes"), ClassModel)


@pytest.mark.parametrize("seed", range(4))
def test_crowds_with_spammers_beat_majority(seed):
    matrix, truth = crowd(seed, n=800, spammers=0.4)
    model = ClassModel().fit(votes_of(matrix, 3))
    assert model.regime_ == "crowd"
    assert model.fallback_ == ""
    found = accuracy(model.predict(votes_of(matrix, 3)), truth)
    assert found > majority_accuracy(matrix, truth, 3)


@pytest.mark.parametrize("seed", range(4))
def test_narrow_rules_beat_a_broad_one(seed):
    matrix, truth = rules(seed)
    model = ClassModel().fit(votes_of(matrix, 4))
    assert model.regime_ == "spotters"
    found = accuracy(model.predict(votes_of(matrix, 4)), truth)
    assert found > majority_accuracy(matrix, truth, 4)


def test_planted_precision_is_found():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    skill = [0.9, 0.75, 0.6, 0.85, 0.7]
    matrix = np.stack([np.where(rng.random(4000) < s, truth, 1 - truth) for s in skill], axis=1)
    model = ClassModel().fit(votes_of(matrix, 2))
    found = {(q.source, q.label): q.precision for q in model.source_quality_}
    for j, s in enumerate(skill):
        assert found[f"source_{j}", "c0"] == pytest.approx(s, abs=0.05)


def test_an_adversary_is_turned_round():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 3000)
    skill = [0.8, 0.8, 0.75, 0.75, 0.15]
    matrix = np.stack([np.where(rng.random(3000) < s, truth, 1 - truth) for s in skill], axis=1)
    labels = ClassModel().fit(votes_of(matrix, 2)).predict(votes_of(matrix, 2))
    assert accuracy(labels, truth) > majority_accuracy(matrix, truth, 2) + 0.02


def test_twins_do_not_outvote_two_good_sources():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 5000)
    poor = np.where(rng.random(5000) < np.where(truth == 0, 0.3, 0.12), 0, -1)
    good = [np.where((truth == k) & (rng.random(5000) < 0.5), k, -1) for k in (1, 2)]
    matrix = np.stack([poor, poor, poor, *good], axis=1)
    model = ClassModel().fit(votes_of(matrix, 3))
    weight = {q.source: q.weight for q in model.source_quality_}
    assert max(weight[f"source_{j}"] for j in (0, 1, 2)) < 0.6
    assert min(weight["source_3"], weight["source_4"]) == 1.0


def test_the_e_step_is_that_of_the_paper():
    matrix, _ = crowd(0, n=40, workers=6, each=4)
    votes = votes_of(matrix, 3)
    patterns = count_patterns([votes], [None])
    rng = np.random.default_rng(0)
    prior = rng.dirichlet(np.ones(3))
    table = rng.dirichlet(np.ones(3), (6, 3))
    rank = np.array([votes.names.index(name) for name in patterns.sources])
    emission = np.log(table[rank[patterns.source], :, patterns.label])
    posterior, likelihood = e_step(patterns, emission, np.log(prior))
    expected, expected_likelihood = naive.e_step(matrix, prior, table)
    assert likelihood == pytest.approx(expected_likelihood)
    found = dict(zip(map(tuple, np.round(expected, 9)), range(len(expected)), strict=True))
    assert {tuple(row) for row in np.round(posterior, 9)} == set(found)


def test_held_out_votes_are_predicted_as_by_definition():
    matrix, _ = crowd(3, n=12, workers=5, each=3)
    rng = np.random.default_rng(0)
    prior, table = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), (5, 3))
    item, source = np.nonzero(matrix >= 0)
    label = matrix[item, source]
    logs = np.log(table[:, :, :]).transpose(0, 2, 1).reshape(15, 3)
    found = confusion.held_out(
        np.searchsorted(item, np.arange(13)).astype(np.int64),
        (source * 3 + label).astype(np.int64),
        np.full(len(item), confusion.FULL),
        np.ascontiguousarray(logs),
        np.log(prior),
        np.ascontiguousarray(np.exp(logs)),
        np.repeat(np.arange(5), 3),
    )
    expected = [
        naive.held_out(matrix, prior, table, i, j) for i, j in zip(item, source, strict=True)
    ]
    assert_allclose(found, expected, atol=1e-12)


def shuffled(matrix, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(matrix)), rng.permutation(matrix.shape[1])
    names = [f"source_{j}" for j in columns]
    return rows, votes_of(matrix[rows][:, columns], int(matrix.max()) + 1, names)


@pytest.mark.parametrize("make", [lambda: crowd(0), lambda: rules(0)])
def test_order_of_documents_and_sources_changes_no_bit(make):
    matrix, _ = make()
    votes = votes_of(matrix, int(matrix.max()) + 1)
    expected = ClassModel().fit(votes).predict(votes).probability
    rows, other = shuffled(matrix, 5)
    assert_array_equal(ClassModel().fit(other).predict(other).probability, expected[rows])


@pytest.mark.parametrize("limit", [50_000, 60])
def test_shards_change_no_bit(limit):
    matrix, _ = rules(1)
    votes = votes_of(matrix, 4)
    parts = [votes.select_documents(np.arange(a, b)) for a, b in ((0, 7), (7, 1500), (1500, 3000))]
    whole = ClassModel(max_patterns=limit).fit(votes).predict(votes).probability
    split = ClassModel(max_patterns=limit).fit(parts)
    assert_array_equal(np.concatenate([split.predict(p).probability for p in parts]), whole)


def test_saved_and_loaded_it_predicts_the_same(tmp_path):
    matrix, _ = rules(2)
    votes = votes_of(matrix, 4)
    model = ClassModel(balance=[0.4, 0.2, 0.2, 0.2]).fit(votes)
    model.save(tmp_path)
    again = ClassModel.load(tmp_path)
    assert_array_equal(again.predict(votes).probability, model.predict(votes).probability)
    assert again.source_quality_ == model.source_quality_
    assert again.regime_ == model.regime_
    assert not list(tmp_path.glob("*.pkl"))
    assert json.loads((tmp_path / "model.json").read_text())["model"] == "classes"


def test_gold_is_kept_and_moves_the_rest():
    matrix, truth = rules(3, sources=4, broad=0)
    liar = np.where(truth == 1, 0, -1)
    matrix = np.concatenate([matrix, liar[:, None]], axis=1)
    votes = votes_of(matrix, 4)
    known = np.arange(0, 3000, 10)
    gold = Gold.build(votes.task, votes.n_tokens, document=known, label=truth[known])
    plain, anchored = ClassModel().fit(votes), ClassModel().fit(votes, gold=gold)
    quality = {q.source: q.precision for q in anchored.source_quality_}
    before = {q.source: q.precision for q in plain.source_quality_}
    assert quality["source_4"] < before["source_4"]
    labels = anchored.predict(votes, gold=gold)
    assert_array_equal(labels.chosen[known], truth[known])


def test_confidence_counts():
    rows = {"document": [0, 0, 1, 1], "source": [0, 1, 0, 1], "label": [0, 1, 0, 1]}
    train, _ = crowd(0, n_classes=2, workers=2, each=2, spammers=0.0)
    model = ClassModel().fit(votes_of(train, 2))
    soft = Votes.build(
        task(2), ["source_0", "source_1"], [0, 0], confidence=[1, 0.1, 0.1, 1], **rows
    )
    first, second = model.predict(soft).probability
    assert first[0] > 0.5 > second[0]


def test_a_worker_who_answers_twice_has_one_voice():
    base = Votes.build(task(2), ["a"], [0], document=[0], source=[0], label=[0])
    twice = Votes.build(task(2), ["a"], [0], document=[0, 0], source=[0, 0], label=[0, 1])
    assert ClassModel().fit(base).predict(base).probability[0, 0] > 0.5
    assert_allclose(ClassModel().fit(twice).predict(twice).probability, 0.5)


def test_votes_for_a_group_and_against_a_label():
    kinds = task(3, groups={"c1 or c2": ("c1", "c2")})
    label = [kinds.label_id("c1 or c2"), kinds.label_id("!c0")]
    votes = Votes.build(kinds, ["a", "b"], [0, 0], document=[0, 1], source=[0, 1], label=label)
    probability = ClassModel().fit(votes).predict(votes).probability
    assert (probability[:, 0] < 0.3).all()
    assert_allclose(probability[:, 1], probability[:, 2])


def test_several_labels_may_hold():
    rng = np.random.default_rng(0)
    truth = rng.random((1000, 3)) < [0.5, 0.2, 0.1]
    fires = (rng.random((1000, 3, 3)) < np.where(truth, 0.8, 0.02)[:, :, None]).reshape(1000, 9)
    document, column = np.nonzero(fires)
    votes = Votes.build(
        task(3, multi=True),
        [f"s{j}" for j in range(9)],
        np.zeros(1000),
        document=document,
        source=column,
        label=column // 3,
    )
    labels = ClassModel().fit(votes).predict(votes)
    assert (labels.chosen_sets == truth).mean() > 0.93
    assert labels.reasons is not None


def test_reasons_sum_to_the_log_odds():
    matrix, _ = rules(4)
    votes = votes_of(matrix, 4)
    labels = ClassModel().fit(votes).predict(votes)
    assert labels.reasons is not None
    two = np.sort(labels.probability, axis=1)[:, -2:]
    odds = np.log(two[:, 1] / two[:, 0])
    sums = np.bincount(votes.document, labels.reasons.weight, minlength=3000)
    assert_allclose(sums[labels.covered], odds[labels.covered], atol=1e-4)


def test_items_nobody_answered_carry_the_balance():
    matrix, _ = rules(5)
    matrix[:5] = -1
    labels = ClassModel().fit(votes_of(matrix, 4)).predict(votes_of(matrix, 4))
    assert not labels.covered[:5].any()
    assert_allclose(labels.probability[:5], np.tile(labels.probability[0], (5, 1)))
    assert_allclose(labels.probability.sum(axis=1), 1)


def test_a_given_balance_is_kept():
    matrix, _ = crowd(1)
    model = ClassModel(balance={"c0": 0.8, "c1": 0.1, "c2": 0.1}).fit(votes_of(matrix, 3))
    assert_allclose(np.exp(model.beliefs_[0].log_prior), [0.8, 0.1, 0.1])


@pytest.mark.parametrize(
    ("balance", "message"),
    [([0.5, 0.5], "3 shares"), ({"c0": 1, "x": 2}, "look at 'c1'"), ([1, 0, 1], "above 0")],
)
def test_an_impossible_balance_is_one_line(balance, message):
    with pytest.raises(ModelError, match=message):
        ClassModel(balance=balance).fit(votes_of([[0, 1], [2, 1]], 3))


EDGES = {
    "one class": (np.zeros((50, 3), int), 1),
    "one source": (np.arange(60).reshape(60, 1) % 3, 3),
    "identical sources": (np.tile(np.arange(300)[:, None] % 3, (1, 6)), 3),
    "always the same": (np.concatenate([np.zeros((300, 1), int), crowd(0, n=300)[0]], axis=1), 3),
    "no votes": (np.full((20, 4), -1), 3),
    "no documents": (np.empty((0, 4), int), 3),
    "never a class": (np.where(np.arange(200).reshape(50, 4) % 3 == 0, 0, -1), 3),
}


@pytest.mark.filterwarnings("ignore::weaklabel.errors.LabelModelWarning")
@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("model", ["classes", "dawid-skene", "majority-classes"])
def test_odd_votes_give_probabilities(name, model):
    matrix, n_classes = EDGES[name]
    votes = votes_of(matrix, n_classes)
    labels = registry.make(model).fit(votes).predict(votes)
    assert np.isfinite(labels.probability).all()
    assert_allclose(labels.probability.sum(axis=1), 1)


def test_identical_sources_keep_their_labels():
    matrix = EDGES["identical sources"][0]
    labels = ClassModel().fit(votes_of(matrix, 3)).predict(votes_of(matrix, 3))
    assert_array_equal(labels.chosen, matrix[:, 0])


def test_many_sources_and_classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 56, 4000)
    matrix = np.full((4000, 1200), -1)
    for j in range(1200):
        false = rng.uniform(0.0005, 0.01)
        fires = rng.random(4000) < np.where(truth == j % 56, 0.1, false)
        matrix[fires, j] = j % 56
    labels = ClassModel().fit(votes_of(matrix, 56)).predict(votes_of(matrix, 56))
    assert accuracy(labels, truth) > majority_accuracy(matrix, truth, 56)
    assert len(np.unique(labels.chosen)) == 56


def test_the_guard_sees_a_collapse():
    matrix, _ = rules(6)
    patterns = count_patterns([votes_of(matrix, 4)], [None])
    fit = majority_fit(patterns)
    assert drift(patterns, fit) == ""
    fit.posterior[:] = [1, 0, 0, 0]
    assert "votes but was left" in drift(patterns, fit)


def test_a_fallback_is_said_and_is_majority(monkeypatch):
    monkeypatch.setattr("weaklabel.models.belief.drift", lambda *_: "it was told to")
    matrix, _ = rules(7)
    votes = votes_of(matrix, 4)
    with pytest.warns(LabelModelWarning, match="fell back to majority vote: it was told to"):
        model = ClassModel().fit(votes)
    assert (model.regime_, model.fallback_) == ("majority", "it was told to")
    covered = (matrix >= 0).any(axis=1)
    majority = ClassMajorityModel().fit(votes).predict(votes)
    assert_array_equal(model.predict(votes).chosen[covered], majority.chosen[covered])


def test_stopping_early_is_said():
    matrix, _ = crowd(2)
    with pytest.warns(LabelModelWarning, match="did not converge"):
        model = ClassModel(max_iterations=2).fit(votes_of(matrix, 3))
    assert not model.converged_
    assert len(model.history_) == 2


def test_temperature_hits_its_target():
    posterior = np.random.default_rng(0).dirichlet(np.ones(4), 200)
    t = temperature(posterior, np.ones(200), 0.8)
    hot = posterior**t
    assert (hot / hot.sum(axis=1, keepdims=True)).max(axis=1).mean() == pytest.approx(0.8, abs=1e-6)


def test_a_declared_crowd_keeps_one_label_sources_apart():
    kinds = [Voter(f"s{j}", kind="exhaustive") for j in range(4)]
    matrix, _ = crowd(0, n_classes=2, workers=4, each=3)
    model = ClassModel().fit(Votes.from_class_matrix(task(2), matrix.astype(np.int16), kinds))
    assert model.regime_ == "crowd"


def test_wrong_use_is_told():
    with pytest.raises(NotFitted, match="call fit"):
        ClassModel().predict(votes_of([[0]], 2))
    with pytest.raises(VotesError, match="expected 0 to"):
        votes_of([[99]], 2)
    with pytest.raises(VotesError, match="confidence nan"):
        Votes.build(task(2), ["a"], [0], document=[0], source=[0], label=[0], confidence=[np.nan])
    model = ClassModel().fit(votes_of([[0, 1]] * 3, 2))
    with pytest.raises(ModelError, match="another task"):
        model.predict(votes_of([[0, 1]], 3))
    with pytest.raises(ModelError, match="was not there"):
        model.predict(votes_of([[0]], 2, ["new"]))


FLOORS = {
    "youtube": 0.84,
    "trec": 0.63,
    "semeval": 0.81,
    "imdb": 0.716,
    "agnews": 0.595,
    "yelp": 0.73,
}
CROWDS = {"crowd_rte": 0.928, "crowd_bluebird": 0.898}


@pytest.mark.parametrize("name", [*FLOORS, *CROWDS])
def test_public_sets_stay_where_they_are(shared_data, name):
    folder = shared_data / "wrench" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not there")
    splits = [read_wrench(folder, f.stem) for f in sorted(folder.glob("[tv]*.json"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ClassModel().fit([split.votes for split in splits])
    test = read_wrench(folder, "test")
    found = accuracy(model.predict(test.votes), test.gold.label)
    assert found > (FLOORS | CROWDS)[name]
