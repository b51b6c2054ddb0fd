"""Sources that edit or filter what another source said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind, Votes
from .base import Cast, registry
from .limits import SECONDS, each_document
from .lists import read_names
from .patterns import compiled

if TYPE_CHECKING:
    from spacy.tokens import Doc

Span = tuple[int, int, str]
Edit = Callable[["Doc", list[Span]], Iterable[tuple[Any, ...]]]


@dataclass(frozen=True, eq=False)
class SpanEditor:
    """Calls ``function`` with a ``Doc`` and the spans that other sources cast there.

    Spans are (start, end, label), tokens; it yields the spans of its own. Made by ``span_editor``.
    """

    function: Edit
    name: str
    labels: tuple[str, ...]
    reads: tuple[str, ...]
    kind: SourceKind = "spotter"
    group: str | None = None
    seconds: float = SECONDS

    def read_votes(self, shard: Shard, votes: Votes) -> Cast:
        """Call the function on every document that has votes."""
        names = votes.task.vote_labels

        def look(d: int) -> list[tuple[int, int, int, int]]:
            rows = range(votes.indptr[d], votes.indptr[d + 1])
            spans = [(int(votes.start[i]), int(votes.end[i]), names[votes.label[i]]) for i in rows]
            said = []
            for start, end, label in self.function(shard.doc(d), spans) or ():
                if label not in self.labels:
                    raise SourceError(f"cast {label!r}, but declares {', '.join(self.labels)}")
                said.append((d, int(start), int(end), self.labels.index(label)))
            return said

        documents = np.unique(votes.document).tolist()
        rows, failed = each_document(documents, look, seconds=self.seconds)
        columns = list(zip(*rows, strict=True)) or [()] * 4
        return Cast.of(self.labels, *columns, failed=failed, looked=_looked(votes))


def span_editor(
    labels: str | Iterable[str],
    reads: str | Iterable[str],
    *,
    name: str | None = None,
    kind: SourceKind = "spotter",
    group: str | None = None,
    seconds: float = SECONDS,
) -> Callable[[Edit], SpanEditor]:
    """Decorator: a function from a ``Doc`` and others' spans to spans as a source.

    reads: the names of the sources whose spans it gets.
    """

    def make(function: Edit) -> SpanEditor:
        cast = (labels,) if isinstance(labels, str) else tuple(labels)
        sources = (reads,) if isinstance(reads, str) else tuple(reads)
        title = name or function.__name__
        return SpanEditor(function, title, cast, sources, kind, group, seconds)

    return make


@registry.register("filter")
class Filter:
    """The spans of other sources that meet every condition given, perhaps under other labels.

    reads: whose. labels: what it may cast: theirs, or the new names. relabel: {their label: ours};
    if given, labels not in it are left out.
    tokens, characters: [least, most] of the span. pattern: a regular expression that the whole
    span must match. words, file: the span must be (``without``: must not be) one of these.
    near: words one of which must stand within ``window`` tokens left or right, in any case.
    """

    def __init__(
        self,
        name: str,
        reads: str | Sequence[str],
        labels: Sequence[str] = (),
        *,
        relabel: Mapping[str, str] | None = None,
        tokens: Sequence[int | None] = (None, None),
        characters: Sequence[int | None] = (None, None),
        pattern: str | None = None,
        words: Iterable[str] = (),
        file: str | Path | None = None,
        without: Iterable[str] = (),
        near: Iterable[str] = (),
        window: int = 5,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.reads = (reads,) if isinstance(reads, str) else tuple(reads)
        self.relabel = dict(relabel or {})
        self.labels = tuple(labels) or tuple(dict.fromkeys(self.relabel.values()))
        self.tokens, self.characters = tokens, characters
        self.pattern = pattern
        if pattern is not None:
            compiled(name, pattern)
        listed = set(words)
        if file is not None:
            listed.update(word.strip() for _, word in read_names(Path(file)))
        self.words, self.without = frozenset(listed), frozenset(without)
        self.near, self.window = frozenset(word.lower() for word in near), window
        if not self.labels:
            raise SourceError(f"source {name!r} casts nothing; give labels or relabel")

    def read_votes(self, shard: Shard, votes: Votes) -> Cast:
        """The votes that pass."""
        names = votes.task.vote_labels
        own = np.full(len(names), -1)
        for k, label in enumerate(names):
            new = self.relabel.get(label) if self.relabel else label
            if new in self.labels:
                own[k] = self.labels.index(new)
        keep = own[votes.label] >= 0
        keep &= _within(votes.end - votes.start, self.tokens)
        start, end = shard.characters(votes.document, votes.start, votes.end)
        keep &= _within(end - start, self.characters)
        rows = np.flatnonzero(keep)
        rows = rows[[self._passes(shard, votes, i, start[i], end[i]) for i in rows]]
        return Cast.of(
            self.labels,
            votes.document[rows],
            votes.start[rows],
            votes.end[rows],
            own[votes.label[rows]],
            confidence=votes.confidence[rows],
            looked=_looked(votes),
        )

    def _passes(self, shard: Shard, votes: Votes, i: int, start: int, end: int) -> bool:
        text = shard.texts[votes.document[i]][start:end]
        if self.words and text not in self.words or text in self.without:
            return False
        if self.pattern is not None:
            pattern = compiled(self.name, self.pattern)
            if pattern.fullmatch(text, timeout=1.0) is None:
                return False
        if not self.near:
            return True
        low, high = shard.indptr[votes.document[i]], shard.indptr[votes.document[i] + 1]
        left = range(max(low, low + votes.start[i] - self.window), low + votes.start[i])
        right = range(low + votes.end[i], min(high, low + votes.end[i] + self.window))
        around = (shard.lexemes[shard.token_ids[t]] for side in (left, right) for t in side)
        return any(word.lower() in self.near for word in around)


def _within(values: NDArray[Any], bounds: Sequence[int | None]) -> NDArray[np.bool_]:
    low, high = bounds
    inside = np.ones(len(values), dtype=bool)
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values <= high
    return inside


def _looked(votes: Votes) -> NDArray[np.int64] | None:
    """The documents that every source read has looked at."""
    if all(documents is None for documents in votes.looked):
        return None
    return np.flatnonzero(votes.looked_at().all(axis=1)).astype(np.int64)
