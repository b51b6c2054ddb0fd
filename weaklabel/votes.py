"""Votes: what every source said, one row per vote. Memory grows with the votes that were cast."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .atomic import atomic_path
from .errors import VotesError, nearest
from .task import NONE, Task

SourceKind = Literal["spotter", "exhaustive", "auto"]

COLUMNS = ("document", "start", "end", "source", "label", "confidence")
"""What a vote is made of."""

_DTYPES = {
    "document": np.int64,
    "start": np.int32,
    "end": np.int32,
    "source": np.int32,
    "label": np.int16,
    "confidence": np.float32,
}


@dataclass(frozen=True)
class Voter:
    """What the label model may know of a source.

    kind: "spotter" (a gazetteer, regex, rule: its silence says nothing), "exhaustive" (a trained
        model, a prompt, a person: its silence says no) or "auto" (the label model finds out).
    labels: the vote labels it may cast; empty: any.
    group: sources of one group are declared to be no independent witnesses (prompts to one model).
    """

    name: str
    labels: tuple[str, ...] = ()
    kind: SourceKind = "auto"
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Votes:
    """V votes of M sources on D documents, sorted by document, start, end, source, label.

    n_tokens: (D,) tokens of each document.
    document, start, end, source, label: (V,) integers. Offsets are token positions within the
        document, end exclusive: the unit in which label models count. (Characters are the unit
        outside; ``Shard`` translates.) Votes on classes have start = end = 0. ``label`` indexes
        ``task.vote_labels``.
    confidence: (V,) in (0, 1]; 1 where the source gave none. A soft vote is several rows of one
        source on the same place.
    looked: for each source None (it looked at every document) or the sorted (n,) documents that
        it looked at; on the others it is missing, which is neither a vote nor silence.
    """

    task: Task
    voters: tuple[Voter, ...]
    n_tokens: NDArray[np.int32]
    document: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    source: NDArray[np.int32]
    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    looked: tuple[NDArray[np.int64] | None, ...]

    def __post_init__(self) -> None:
        n = len(self.document)
        for name in COLUMNS:
            if getattr(self, name).shape != (n,):
                shape = getattr(self, name).shape
                raise VotesError(f"votes column {name!r} has shape {shape}, expected ({n},)")
        if len(self.looked) != len(self.voters):
            raise VotesError(f"{len(self.looked)} looked-at lists for {len(self.voters)} sources")
        names = [voter.name for voter in self.voters]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise VotesError(f"two sources are named {twice!r}; names must differ")
        if n:
            self._check_rows()

    def _check_rows(self) -> None:
        limits = {
            "document": len(self.n_tokens),
            "source": len(self.voters),
            "label": len(self.task.vote_labels),
        }
        for name, limit in limits.items():
            column = getattr(self, name)
            bad = np.flatnonzero((column < 0) | (column >= limit))
            if len(bad):
                raise VotesError(
                    f"vote {bad[0]} has {name} {column[bad[0]]}, expected 0 to {limit - 1}"
                )
        if self.task.kind == "spans":
            length = self.n_tokens[self.document]
            bad = np.flatnonzero((self.start < 0) | (self.end <= self.start) | (self.end > length))
            if len(bad):
                i = bad[0]
                raise VotesError(
                    f"vote {i} is on tokens {self.start[i]} to {self.end[i]} of document "
                    f"{self.document[i]}, which has {length[i]}"
                )
        bad = np.flatnonzero(~((self.confidence > 0) & (self.confidence <= 1)))
        if len(bad):
            raise VotesError(
                f"vote {bad[0]} has confidence {self.confidence[bad[0]]}, expected above 0, up to 1"
            )

    @classmethod
    def build(
        cls,
        task: Task,
        voters: Iterable[Voter | str],
        n_tokens: ArrayLike,
        *,
        document: ArrayLike = (),
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        source: ArrayLike = (),
        label: ArrayLike = (),
        confidence: ArrayLike | None = None,
        looked: Sequence[ArrayLike | None] | None = None,
    ) -> Votes:
        """Votes from columns in any order; equal rows become one, with the highest confidence."""
        names = tuple(Voter(v) if isinstance(v, str) else v for v in voters)
        size = len(np.asarray(document))
        zeros = np.zeros(size, dtype=np.int32)
        given = {
            "document": document,
            "start": zeros if start is None else start,
            "end": zeros if end is None else end,
            "source": source,
            "label": label,
            "confidence": np.ones(size) if confidence is None else confidence,
        }
        columns: dict[str, NDArray[Any]] = {
            name: np.asarray(values, dtype=_DTYPES[name]) for name, values in given.items()
        }
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise VotesError(f"votes columns differ in length: {lengths}")
        keys = [columns[name] for name in ("document", "start", "end", "source", "label")]
        order = np.lexsort([-columns["confidence"], *reversed(keys)])
        columns = {name: column[order] for name, column in columns.items()}
        if size:
            keys = [columns[name] for name in ("document", "start", "end", "source", "label")]
            fresh = np.zeros(size, dtype=bool)
            fresh[0] = True
            for key in keys:
                fresh[1:] |= key[1:] != key[:-1]
            columns = {name: column[fresh] for name, column in columns.items()}
        seen = tuple(
            None if docs is None else np.unique(np.asarray(docs, dtype=np.int64))
            for docs in (looked if looked is not None else [None] * len(names))
        )
        return cls(task, names, np.asarray(n_tokens, dtype=np.int32), **columns, looked=seen)

    @property
    def n_documents(self) -> int:
        """D."""
        return len(self.n_tokens)

    @property
    def n_sources(self) -> int:
        """M."""
        return len(self.voters)

    def __len__(self) -> int:
        return len(self.document)

    @cached_property
    def indptr(self) -> NDArray[np.int64]:
        """(D+1,): the votes on document d are the rows ``indptr[d]:indptr[d+1]``."""
        return np.searchsorted(self.document, np.arange(self.n_documents + 1)).astype(np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sources."""
        return tuple(voter.name for voter in self.voters)

    def looked_at(self) -> NDArray[np.bool_]:
        """(D, M): whether a source looked at a document. Dense: for one shard, or few sources."""
        dense = np.ones((self.n_documents, self.n_sources), dtype=bool)
        for j, documents in enumerate(self.looked):
            if documents is not None:
                dense[:, j] = False
                dense[documents, j] = True
        return dense

    def rows(self, keep: NDArray[Any]) -> Votes:
        """The votes that a mask or sorted indices keep; documents and sources stay."""
        return replace(self, **{name: getattr(self, name)[keep] for name in COLUMNS})

    def select_documents(self, documents: ArrayLike) -> Votes:
        """The votes on some documents, which are renumbered in the order given."""
        chosen = np.asarray(documents, dtype=np.int64)
        lengths = np.diff(self.indptr)[chosen]
        offsets = np.cumsum(lengths) - lengths
        rows = np.repeat(self.indptr[chosen] - offsets, lengths) + np.arange(lengths.sum())
        new = np.full(self.n_documents, -1, dtype=np.int64)
        new[chosen] = np.arange(len(chosen))
        looked = tuple(
            None if docs is None else np.sort(new[docs][new[docs] >= 0]) for docs in self.looked
        )
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        columns["document"] = np.repeat(np.arange(len(chosen)), lengths)
        return replace(self, n_tokens=self.n_tokens[chosen], looked=looked, **columns)

    def select_sources(self, names: Sequence[str]) -> Votes:
        """The votes of some sources, which are renumbered in the order given."""
        for name in names:
            if name not in self.names:
                raise VotesError(f"no source {name!r}; {nearest(name, self.names)}")
        index = [self.names.index(name) for name in names]
        if index == list(range(self.n_sources)):
            return self
        new = np.full(self.n_sources, -1, dtype=np.int32)
        new[index] = np.arange(len(index))
        keep = new[self.source] >= 0
        columns = {name: getattr(self, name)[keep] for name in COLUMNS}
        columns["source"] = new[columns["source"]]
        voters = tuple(self.voters[j] for j in index)
        looked = tuple(self.looked[j] for j in index)
        if index == sorted(index):
            return replace(self, voters=voters, looked=looked, **columns)
        return Votes.build(self.task, voters, self.n_tokens, looked=looked, **columns)

    @classmethod
    def together(cls, parts: Sequence[Votes]) -> Votes:
        """Votes of several sources on the same documents, side by side."""
        first = parts[0]
        for part in parts:
            if part.n_documents != first.n_documents or part.task != first.task:
                raise VotesError("votes to set side by side need the same task and documents")
        offsets = np.cumsum([0] + [part.n_sources for part in parts[:-1]])
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS
        }
        columns["source"] += np.repeat(offsets, [len(part) for part in parts]).astype(np.int32)
        return cls.build(
            first.task,
            [voter for part in parts for voter in part.voters],
            first.n_tokens,
            looked=[docs for part in parts for docs in part.looked],
            **columns,
        )

    def beside(self, other: Votes) -> Votes:
        """These votes and those of other sources on the same documents."""
        return Votes.together([self, other])

    @classmethod
    def concatenate(cls, shards: Sequence[Votes]) -> Votes:
        """Shards of the same task and sources as one, documents in order."""
        first = shards[0]
        for shard in shards:
            if shard.voters != first.voters or shard.task != first.task:
                raise VotesError("shards to concatenate need the same task and sources")
        offsets = np.cumsum([0] + [shard.n_documents for shard in shards[:-1]])
        columns = {
            name: np.concatenate([getattr(shard, name) for shard in shards]) for name in COLUMNS
        }
        columns["document"] += np.repeat(offsets, [len(shard) for shard in shards])
        looked = tuple(
            None
            if all(shard.looked[j] is None for shard in shards)
            else np.concatenate(
                [
                    offset + (np.arange(shard.n_documents) if docs is None else docs)
                    for offset, shard in zip(offsets, shards, strict=True)
                    for docs in [shard.looked[j]]
                ]
            ).astype(np.int64)
            for j in range(first.n_sources)
        )
        n_tokens = np.concatenate([shard.n_tokens for shard in shards])
        return replace(first, n_tokens=n_tokens, looked=looked, **columns)

    def class_matrix(self) -> NDArray[np.int16]:
        """(D, M) vote labels of a class task, -1 for none; of a soft vote the likeliest. Dense."""
        matrix = np.full((self.n_documents, self.n_sources), NONE, dtype=np.int16)
        order = np.argsort(self.confidence, kind="stable")
        matrix[self.document[order], self.source[order]] = self.label[order]
        return matrix

    @classmethod
    def from_class_matrix(
        cls, task: Task, matrix: ArrayLike, voters: Iterable[Voter | str] | None = None
    ) -> Votes:
        """Class votes from a (D, M) matrix of vote labels, -1 where a source is silent."""
        values = np.asarray(matrix)
        if values.ndim != 2 or not np.issubdtype(values.dtype, np.integer):
            raise VotesError(
                f"votes must be an integer matrix (documents, sources), got "
                f"{values.dtype} of shape {values.shape}"
            )
        document, source = np.nonzero(values != NONE)
        return cls.build(
            task,
            voters if voters is not None else [f"source_{j}" for j in range(values.shape[1])],
            np.zeros(len(values), dtype=np.int32),
            document=document,
            source=source,
            label=values[document, source],
        )

    def save(self, path: Path | str) -> None:
        """Write one Parquet file, atomically; what is not a column stands in its metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({name: getattr(self, name) for name in COLUMNS})
        facts = {
            "task": self.task.to_json(),
            "voters": [vars(voter) for voter in self.voters],
            "n_tokens": _encode(self.n_tokens),
            "looked": [None if docs is None else _encode(docs) for docs in self.looked],
        }
        table = table.replace_schema_metadata({"weaklabel": json.dumps(facts)})
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def load(cls, path: Path | str) -> Votes:
        """Read what ``save`` wrote; anything else is one clear error."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # one small file of many: ``read_table`` spends more on threads and schemas than on it
            with pq.ParquetFile(path, pre_buffer=False) as file:
                table = file.read(use_threads=False)
            facts = json.loads(table.schema.metadata[b"weaklabel"])
        except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
            raise VotesError(f"{path}: no votes file of weaklabel ({error})") from None
        columns = {
            name: table[name].to_numpy().astype(_DTYPES[name], copy=False) for name in COLUMNS
        }
        return cls(
            Task(**facts["task"]),
            tuple(Voter(**{**v, "labels": tuple(v["labels"])}) for v in facts["voters"]),
            _decode(facts["n_tokens"], np.int32),
            looked=tuple(None if d is None else _decode(d, np.int64) for d in facts["looked"]),
            **columns,
        )


def _encode(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _decode(text: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype=dtype).copy()


@dataclass(frozen=True, eq=False)
class Gold:
    """What a person has decided, to anchor a fit; also what labels are scored against.

    document, start, end: (G,) as in ``Votes``. label: (G,) ids of true labels; -1 says that
    nothing with exactly this extent is an entity (spans), or nothing for classes.
    complete: sorted (n,) documents that are known in full: what is not listed there is not there.
    For classes each listed document is complete.
    """

    task: Task
    n_tokens: NDArray[np.int32]
    document: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    label: NDArray[np.int16]
    complete: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        task: Task,
        n_tokens: ArrayLike,
        *,
        document: ArrayLike = (),
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        label: ArrayLike = (),
        complete: ArrayLike | None = None,
    ) -> Gold:
        """Gold from columns in any order; ``complete`` None: every document (spans)."""
        size = len(np.asarray(document))
        lengths = np.asarray(n_tokens, dtype=np.int32)
        zeros = np.zeros(size, dtype=np.int32)
        columns: dict[str, NDArray[Any]] = {
            "document": np.asarray(document, dtype=np.int64),
            "start": zeros if start is None else np.asarray(start, dtype=np.int32),
            "end": zeros if end is None else np.asarray(end, dtype=np.int32),
            "label": np.asarray(label, dtype=np.int16),
        }
        order = np.lexsort([columns[n] for n in ("label", "end", "start", "document")])
        columns = {name: column[order] for name, column in columns.items()}
        if task.kind == "classes":
            complete = np.unique(columns["document"])
        known = np.arange(len(lengths)) if complete is None else np.unique(np.asarray(complete))
        return cls(task, lengths, **columns, complete=known.astype(np.int64))

    def __len__(self) -> int:
        return len(self.document)

    def select_documents(self, documents: ArrayLike) -> Gold:
        """What is known of some documents, which are renumbered in the order given."""
        chosen = np.asarray(documents, dtype=np.int64)
        new = np.full(len(self.n_tokens), -1, dtype=np.int64)
        new[chosen] = np.arange(len(chosen))
        keep = new[self.document] >= 0
        known = new[self.complete]
        return Gold.build(
            self.task,
            self.n_tokens[chosen],
            document=new[self.document[keep]],
            start=self.start[keep],
            end=self.end[keep],
            label=self.label[keep],
            complete=known[known >= 0],
        )

    def updated(self, later: Gold) -> Gold:
        """What is known here and from a later look at the same documents, which has the say.

        A document that the later look knows in full keeps nothing of this one; elsewhere its
        rows replace those that overlap them.
        """
        gone = np.isin(self.document, later.complete)
        for i in range(len(later)):
            same = self.document == later.document[i]
            gone |= same & (self.start < later.end[i]) & (later.start[i] < self.end)
        columns = {
            name: np.concatenate([getattr(self, name)[~gone], getattr(later, name)])
            for name in ("document", "start", "end", "label")
        }
        complete = np.concatenate([self.complete, later.complete])
        return Gold.build(self.task, self.n_tokens, **columns, complete=complete)
