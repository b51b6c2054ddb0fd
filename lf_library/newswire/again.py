"""Later mentions: what a document names in full it names again, shorter or in capitals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard
from weaklabel.labels import Labels, SpanLabels
from weaklabel.sources.base import Cast
from weaklabel.votes import SourceKind

from .lexicon import LONGEST, Keys, has
from .page import Page, page
from .stretches import document_keys
from .tokens import Index

How = Literal["same", "surname", "short", "shouted"]
HOW: tuple[How, ...] = ("same", "surname", "short", "shouted")

SURE = 0.6
"""Share of a string's labelled mentions in a document that must agree."""


@dataclass(frozen=True)
class Mentions:
    """Labelled spans of a shard: global first tokens, lengths, label ids, probabilities."""

    start: Index
    length: Index
    label: Index
    weight: NDArray[np.float64]


@dataclass(eq=False)
class Again:
    """Casts on a mention the label that other mentions in its document have.

    how: "same": the same words; "surname": the last words of a person; "short": the first words of
    an organisation; "shouted": any of these, in a line of capitals.
    """

    name: str
    how: How
    labels: tuple[str, ...] = ("PER", "LOC", "ORG", "MISC")
    gazetteers: str | None = None
    kind: SourceKind = "spotter"
    group: str | None = None

    def read_labels(self, shard: Shard, labels: Labels) -> Cast:
        """Look at the first round's labels."""
        assert isinstance(labels, SpanLabels)
        look = page(shard, self.gazetteers)
        rows = labels.labelled
        names = [labels.task.labels[k] for k in range(len(labels.task.labels))]
        ids = np.asarray([self.labels.index(n) if n in self.labels else -1 for n in names])
        label = ids[labels.chosen[rows]]
        rows, label = rows[label >= 0], label[label >= 0]
        first = shard.indptr[labels.document[rows]] + labels.start[rows]
        length = (labels.end[rows] - labels.start[rows]).astype(np.int64)
        mentions = Mentions(first, length, label, labels.confidence[rows])
        start, size, cast = find_again(look, mentions, self.how, self.labels)
        document = look.tokens.document[start]
        base = look.tokens.indptr[document]
        return Cast.of(self.labels, document, start - base, start + size - base, cast)


def find_again(
    p: Page, mentions: Mentions, how: How, labels: tuple[str, ...]
) -> tuple[Index, Index, Index]:
    """(n,) first tokens, lengths and label ids of the mentions that repeat others."""
    if how == "shouted":
        start, length = _shouted_places(p)
        forms = [_forms(p, mentions, kind, labels) for kind in ("same", "surname", "short")]
        keys, label, weight = (np.concatenate(part) for part in zip(*forms, strict=True))
    else:
        start, length = p.start, p.length
        if how != "same":
            start, length = start[length <= 2], length[length <= 2]
        keys, label, weight = _forms(p, mentions, how, labels)
    rows, votes = _sums(keys, label, weight, _keys(p, start, length), len(labels))
    start, length = start[rows], length[rows]
    if how == "same":
        votes -= _own(p, mentions, start, length, len(labels))
    total = votes.sum(axis=0)
    best = votes.argmax(axis=0)
    sure = (total > 0.3) & (votes.max(axis=0) >= SURE * total)
    if how == "shouted":
        sure &= _longest(start, length, sure)
    return start[sure], length[sure], best[sure]


def _keys(p: Page, start: Index, length: Index) -> NDArray[np.uint64]:
    """(n,) hashes of a document and a phrase; longer phrases count by their first words."""
    hashes = np.empty(len(start), np.uint64)
    size = np.minimum(length, LONGEST)
    for step in range(1, LONGEST + 1):
        rows = np.flatnonzero(size == step)
        hashes[rows] = p.tokens.phrase_hashes(start[rows], step)
    return document_keys(p.tokens.document[start], hashes)


def _forms(
    p: Page, mentions: Mentions, how: How, labels: tuple[str, ...]
) -> tuple[NDArray[np.uint64], Index, NDArray[np.float64]]:
    """Keys of the forms in which mentions may come again, with label and weight."""
    start, length, label, weight = (
        mentions.start, mentions.length, mentions.label, mentions.weight
    )  # fmt: skip
    if how == "same":
        return _keys(p, start, length), label, weight
    wanted = labels.index("PER" if how == "surname" else "ORG")
    parts = []
    for size in (1, 2):
        rows = np.flatnonzero((label == wanted) & (length > size))
        first = start[rows] + (length[rows] - size if how == "surname" else 0)
        if how == "short":
            plain = ~has(
                p.tokens.flags[first], "country", "place", "demonyms", "city", "org_head", "compass"
            )
            rows, first = rows[plain], first[plain]
        parts.append((_keys(p, first, np.full(len(rows), size)), label[rows], weight[rows]))
    keys, ids, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return keys, ids, weights


def _sums(
    keys: NDArray[np.uint64],
    label: Index,
    weight: NDArray[np.float64],
    wanted: NDArray[np.uint64],
    n_labels: int,
) -> tuple[Index, NDArray[np.float64]]:
    """(n,) which of the wanted keys some form has, and (K, n) the weights of those forms."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    size = len(distinct)
    table = np.bincount(label * size + inverse, weight, n_labels * size).astype(np.float64)
    rows, at = Keys(distinct).find(wanted)
    return rows, table.reshape(n_labels, size)[:, at]


def _own(
    p: Page, mentions: Mentions, start: Index, length: Index, n_labels: int
) -> NDArray[np.float64]:
    """(K, n) what a place's own label adds to the sums."""
    own = np.zeros((n_labels, len(start)))
    width = np.int64(len(p.tokens.flags) + 1)
    mine = mentions.start * width + mentions.length
    order = np.argsort(mine, kind="stable")
    if len(order):
        wanted = start * width + length
        at = np.minimum(np.searchsorted(mine[order], wanted), len(order) - 1)
        hit = mine[order][at] == wanted
        rows = order[at[hit]]
        own[mentions.label[rows], np.flatnonzero(hit)] = mentions.weight[rows]
    return own


def _shouted_places(p: Page) -> tuple[Index, Index]:
    """Every phrase of one to four words in lines of capitals that is no function word."""
    word = (
        p.tokens.shouting
        & has(p.tokens.flags, "upper", "initial", "cap")
        & ~has(p.tokens.flags, "function", "months")
    )
    at = np.flatnonzero(word)
    starts, lengths = [at], [np.ones(len(at), np.int64)]
    for size in range(2, 5):
        fits = at + size <= p.tokens.high[at]
        last = np.minimum(at + size - 1, len(word) - 1)
        fits &= word[last]
        starts.append(at[fits])
        lengths.append(np.full(int(fits.sum()), size))
    return np.concatenate(starts), np.concatenate(lengths)


def _longest(start: Index, length: Index, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the found phrases lie in no longer one, longest and leftmost first."""
    keep = np.zeros(len(start), dtype=bool)
    taken: set[int] = set()
    rows = np.flatnonzero(found)
    for row in rows[np.lexsort((start[rows], -length[rows]))].tolist():
        tokens = range(int(start[row]), int(start[row] + length[row]))
        if taken.isdisjoint(tokens):
            keep[row] = True
            taken.update(tokens)
    return keep
