"""Where names occur in documents, or in groups of documents that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import SourceError
from ..labels import Labels, SpanLabels

Name = tuple[int, ...]
"""A name as lexeme ids."""


@dataclass(frozen=True)
class Mention:
    """A labelled span: tokens of the shard from ``start`` to ``end`` (not of its document)."""

    unit: int
    start: int
    end: int
    label: int
    probability: float


def units(shard: Shard, by: str | None) -> NDArray[np.int64]:
    """(D,) which documents are read as one: each by itself, or those that agree in a field."""
    if by is None:
        return np.arange(len(shard))
    numbers: dict[str, int] = {}
    return np.asarray(
        [
            numbers.setdefault(repr(fields[by]) if by in fields else f"document {d}", len(numbers))
            for d, fields in enumerate(shard.fields)
        ],
        dtype=np.int64,
    )


def mentions(name: str, shard: Shard, labels: Labels, unit: NDArray[np.int64]) -> list[Mention]:
    """The labelled spans in order."""
    if not isinstance(labels, SpanLabels):
        raise SourceError(f"source {name!r} reads labelled spans; the task is on classes")
    rows = labels.labelled
    offset = shard.indptr[labels.document[rows]]
    unit_of, label = unit[labels.document[rows]], labels.chosen[rows]
    start, end = offset + labels.start[rows], offset + labels.end[rows]
    probability = np.clip(labels.confidence[rows], 1e-6, 1.0)
    return [
        Mention(int(unit_of[i]), int(start[i]), int(end[i]), int(label[i]), float(probability[i]))
        for i in range(len(rows))
    ]


def occurrences(
    shard: Shard, unit: NDArray[np.int64], names: Mapping[int, Mapping[Name, object]]
) -> Iterator[tuple[int, int, int, Name]]:
    """(document, start, end, name): the leftmost longest of its unit's names, tokens of the shard.

    A name lies within one sentence, where the documents say where those begin.
    """
    starters: dict[tuple[int, int], list[Name]] = {}
    for u, known in names.items():
        for name in known:
            starters.setdefault((u, name[0]), []).append(name)
    for candidates in starters.values():
        candidates.sort(key=len, reverse=True)
    stride = len(shard.lexemes) + 1
    wanted = np.asarray([u * stride + word for u, word in starters], dtype=np.int64)
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    free = 0
    for t in np.flatnonzero(np.isin(unit[document] * stride + shard.token_ids, wanted)).tolist():
        if t < free:
            continue
        d = int(document[t])
        for name in starters[int(unit[d]), int(shard.token_ids[t])]:
            end = t + len(name)
            if end > shard.indptr[d + 1] or shard.sentence_starts[t + 1 : end].any():
                continue
            if tuple(shard.token_ids[t:end].tolist()) == name:
                yield d, t, end, name
                free = end
                break
