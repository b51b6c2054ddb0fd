"""The contract of a source: a name, what it may cast, and a call from a shard to what it cast."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..corpus import Shard
from ..labels import Labels
from ..registry import Registry
from ..votes import SourceKind, Votes


@dataclass(frozen=True, eq=False)
class Cast:
    """What one source said about one shard: V votes, not yet checked against task and tokens.

    document, start, end: (V,) in ``unit``; class sources leave start and end at 0.
    label: (V,) index into ``labels``. confidence: (V,) in (0, 1], or None for all 1.
    failed: documents it failed on, with the reason; it is missing there.
    tolerated: the source itself has judged its failures bearable (prompts, by their failure rate);
        they count, but stop no run.
    looked: the documents it looked at, None for all (failed ones are taken out either way).
    counts: anything worth a line in the report, such as {"quote not found": 3}.
    """

    labels: tuple[str, ...]
    document: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32] | None = None
    unit: Literal["token", "character"] = "token"
    failed: Mapping[int, str] = field(default_factory=dict)
    tolerated: bool = False
    looked: NDArray[np.int64] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        document: ArrayLike = (),
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        label: ArrayLike | None = None,
        **rest: Any,
    ) -> Cast:
        """A cast from array-likes; offsets default to 0, the label to the first one."""
        docs = np.asarray(document, dtype=np.int64)
        zeros = np.zeros(len(docs), dtype=np.int64)
        return cls(
            tuple(labels),
            docs,
            zeros if start is None else np.asarray(start, dtype=np.int64),
            zeros if end is None else np.asarray(end, dtype=np.int64),
            zeros if label is None else np.asarray(label, dtype=np.int64),
            **rest,
        )


@runtime_checkable
class Source(Protocol):
    """Anything with these attributes and a call; no base class to inherit.

    labels: the vote labels it may cast. kind, group: see ``Voter``.
    """

    name: str
    labels: tuple[str, ...]
    kind: SourceKind
    group: str | None

    def __call__(self, shard: Shard) -> Cast:
        """Look at every document of the shard."""
        ...


@runtime_checkable
class VoteReader(Protocol):
    """A source that edits or filters what other sources said; it is called after them.

    reads: the names of those sources.
    """

    name: str
    labels: tuple[str, ...]
    kind: SourceKind
    group: str | None
    reads: tuple[str, ...]

    def read_votes(self, shard: Shard, votes: Votes) -> Cast:
        """Look at the shard and at the votes of the sources in ``reads``."""
        ...


@runtime_checkable
class LabelReader(Protocol):
    """A source that looks at first-round labels: a relation between mentions within a document.

    The engine fits once without such sources, lets them read the labels, and fits again.
    """

    name: str
    labels: tuple[str, ...]
    kind: SourceKind
    group: str | None

    def read_labels(self, shard: Shard, labels: Labels) -> Cast:
        """Look at the shard and at the labels of the first round."""
        ...


AnySource = Source | VoteReader | LabelReader


def _load_builtins() -> None:
    package = importlib.import_module("weaklabel.sources")
    for module in pkgutil.walk_packages(package.__path__, "weaklabel.sources."):
        importlib.import_module(module.name)


registry: Registry[AnySource] = Registry("source", _load_builtins)
"""Sources by the name that a job file uses. A factory takes its settings as keyword arguments,
``name`` among them, and imports heavy libraries only when it is called."""
