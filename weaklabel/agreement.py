"""How far sources agree with one another: Krippendorff's alpha, Cohen's kappa, quality of each.

On class votes only; groups and votes against a label are left out, for they name no class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import VotesError
from .labels import ClassLabels
from .task import NONE
from .votes import Votes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WorkerQuality:
    """One source among the others. Fractions of 1, NaN where nothing can be said.

    votes: documents it voted on. shared: of these, how many others voted on as well.
    agreement: on shared documents, the mean share of the other votes that say the same.
    with_labels: share of its votes that are the chosen label. kappa: Cohen's, of the two.
    """

    source: str
    votes: int
    shared: int
    agreement: float
    with_labels: float
    kappa: float


def krippendorff_alpha(votes: Votes) -> float:
    """Nominal alpha over all sources (Krippendorff 2011, eq. 1): 1 perfect, 0 chance, NaN unknown.

    ``1 - D_o / D_e`` from coincidences of values within documents with at least two votes.
    """
    counts = class_counts(votes)
    n = counts.sum(axis=1)
    counts, n = counts[n >= 2], n[n >= 2]
    if len(n) == 0:
        return float("nan")
    same = (counts * (counts - 1)).sum(axis=1)
    observed = float(np.sum((n * (n - 1) - same) / (n - 1)))
    values = counts.sum(axis=0)
    total = float(values.sum())
    expected = float(total**2 - np.sum(values**2)) / (total - 1)
    return 1.0 if expected == 0 else 1 - observed / expected


def class_counts(votes: Votes) -> Floats:
    """(D, K) how many sources voted for each class."""
    if votes.task.kind != "classes":
        raise VotesError("agreement is measured on class votes; these are spans")
    n_classes = len(votes.task.labels)
    matrix = _plain(votes)
    counts = np.zeros((votes.n_documents, n_classes))
    document, source = np.nonzero(matrix != NONE)
    np.add.at(counts, (document, matrix[document, source]), 1)
    return counts


def kappa_matrix(votes: Votes) -> Floats:
    """(M, M) Cohen's kappa of each two sources where both voted; NaN where it is undefined."""
    matrix = _plain(votes)
    kappa = np.full((votes.n_sources, votes.n_sources), np.nan)
    for i in range(votes.n_sources):
        for j in range(i, votes.n_sources):
            kappa[i, j] = kappa[j, i] = cohen_kappa(matrix[:, i], matrix[:, j])
    return kappa


def cohen_kappa(left: NDArray[np.integer], right: NDArray[np.integer]) -> float:
    """Cohen's kappa where neither is silent (-1); NaN without overlap or without variation."""
    from sklearn.metrics import cohen_kappa_score

    both = (left != NONE) & (right != NONE)
    if not both.any():
        return float("nan")
    if len(np.unique(np.concatenate([left[both], right[both]]))) < 2:
        return float("nan")
    return float(cohen_kappa_score(left[both], right[both]))


def worker_quality(votes: Votes, labels: ClassLabels) -> list[WorkerQuality]:
    """Each source against the others and against the labels that were chosen."""
    matrix, counts, chosen = _plain(votes), class_counts(votes), labels.chosen
    total = counts.sum(axis=1)
    rows = []
    for j, name in enumerate(votes.names):
        mine = np.flatnonzero(matrix[:, j] != NONE)
        shared = mine[total[mine] >= 2]
        others = (counts[shared, matrix[shared, j]] - 1) / (total[shared] - 1)
        rows.append(
            WorkerQuality(
                name,
                len(mine),
                len(shared),
                float(others.mean()) if len(shared) else float("nan"),
                float((matrix[mine, j] == chosen[mine]).mean()) if len(mine) else float("nan"),
                cohen_kappa(matrix[:, j], chosen),
            )
        )
    return rows


def _plain(votes: Votes) -> NDArray[np.int16]:
    """(D, M) votes for a class, -1 for silence and for votes that name no class."""
    matrix = votes.class_matrix()
    return np.where(matrix < len(votes.task.labels), matrix, NONE).astype(np.int16)
