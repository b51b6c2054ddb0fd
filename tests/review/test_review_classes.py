"""Flags of class labels against planted errors: one label, several labels, a crowd."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

import weaklabel as wl
from weaklabel.pipeline import run_job
from weaklabel.review.class_review import class_suspects_of
from weaklabel.review.label_issues import annotator_quality, class_issues, crowd_quality, set_issues
from weaklabel.review.queue import _ShardView, open_queue
from weaklabel.review.rank import wrongness
from weaklabel.review.suspects import ISSUES
from weaklabel.votes import Voter

TOPICS = ("sport", "trade", "weather")
WORDS = (
    ["match", "goal", "team", "coach", "win", "league", "cup", "striker"],
    ["market", "bank", "shares", "profit", "trade", "price", "bond", "dollar"],
    ["rain", "sun", "wind", "storm", "cloud", "snow", "degrees", "cold"],
)
WRONG = ISSUES.index("wrong class")


def shard_of(truth: np.ndarray, seed: int) -> wl.Shard:
    """Documents whose words tell their classes; truth: (D, K)."""
    dice = np.random.default_rng(seed)
    texts = []
    for row in truth:
        words = [
            "the",
            "a",
            "said",
            *(w for k in np.flatnonzero(row) for w in dice.choice(WORDS[k], 5)),
        ]
        texts.append(" ".join(dice.permutation(words)))
    return wl.Shard.from_documents(wl.Document(f"d{i}", t) for i, t in enumerate(texts))


def planted(n: int, seed: int) -> tuple[wl.Shard, np.ndarray, np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, 3, n)
    wrong = dice.random(n) < 0.1
    given = np.where(wrong, (truth + dice.integers(1, 3, n)) % 3, truth)
    return shard_of(np.eye(3, dtype=bool)[truth], seed), truth, given, wrong


def test_single_labels_that_were_flipped_are_flagged_with_the_true_class() -> None:
    shard, truth, given, wrong = planted(400, 1)
    task = wl.Task("classes", TOPICS)
    labels = wl.ClassLabels(task, np.eye(3)[given] * 0.7 + 0.1, np.ones(400, bool))
    votes = wl.Votes.from_class_matrix(task, given[:, None], ["lexicon"])
    found = class_suspects_of([shard], [labels], [votes])
    flagged = found.issue == WRONG
    assert (flagged & wrong).sum() >= 0.9 * wrong.sum()
    assert (flagged & wrong).sum() >= 0.9 * flagged.sum()
    assert (found.guess[flagged & wrong] == truth[flagged & wrong]).mean() > 0.95


def test_issues_are_those_of_confident_learning_by_hand() -> None:
    given = np.array([0] * 50 + [1] * 50)
    probabilities = np.tile([0.9, 0.1], (100, 1))
    probabilities[50:] = [0.2, 0.8]
    probabilities[[3, 60]] = [[0.02, 0.98], [0.99, 0.01]]
    assert np.flatnonzero(class_issues(given, probabilities)).tolist() == [3, 60]
    assert not class_issues(np.zeros(4, int), np.tile([1.0, 0.0], (4, 1))).any()


def test_each_label_of_several_is_judged_for_itself() -> None:
    dice = np.random.default_rng(2)
    truth = dice.random((500, 3)) < 0.45
    wrong = np.zeros_like(truth)
    wrong[dice.choice(500, 50, replace=False), dice.integers(0, 3, 50)] = True
    given = truth ^ wrong
    shard = shard_of(truth, 2)
    task = wl.Task("classes", TOPICS, multi=True, name="topics")
    probability = np.where(given, 0.8, 0.2)
    labels = wl.ClassLabels(task, probability, np.ones(500, bool))
    votes = wl.Votes.from_class_matrix(
        task, np.where(given.any(axis=1), given.argmax(axis=1), -1)[:, None], ["lexicon"]
    )
    found = class_suspects_of([shard], [labels], [votes])
    flagged = np.flatnonzero(found.issue == WRONG)
    right = wrong[flagged, found.guess[flagged]]
    assert right.sum() >= 0.85 * wrong.any(axis=1).sum()
    assert right.mean() >= 0.85
    errors = wrong.any(axis=1)
    assert average_precision_score(errors, wrongness(found)) > 0.9
    view = _ShardView(_Run([shard], {"topics": task}, [labels], [votes]), 0)
    row = int(flagged[right][0])
    detail = view.item("topics", found, row)[-1]
    assert detail["classes"] == [t for t, on in zip(TOPICS, given[row], strict=True) if on]
    assert detail["guess_classes"] == [t for t, on in zip(TOPICS, truth[row], strict=True) if on]


def test_a_label_that_all_or_none_have_is_no_issue() -> None:
    sets = np.column_stack([np.ones(40, bool), np.zeros(40, bool), np.arange(40) % 2 == 0])
    issues, quality = set_issues(sets, np.clip(sets * 0.9, 0.05, 0.95))
    assert not issues.any()
    assert quality.shape == (40, 3)


def test_a_crowd_tells_more_than_the_text_alone() -> None:
    shard, truth, _, _ = planted(400, 3)
    dice = np.random.default_rng(3)
    skill = np.array([0.95, 0.9, 0.85, 0.4, 0.35])
    said = np.where(dice.random((400, 5)) < skill, truth[:, None], dice.integers(0, 3, (400, 5)))
    said[dice.random((400, 5)) < 0.4] = -1
    said[:5] = -1
    task = wl.Task("classes", TOPICS)
    voters = [Voter(f"w{j}", TOPICS, "exhaustive") for j in range(5)]
    votes = wl.Votes.from_class_matrix(task, said, voters)
    counts = np.stack([(said == k).sum(axis=1) for k in range(3)], axis=1)
    given = np.where(counts.any(axis=1), (counts + dice.random(counts.shape) / 2).argmax(axis=1), 0)
    read = np.where(dice.random(400) < 0.7, truth, (truth + dice.integers(1, 3, 400)) % 3)
    weak = np.eye(3)[read] * 0.55 + 0.15
    quality, annotators = crowd_quality([votes], given, weak)
    silent = (said == -1).all(axis=1)
    assert np.array_equal(np.isnan(quality), silent)
    assert sorted(annotators, key=annotators.__getitem__)[:2] in (["w3", "w4"], ["w4", "w3"])
    errors = (given != truth)[~silent]
    agreed = -counts[np.arange(400), given] / np.maximum(counts.sum(axis=1), 1)
    ours = average_precision_score(errors, 1 - quality[~silent])
    by_text = 1 - weak[np.arange(400), given]
    assert ours > average_precision_score(errors, agreed[~silent])
    assert ours > average_precision_score(errors, by_text[~silent])
    labels = wl.ClassLabels(task, np.eye(3)[given] * 0.7 + 0.1, ~silent)
    measured = annotator_quality(votes, labels, shard.texts)
    assert sorted(measured, key=measured.__getitem__)[:2] in (["w3", "w4"], ["w4", "w3"])
    assert np.isfinite(wrongness(class_suspects_of([shard], [labels], [votes]))).all()


def test_spotters_and_one_worker_are_no_crowd() -> None:
    task = wl.Task("classes", TOPICS)
    said = np.tile(np.arange(3), 10)[:, None].repeat(2, axis=1)
    even = np.full((30, 3), 1 / 3)
    for kinds in (("spotter", "spotter"), ("exhaustive", "spotter")):
        voters = [Voter(f"w{j}", TOPICS, kind) for j, kind in enumerate(kinds)]
        votes = wl.Votes.from_class_matrix(task, said, voters)
        quality, annotators = crowd_quality([votes], said[:, 0], even)
        assert np.isnan(quality).all()
        assert annotators == {}


class _Run:
    """What a view of a shard reads of a run."""

    def __init__(self, shards, tasks, labels, votes) -> None:
        self.shards, self.tasks = shards, tasks
        self.labels = lambda task: labels
        self.votes = lambda task: votes


def test_a_run_on_a_crowd_tells_the_quality_of_each_worker(tmp_path: Path) -> None:
    shard, truth, _, _ = planted(120, 4)
    dice = np.random.default_rng(4)
    rows = ["item,worker,label"]
    for i, t in enumerate(truth.tolist()):
        for worker, skill in (("good", 0.95), ("fair", 0.85), ("also", 0.85), ("bad", 0.2)):
            said = t if dice.random() < skill else int(dice.integers(0, 3))
            rows.append(f"d{i},{worker},{TOPICS[said]}")
    (tmp_path / "crowd.csv").write_text("\n".join(rows))
    lines = [json.dumps({"id": f"d{i}", "text": t}) for i, t in enumerate(shard.texts)]
    (tmp_path / "documents.jsonl").write_text("\n".join(lines))
    (tmp_path / "job.yaml").write_text(
        "input: {format: jsonl, path: documents.jsonl}\ntask: classes\n"
        f"labels: [{', '.join(TOPICS)}]\n"
        "sources: [{use: crowd, name: crowd, file: crowd.csv}]\nmodel: dawid-skene\n"
    )
    outcome = run_job(tmp_path / "job.yaml")
    workers = outcome.analysis["tasks"]["classes"]["agreement"]["workers"]
    quality = {row["source"]: row["quality"] for row in workers}
    assert min(quality, key=quality.__getitem__) == "crowd.bad"
    assert quality["crowd.good"] > quality["crowd.bad"] + 0.3
    store = open_queue(outcome.run)
    assert store.progress()["items"] == 120
    store.close()
