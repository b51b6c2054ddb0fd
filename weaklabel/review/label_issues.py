"""Cleanlab's verdict on class labels: which are issues, how good each is, crowds included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..labels import ClassLabels
from ..task import NONE
from ..votes import Votes
from .text_model import out_of_fold_texts

CELLS = 20_000_000
"""Documents x annotators that are looked at; cleanlab's table of them is dense."""

MEASURED = 5_000
"""Documents that annotators are measured on: more would cost time and change little."""


def class_issues(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(D,) the labels that cleanlab prunes by the estimated noise rate of each pair of classes.

    probabilities: (D, K) by a model that has not seen the labels.
    """
    from cleanlab.filter import find_label_issues

    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), dtype=bool)
    issues: NDArray[np.bool_] = find_label_issues(labels, probabilities, n_jobs=1)
    return issues


def set_issues(
    sets: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Of each label of each document, whether its presence or absence is an issue, and its score.

    sets: (D, K) the labels that are given. probabilities: (D, K) that each holds, by a model that
    has not seen them. Scores are 1 where a label fits the model. Both (D, K).
    """
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    issues = np.zeros(sets.shape, dtype=bool)
    scores = np.asarray(get_label_quality_scores_per_class(_lists(sets), probabilities))
    varied = np.flatnonzero(sets.any(axis=0) & ~sets.all(axis=0))
    if len(varied):
        found = find_multilabel_issues_per_class(
            _lists(sets[:, varied]), probabilities[:, varied], n_jobs=1
        )
        issues[:, varied] = np.asarray(found)
    return issues, scores.reshape(sets.shape)


def _lists(sets: NDArray[np.bool_]) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in sets]


def crowd_quality(
    votes: Sequence[Votes], labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """CROWDLAB's score of each label (D,), NaN where no annotator looked; each annotator's quality.

    Annotators are the sources that judge document by document and whose silence says no: workers,
    persons, prompts. There must be two who have met. Goh, Tkachenko and Mueller 2022.
    votes: shards of class votes. labels: (D,). probabilities: (D, K) by a model that has not seen
    the labels.
    """
    from cleanlab.multiannotator import get_label_quality_multiannotator

    quality = np.full(len(labels), np.nan)
    table, names = _annotations(votes)
    rows = np.flatnonzero(~np.isnan(table).all(axis=1))
    columns = np.flatnonzero(~np.isnan(table[rows]).all(axis=0))
    seen = table[np.ix_(rows, columns)]
    met = (~np.isnan(seen)).sum(axis=1)
    if len(columns) < 2 or met.max(initial=0) < 2 or len(np.unique(seen[~np.isnan(seen)])) < 2:
        return quality, {}
    found = get_label_quality_multiannotator(
        seen, probabilities[rows], return_detailed_quality=False, verbose=False
    )
    consensus = found["label_quality"]["consensus_label"].to_numpy()
    score = found["label_quality"]["consensus_quality_score"].to_numpy(dtype=np.float64)
    quality[rows] = np.where(consensus == labels[rows], score, 1 - score)
    annotators = found["annotator_stats"]["annotator_quality"]
    return quality, {names[columns[j]]: float(annotators.loc[j]) for j in range(len(columns))}


def annotator_quality(
    votes: Votes, labels: ClassLabels, texts: Sequence[str], seed: int = 0
) -> dict[str, float]:
    """CROWDLAB's quality of each annotator, measured on the first 5,000 documents; fractions of 1.

    Empty where sources are no crowd, or where a document may have several labels.
    """
    few = np.arange(min(len(texts), MEASURED))
    part = votes.select_documents(few)
    if votes.task.multi or not _annotations([part])[1]:
        return {}
    chosen = labels.chosen[few].astype(np.int64)
    seen = list(texts[: len(few)])
    probabilities = out_of_fold_texts(seen, chosen, len(votes.task.labels), seed=seed)
    return crowd_quality([part], chosen, probabilities)[1]


def _annotations(votes: Sequence[Votes]) -> tuple[NDArray[np.float64], list[str]]:
    """(D, annotators) the class each gave, NaN for none; and their names."""
    chosen = [j for j, voter in enumerate(votes[0].voters) if voter.kind == "exhaustive"]
    n_documents = sum(part.n_documents for part in votes)
    if len(chosen) < 2 or n_documents * len(chosen) > CELLS:
        return np.full((n_documents, 0), np.nan), []
    matrix = np.concatenate([part.class_matrix()[:, chosen] for part in votes])
    plain = (matrix != NONE) & (matrix < len(votes[0].task.labels))
    return np.where(plain, matrix, np.nan), [votes[0].names[j] for j in chosen]
