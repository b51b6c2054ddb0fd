"""A text model that has not seen the label it judges: TF-IDF of words, logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST = 8


def out_of_fold_texts(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    n_labels: int,
    *,
    folds: int = 5,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(D, K) class probabilities of each text by a model that was trained without it.

    Equal texts share a fold, so that a copy does not give its twin's label away. With fewer than
    eight texts, or one label only, the answer is the labels' shares.
    """
    shares = (np.bincount(labels, minlength=n_labels) + 0.5) / (len(labels) + 0.5 * n_labels)
    result = np.tile(shares, (len(texts), 1))
    if len(texts) < _FEWEST or len(np.unique(labels)) < 2:
        return result
    fold = _folds_of(texts, min(folds, len(texts) // 2), seed)
    for k in range(int(fold.max()) + 1):
        held = np.flatnonzero(fold == k)
        kept = np.flatnonzero(fold != k)
        if len(held) and len(np.unique(labels[kept])) > 1:
            result[held] = _fit_predict(texts, labels, kept, held, n_labels)
    return result


def _folds_of(texts: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    names, inverse = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)
    deal = np.random.default_rng(seed).permutation(len(names)) % folds
    folds_of: NDArray[np.int64] = deal[inverse.ravel()]
    return folds_of


def out_of_fold_sets(
    texts: Sequence[str], sets: NDArray[np.bool_], *, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """(D, K) probability that each label holds of each text, by models trained without it.

    sets: (D, K) the labels that are given. One logistic regression for each label.
    """
    shares = (sets.sum(axis=0) + 0.5) / (len(sets) + 1)
    result = np.tile(shares, (len(texts), 1))
    if len(texts) < _FEWEST:
        return result
    fold = _folds_of(texts, min(folds, len(texts) // 2), seed)
    for f in range(int(fold.max()) + 1):
        held, kept = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        both = _words(texts, kept, held) if len(held) else None
        if both is None:
            continue
        for k in range(sets.shape[1]):
            if len(np.unique(sets[kept, k])) > 1:
                result[held, k] = _regression(both[0], sets[kept, k]).predict_proba(both[1])[:, 1]
    return result


def _fit_predict(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    kept: NDArray[np.int64],
    held: NDArray[np.int64],
    n_labels: int,
) -> NDArray[np.float64]:
    both = _words(texts, kept, held)
    if both is None:
        shares = np.bincount(labels[kept], minlength=n_labels) / len(kept)
        return np.tile(shares, (len(held), 1))
    model = _regression(both[0], labels[kept])
    probabilities = np.full((len(held), n_labels), 1e-6)
    probabilities[:, model.classes_] = model.predict_proba(both[1])
    normal: NDArray[np.float64] = probabilities / probabilities.sum(axis=1, keepdims=True)
    return normal


def _words(
    texts: Sequence[str], kept: NDArray[np.int64], held: NDArray[np.int64]
) -> tuple[Any, Any] | None:
    """TF-IDF of what is trained on and of the rest; None if there are no words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=1, max_features=200_000)
    try:
        seen = words.fit_transform([texts[i] for i in kept])
    except ValueError:
        return None
    return seen, words.transform([texts[i] for i in held])


def _regression(rows: Any, labels: NDArray[Any]) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=4.0, max_iter=200).fit(rows, labels)
