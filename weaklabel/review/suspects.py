"""Places that a person may be asked about, in columns: what stands there, what speaks against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

ISSUES = (
    "doubt",
    "missed",
    "spurious",
    "wrong type",
    "wrong boundary",
    "wrong class",
    "near duplicate",
    "outlier",
    "unintelligible",
)
"""Why an item is asked; "doubt": only the label model is unsure, or its sources differ."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """N places in columns.

    shard, document: (N,) where. start, end: (N,) tokens, end exclusive (classes: 0, 0).
    label: (N,) as it stands, -1 none. issue: (N,) index into ISSUES.
    guess_start, guess_end, guess: (N,) the suggestion; guess -1: no entity. Where a document may
        have several classes it is the one to add or take away; -1: none.
    quality: (N,) cleanlab's score of the label as it stands, 1 good, by an out-of-fold model.
    doubt: (N,) the label model's probability that the label is wrong.
    margin: (N,) the label model's lead of its first choice over its second.
    entropy: (N,) of the label model's posterior, in nats.
    disagreement: (N,) entropy of what the sources said there, 0 to 1.
    groups: (N, G) numbers that places share if they are alike in one of G respects: voted on alike,
        read the same, look the same, stand in the same context.
    """

    shard: NDArray[np.int64]
    document: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    issue: NDArray[np.int64]
    guess_start: NDArray[np.int64]
    guess_end: NDArray[np.int64]
    guess: NDArray[np.int64]
    quality: NDArray[np.float64]
    doubt: NDArray[np.float64]
    margin: NDArray[np.float64]
    entropy: NDArray[np.float64]
    disagreement: NDArray[np.float64]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.document)

    def rows(self, keep: NDArray[np.int64]) -> Suspects:
        """Some of the places, in the order given."""
        return Suspects(*(getattr(self, f.name)[keep] for f in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Suspects]) -> Suspects:
        """The places of several shards as one."""
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )
