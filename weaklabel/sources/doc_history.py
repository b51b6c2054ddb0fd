"""A later mention of a name that was seen in full before (skweak's document history)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..corpus import Shard
from ..labels import Labels
from ..votes import SourceKind
from .base import Cast, registry
from .mentions import Mention, Name, mentions, occurrences, units


@registry.register("doc_history")
class DocHistory:
    """Once "Pierre Lison" is labelled, later "Lison", "Pierre" and "Pierre Lison" get its label.

    labels: those of names for which this holds (PER, ORG). least: characters of a part.
    by: documents that agree in this field are read as one, in order (sentences of an article).
    A part must begin and end as the full name does: with a capital, if that has capitals.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        *,
        least: int = 4,
        by: str | None = None,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.labels, self.kind, self.group = name, tuple(labels), kind, group
        self.least, self.by = least, by

    def read_labels(self, shard: Shard, labels: Labels) -> Cast:
        """The later mentions, each with the probability of the first."""
        unit = units(shard, self.by)
        first: dict[int, dict[Name, tuple[int, int, float]]] = {}
        for mention in mentions(self.name, shard, labels, unit):
            label = labels.task.labels[mention.label]
            if label in self.labels and mention.end - mention.start > 1:
                known = first.setdefault(mention.unit, {})
                for part in self._parts(shard, mention):
                    fact = (mention.end, self.labels.index(label), mention.probability)
                    known.setdefault(part, fact)
        rows = []
        for d, start, end, name in occurrences(shard, unit, first):
            seen, k, probability = first[int(unit[d])][name]
            if start >= seen:
                low = int(shard.indptr[d])
                rows.append((d, start - low, end - low, k, probability))
        columns = list(zip(*rows, strict=True)) or [()] * 5
        *places, sure = columns
        return Cast.of(self.labels, *places, confidence=np.asarray(sure, dtype=np.float32))

    def _parts(self, shard: Shard, mention: Mention) -> list[Name]:
        ids = shard.token_ids[mention.start : mention.end].tolist()
        words = [shard.lexemes[i] for i in ids]
        proper = any(word[:1].isupper() for word in words)
        parts = []
        for i in range(len(ids)):
            for j in range(i + 1, len(ids) + 1):
                ends = (words[i], words[j - 1])
                good = all(w[:1].isupper() or (not proper and w[:1].isalnum()) for w in ends)
                if good and sum(map(len, words[i:j])) >= self.least:
                    parts.append(tuple(ids[i:j]))
        return parts
