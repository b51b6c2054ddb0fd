"""Votes drawn from a planted truth."""

from __future__ import annotations

import numpy as np

from weaklabel.task import Task
from weaklabel.votes import Votes


def task(n_classes, **rest):
    return Task("classes", tuple(f"c{k}" for k in range(n_classes)), **rest)


def votes_of(matrix, n_classes, names=None):
    return Votes.from_class_matrix(task(n_classes), np.asarray(matrix, dtype=np.int16), names)


def crowd(seed, n_classes=3, n=400, workers=30, each=5, spammers=0.2):
    """Every item has ``each`` answers; spammers answer at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    skill = np.where(rng.random(workers) < spammers, 1 / n_classes, rng.uniform(0.6, 0.95, workers))
    matrix = np.full((n, workers), -1)
    for i in range(n):
        for w in rng.choice(workers, each, replace=False):
            right = rng.random() < skill[w]
            matrix[i, w] = truth[i] if right else rng.integers(0, n_classes)
    return matrix, truth


def rules(seed, n_classes=4, n=3000, sources=12, broad=1):
    """One-label sources, narrow and precise, and some that fire nearly everywhere."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    columns = []
    for j in range(sources + broad):
        label = j % n_classes
        if j < sources:
            precision, share = rng.uniform(0.6, 0.95), rng.uniform(0.03, 0.12)
            hit = share * precision * n_classes
            miss = share * (1 - precision) / (1 - 1 / n_classes)
        else:
            hit, miss = 0.8, 0.5
        fires = rng.random(n) < np.where(truth == label, hit, miss)
        columns.append(np.where(fires, label, -1))
    return np.stack(columns, axis=1), truth


def majority_accuracy(matrix, truth, n_classes):
    """Expected over random ties."""
    counts = np.stack([(matrix == k).sum(axis=1) for k in range(n_classes)], axis=1)
    best = counts == counts.max(axis=1, keepdims=True)
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())
