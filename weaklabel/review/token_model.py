"""A token model that has not seen the labels it judges: out of fold, hashed features, softmax."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, NotFitted
from ..models.windows import BUCKETS

_SETTLED = 0.01


def fold_of(names: Iterable[str], folds: int = 5) -> NDArray[np.int64]:
    """(D,) the fold of each document, by its name: the same whatever the shard it lies in."""
    hashes = [zlib.crc32(name.encode("utf-8", "surrogatepass")) % folds for name in names]
    return np.asarray(hashes, dtype=np.int64)


class TokenModel:
    """As many softmax regressions as folds; each judges the documents that it has not seen.

    folds: see ``fold_of``. epochs: passes over the tokens. rate: AdaGrad's step. decay: L2 per
    touch. seed: of the order in which tokens are seen.
    """

    def __init__(
        self,
        *,
        folds: int = 5,
        epochs: int = 3,
        rate: float = 0.1,
        decay: float = 1e-5,
        seed: int = 0,
    ) -> None:
        self.folds, self.epochs, self.rate, self.decay, self.seed = folds, epochs, rate, decay, seed

    def fit(
        self,
        features: NDArray[np.int32],
        targets: NDArray[np.float64],
        fold: NDArray[np.int64],
        weights: NDArray[np.float64] | None = None,
    ) -> TokenModel:
        """Learn from (T, F) buckets, (T, C) soft targets, (T,) folds and (T,) weights."""
        if len(np.unique(fold)) < 2:
            raise ModelError("out-of-fold probabilities need documents in at least two folds")
        weight = np.ones(len(features)) if weights is None else weights
        with ThreadPoolExecutor(max_workers=2) as pool:
            self.coefficients_ = list(
                pool.map(
                    lambda k: self._fit_rows(features, targets, weight, fold != k),
                    range(self.folds),
                )
            )
        return self

    def _fit_rows(
        self,
        features: NDArray[np.int32],
        targets: NDArray[np.float64],
        weights: NDArray[np.float64],
        keep: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        from ..kernels.softmax import softmax_epochs

        random = np.random.default_rng(self.seed)
        rows = np.flatnonzero(keep)
        orders = np.stack([random.permutation(rows) for _ in range(self.epochs)])
        coefficients = np.zeros((BUCKETS, targets.shape[1]), dtype=np.float32)
        softmax_epochs(
            features,
            targets.astype(np.float32),
            weights.astype(np.float32),
            orders.astype(np.int32),
            self.rate,
            self.decay,
            _SETTLED,
            coefficients,
        )
        return coefficients

    def predict(self, features: NDArray[np.int32], fold: NDArray[np.int64]) -> NDArray[np.float64]:
        """(T, C) class probabilities, each by the model that did not see the token's fold."""
        from ..kernels.softmax import softmax_predict

        if not hasattr(self, "coefficients_"):
            raise NotFitted("predict before fit")
        result = np.empty((len(features), self.coefficients_[0].shape[1]))
        for k, coefficients in enumerate(self.coefficients_):
            rows = np.flatnonzero(fold == k)
            result[rows] = softmax_predict(features[rows], coefficients)
        return result
