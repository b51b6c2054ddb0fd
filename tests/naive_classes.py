"""Slow oracles for class models, written from the papers; imports nothing of weaklabel."""

from __future__ import annotations

import itertools
import math

import numpy as np


def e_step(matrix, prior, confusion):
    """Dawid & Skene (1979), eq. 2.5. matrix: (n, m) labels, -1 for none; confusion[j][y][v]."""
    n_classes = len(prior)
    posterior = np.zeros((len(matrix), n_classes))
    likelihood = 0.0
    for i, row in enumerate(matrix):
        joint = []
        for y in range(n_classes):
            p = prior[y]
            for j, v in enumerate(row):
                if v >= 0:
                    p *= confusion[j][y][v]
            joint.append(p)
        likelihood += math.log(sum(joint))
        posterior[i] = np.array(joint) / sum(joint)
    return posterior, likelihood


def m_step(matrix, posterior, tiny=1e-10):
    """Dawid & Skene (1979), eqs. 2.3 and 2.4."""
    n_sources, n_classes = len(matrix[0]), posterior.shape[1]
    confusion = np.full((n_sources, n_classes, n_classes), tiny)
    for j, y in itertools.product(range(n_sources), range(n_classes)):
        total = sum(posterior[i, y] for i, row in enumerate(matrix) if row[j] >= 0)
        for v in range(n_classes):
            hits = sum(posterior[i, y] for i, row in enumerate(matrix) if row[j] == v)
            confusion[j, y, v] = max(hits / max(total, tiny), tiny)
    share = np.maximum(posterior.sum(axis=0), tiny)
    return share / share.sum(), confusion


def majority_shares(matrix, n_classes):
    """Votes as shares; no vote: all classes alike."""
    shares = np.full((len(matrix), n_classes), 1 / n_classes)
    for i, row in enumerate(matrix):
        cast = [v for v in row if v >= 0]
        if cast:
            shares[i] = [cast.count(k) / len(cast) for k in range(n_classes)]
    return shares


def dawid_skene(matrix, n_classes, iterations):
    """Posterior after the given number of E-steps."""
    posterior = majority_shares(matrix, n_classes)
    history = []
    for _ in range(iterations):
        posterior, likelihood = e_step(matrix, *m_step(matrix, posterior))
        history.append(likelihood)
    return posterior, history


def held_out(matrix, prior, confusion, i, j):
    """log P(vote of source j on item i | the other votes on i)."""
    others = [v if k != j else -1 for k, v in enumerate(matrix[i])]
    posterior, _ = e_step([others], prior, confusion)
    vote = matrix[i][j]
    return math.log(sum(posterior[0, y] * confusion[j][y][vote] for y in range(len(prior))))


def krippendorff_alpha(matrix):
    """Nominal alpha from the coincidence matrix (Krippendorff 2011)."""
    coincidence: dict[tuple[int, int], float] = {}
    for row in matrix:
        cast = [v for v in row if v >= 0]
        for a, b in itertools.permutations(range(len(cast)), 2):
            key = (cast[a], cast[b])
            coincidence[key] = coincidence.get(key, 0.0) + 1 / (len(cast) - 1)
    total = sum(coincidence.values())
    values = {v for pair in coincidence for v in pair}
    margin = {v: sum(c for (a, _), c in coincidence.items() if a == v) for v in values}
    observed = sum(c for (a, b), c in coincidence.items() if a != b)
    expected = sum(margin[a] * margin[b] for a in values for b in values if a != b) / (total - 1)
    return 1 - observed / expected


def silent_share(matrix):
    """Items without a vote."""
    return sum(all(v < 0 for v in row) for row in matrix) / len(matrix)
