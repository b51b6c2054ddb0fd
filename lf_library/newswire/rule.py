"""A rule as a source: what it is called, what it casts, and which stretches it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from weaklabel.corpus import Shard
from weaklabel.sources.base import Cast
from weaklabel.votes import SourceKind

from .page import Page, page
from .tokens import Index, Mask

Extents = tuple[Index, Index]
Find = Callable[[Page], Mask | Extents]

RULES: list[tuple[str, Literal["PER", "LOC", "ORG", "MISC"], Find]] = []
"""Every rule of the pack, in the order of its modules."""


def rule(label: Literal["PER", "LOC", "ORG", "MISC"]) -> Callable[[Find], Find]:
    """Decorator: the function is a source of the pack, named as it is.

    It returns which of the page's stretches it takes, or first and past-the-last tokens.
    """

    def add(find: Find) -> Find:
        RULES.append((find.__name__, label, find))
        return find

    return add


@dataclass(eq=False)
class NewsRule:
    """One rule of the pack; it looks at a shard through its page, which all rules share."""

    name: str
    labels: tuple[str, ...]
    find: Find
    gazetteers: str | None = None
    kind: SourceKind = "spotter"
    group: str | None = None

    def __call__(self, shard: Shard) -> Cast:
        """Cast the rule's label on what it takes."""
        look = page(shard, self.gazetteers)
        found = self.find(look)
        if isinstance(found, tuple):
            start, end = found
        else:
            rows = np.flatnonzero(found)
            start, end = look.start[rows], look.end[rows]
        document = look.tokens.document[start]
        base = look.tokens.indptr[document]
        return Cast.of(self.labels, document, start - base, end - base)
