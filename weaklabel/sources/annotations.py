"""What the documents came with: an annotation layer, or one layer per human annotator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry


@registry.register("annotations")
class Annotations:
    """A layer of spans or classes in the documents as a source (distant supervision).

    layer: its name. labels: those it may cast, or {its label: ours}; annotations with others are
    left out and counted. Documents without the layer were not looked at.
    """

    def __init__(
        self,
        name: str,
        layer: str,
        labels: Sequence[str] | Mapping[str, str],
        *,
        of: Literal["spans", "classes"] = "spans",
        kind: SourceKind = "auto",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group, self.layer, self.of = name, kind, group, layer, of
        self.map = dict(labels) if isinstance(labels, Mapping) else {v: v for v in labels}
        self.labels = tuple(dict.fromkeys(self.map.values()))
        if of not in ("spans", "classes"):
            raise SourceError(f"source {name!r}: of is {of!r}, expected 'spans' or 'classes'")

    def __call__(self, shard: Shard) -> Cast:
        """The layer's annotations, spans in characters."""
        layers = shard.spans if self.of == "spans" else shard.classes
        looked = [d for d, known in enumerate(layers) if self.layer in known]
        rows = list(
            self._spans(shard, looked) if self.of == "spans" else self._classes(shard, looked)
        )
        known = [row for row in rows if row[3] in self.map]
        d, start, end, names = list(zip(*known, strict=True)) or [()] * 4
        return Cast.of(
            self.labels,
            d,
            start,
            end,
            [self.labels.index(self.map[label]) for label in names],
            unit="character",
            looked=np.asarray(looked, dtype=np.int64),
            counts={"other labels": len(rows) - len(known)} if len(known) < len(rows) else {},
        )

    def _spans(self, shard: Shard, looked: Sequence[int]) -> list[tuple[int, int, int, str]]:
        spans = ((d, a) for d in looked for a in shard.spans[d][self.layer])
        return [(d, a.start, a.end, a.label) for d, a in spans]

    def _classes(self, shard: Shard, looked: Sequence[int]) -> list[tuple[int, int, int, str]]:
        return [(d, 0, 0, label) for d in looked for label in shard.classes[d][self.layer]]


@registry.register("annotators")
def annotators(
    name: str,
    layers: Sequence[str] | Mapping[str, str],
    labels: Sequence[str] | Mapping[str, str],
    *,
    of: Literal["spans", "classes"] = "spans",
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> list[Annotations]:
    """One source per human annotator, each with a layer: its names, or {annotator: layer}."""
    named = layers if isinstance(layers, Mapping) else {layer: layer for layer in layers}
    return [
        Annotations(f"{name}.{who}", layer, labels, of=of, kind=kind, group=group)
        for who, layer in named.items()
    ]
