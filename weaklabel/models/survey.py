"""The first walk of a fit: what each source casts, what kind it is, which documents to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..kernels.lattice import cluster_starts
from ..task import Task
from ..votes import Votes
from .context import Choice
from .kinds import BunchCounter, KindCounter, guess_without_text
from .walking import Portion

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of M sources after a look at some shards; surveys add up.

    cast: (M, L) votes by source and vote label. passed_over: sources that did not look at every
    document. kinds: None without text. choice: the documents that the text is learned from.
    """

    cast: Floats
    passed_over: frozenset[str]
    bunches: BunchCounter
    kinds: KindCounter | None
    choice: Choice

    @classmethod
    def of(cls, names: tuple[str, ...], task: Task, max_tokens: int, portion: Portion) -> Survey:
        """Of one shard; names: of all sources, sorted."""
        votes, n_sources = portion.votes, len(names)
        number = np.asarray([names.index(name) for name in votes.names], np.int32)
        source = number[votes.source]
        cast = np.zeros((n_sources, len(task.vote_labels)))
        np.add.at(cast, (source, votes.label), 1.0)
        begins = cluster_starts(votes.document, votes.start, votes.end)
        voted = np.unique((np.cumsum(begins) - 1) * n_sources + source).astype(np.int64)
        bunches = BunchCounter(n_sources)
        bunches.add(votes.document[begins], voted, votes.n_documents)
        kinds, choice = None, Choice(max_tokens)
        if portion.text is not None:
            kinds = KindCounter(n_sources, len(task.labels))
            kinds.add(votes, source, portion.text)
            choice.add(portion.index, portion.text)
        return cls(cast, _passed_over(votes), bunches, kinds, choice)

    @classmethod
    def together(cls, surveys: Iterable[Survey]) -> Survey:
        """The sum."""
        return reduce(cls._plus, surveys)

    def _plus(self, other: Survey) -> Survey:
        self.bunches.plus(other.bunches)
        self.choice.plus(other.choice)
        if self.kinds is not None and other.kinds is not None:
            self.kinds.plus(other.kinds)
        return Survey(
            self.cast + other.cast,
            self.passed_over | other.passed_over,
            self.bunches,
            self.kinds,
            self.choice,
        )

    def exhaustive(self, votes: Votes, names: tuple[str, ...], n_labels: int) -> NDArray[np.bool_]:
        """(M,) who looks at everything: as declared, else as the votes suggest."""
        guess = (
            guess_without_text(self.cast, self.bunches.clusters, n_labels)
            if self.kinds is None
            else self.kinds.exhaustive()
        )
        kind = {voter.name: voter.kind for voter in votes.voters}
        declared = {"exhaustive": True, "spotter": False}
        return np.asarray(
            [
                declared.get(kind[name], bool(guess[j]) or name in self.passed_over)
                for j, name in enumerate(names)
            ],
            dtype=bool,
        )


def _passed_over(votes: Votes) -> frozenset[str]:
    return frozenset(
        name
        for name, looked in zip(votes.names, votes.looked, strict=True)
        if looked is not None and len(looked) < votes.n_documents
    )
