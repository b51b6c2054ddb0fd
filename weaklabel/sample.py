"""A random sample of documents over shards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sample_documents(sizes: Sequence[int], count: int, seed: int) -> list[NDArray[np.int64]]:
    """For each shard the sorted documents of a uniform sample without replacement.

    sizes: documents of each shard. count: size of the sample; all documents if there are fewer.
    """
    total = sum(sizes)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(total, size=min(count, total), replace=False))
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    cuts = np.searchsorted(chosen, bounds)
    return [
        (chosen[a:b] - low).astype(np.int64)
        for a, b, low in zip(cuts[:-1], cuts[1:], bounds[:-1], strict=True)
    ]
