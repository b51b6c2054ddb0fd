from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from planted_classes import rules, votes_of

from weaklabel.corpus import Document, Shard
from weaklabel.errors import LabelModelWarning, NotFitted
from weaklabel.models.classes import ClassModel
from weaklabel.models.classes_text import TextClassModel
from weaklabel.models.text_features import Vocabulary, digests, fit_softmax, hashed, lbfgs, softmax
from weaklabel.votes import Gold

WORDS = ["apple pear plum", "iron zinc lead", "red blue green", "north south east"]


def made(seed=0, n=600, informative=True):
    matrix, truth = rules(seed, n=n)
    rng = np.random.default_rng(seed)
    noise = [f"word{i}" for i in range(200)]
    texts = []
    for y in truth:
        own = rng.choice(WORDS[y].split(), 2) if informative else []
        texts.append(" ".join([*own, *rng.choice(noise, 6)]))
    shard = Shard.from_documents([Document(str(i), t) for i, t in enumerate(texts)])
    return votes_of(matrix, 4), shard, truth


def test_text_helps_and_labels_what_nobody_voted_on():
    votes, shard, truth = made()
    labels = TextClassModel().fit(votes, texts=shard).predict(votes, texts=shard)
    plain = ClassModel().fit(votes).predict(votes)
    right, before = labels.chosen == truth, plain.chosen == truth
    assert right.mean() > before.mean() + 0.1
    silent = ~plain.covered
    assert silent.any()
    assert labels.covered[silent].all()
    assert right[silent].mean() > 0.7
    assert np.isfinite(labels.probability).all()


def test_text_that_says_nothing_is_left_out():
    votes, shard, _ = made(informative=False)
    model = TextClassModel().fit(votes, texts=shard)
    assert model.useful_ == (False,)
    assert_array_equal(
        model.predict(votes, texts=shard).probability,
        ClassModel().fit(votes).predict(votes).probability,
    )


def test_order_and_shards_change_no_bit():
    votes, shard, _ = made(n=300)
    whole = TextClassModel(rounds=1).fit(votes, texts=shard).predict(votes, texts=shard)
    order = np.random.default_rng(0).permutation(300)
    parts = [order[:100], order[100:]]
    model = TextClassModel(rounds=1).fit(
        [votes.select_documents(p) for p in parts], texts=[shard.select_documents(p) for p in parts]
    )
    for part in parts:
        labels = model.predict(votes.select_documents(part), texts=shard.select_documents(part))
        assert_array_equal(labels.probability, whole.probability[part])


def test_saved_and_loaded_it_predicts_the_same(tmp_path):
    votes, shard, _ = made(n=300)
    model = TextClassModel(rounds=1).fit(votes, texts=shard)
    model.save(tmp_path)
    again = TextClassModel.load(tmp_path)
    assert_array_equal(
        again.predict(votes, texts=shard).probability, model.predict(votes, texts=shard).probability
    )


def test_gold_is_kept():
    votes, shard, truth = made(n=300)
    gold = Gold.build(votes.task, votes.n_tokens, document=range(50), label=truth[:50])
    model = TextClassModel(rounds=1).fit(votes, texts=shard, gold=gold)
    labels = model.predict(votes, texts=shard, gold=gold)
    assert_array_equal(labels.chosen[:50], truth[:50])


def test_without_texts_it_says_so():
    votes, _, _ = made(n=300)
    with pytest.warns(LabelModelWarning, match="votes alone"):
        model = TextClassModel().fit(votes)
    expected = ClassModel().fit(votes).predict(votes).probability
    assert_array_equal(model.predict(votes).probability, expected)
    with pytest.raises(NotFitted):
        TextClassModel().predict(votes)


def test_the_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    _, shard, truth = made(n=200)
    counts = hashed(shard.texts)
    frequency = np.bincount(counts.indices, minlength=1 << 20)
    features = Vocabulary.of(frequency, 200, 5000).weigh(counts)
    table = fit_softmax(features, np.eye(4)[truth], strength=1.0, iterations=500)
    peer = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000).fit(features, truth)
    found = softmax(features @ table[:-1] + table[-1])
    np.testing.assert_allclose(found, peer.predict_proba(features), atol=2e-4)


def test_lbfgs_finds_the_foot_of_a_valley():
    def rosenbrock(x):
        slope = [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, np.array(slope)

    np.testing.assert_allclose(lbfgs(rosenbrock, np.array([-1.2, 1.0]), 300), 1, atol=1e-3)


def test_equal_texts_share_a_fold():
    digest = digests(["a", "b", "a"])
    assert digest[0] == digest[2] != digest[1]
