"""Spans: an out-of-fold token model over the shards, then the suspects of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..labels import Labels, SpanLabels
from ..models.windows import token_features
from ..votes import Votes
from .flags import span_suspects
from .suspects import Suspects
from .tags import soft_tags
from .token_model import TokenModel, fold_of

TRAINING_TOKENS = 1_000_000
"""The token model learns from the first shards, up to so many tokens; it judges them all."""


def span_suspects_of(
    shards: Sequence[Shard], labels: Sequence[Labels], votes: Sequence[Votes], seed: int = 0
) -> Suspects:
    """Every place of a run that could be asked about."""
    model = fit_token_model(shards, labels, seed)
    return Suspects.concatenate(
        [_of_shard(model, shards[i], labels[i], votes[i], i) for i in range(len(shards))]
    )


def _of_shard(
    model: TokenModel | None, shard: Shard, labels: Labels, votes: Votes, number: int
) -> Suspects:
    assert isinstance(labels, SpanLabels)
    if model is None:
        probabilities = soft_tags(labels, shard.indptr)
    else:
        probabilities = model.predict(token_features(shard), _folds(shard))
    return span_suspects(shard, labels, votes, probabilities, number)


def fit_token_model(
    shards: Sequence[Shard], labels: Sequence[Labels], seed: int = 0
) -> TokenModel | None:
    """A token model fitted on the labels' probabilities; None if nothing can be held out."""
    features: list[NDArray[np.int32]] = []
    targets: list[NDArray[np.float64]] = []
    folds: list[NDArray[np.int64]] = []
    for i in range(len(shards)):
        part = labels[i]
        assert isinstance(part, SpanLabels)
        features.append(token_features(shards[i]))
        targets.append(soft_tags(part, shards[i].indptr))
        folds.append(_folds(shards[i]))
        if sum(map(len, folds)) >= TRAINING_TOKENS:
            break
    fold = np.concatenate(folds) if folds else np.zeros(0, dtype=np.int64)
    if len(np.unique(fold)) < 2:
        return None
    rows = slice(0, TRAINING_TOKENS)
    return TokenModel(seed=seed).fit(
        np.concatenate(features)[rows], np.concatenate(targets)[rows], fold[rows]
    )


def _folds(shard: Shard) -> NDArray[np.int64]:
    return np.repeat(fold_of(shard.ids), shard.n_tokens)
