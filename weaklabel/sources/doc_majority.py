"""The majority label of a string in its document (skweak's document majority)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..corpus import Shard
from ..labels import Labels
from ..votes import SourceKind
from .base import Cast, registry
from .mentions import Name, mentions, occurrences, units


@registry.register("doc_majority")
class DocMajority:
    """Where a string occurs several times, every occurrence gets the label that most have.

    Labels count by their probability; case does not count when labels are counted, the commonest
    form is then looked for. least: occurrences of the string.
    scope: "document", or "shard": all documents of a shard, which depends on how the corpus is cut.
    by: documents that agree in this field are read as one.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        *,
        least: int = 2,
        scope: Literal["document", "shard"] = "document",
        by: str | None = None,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.labels, self.kind, self.group = name, tuple(labels), kind, group
        self.least, self.scope, self.by = least, scope, by

    def read_labels(self, shard: Shard, labels: Labels) -> Cast:
        """Every occurrence of such strings; the confidence is the share of the majority."""
        unit = units(shard, self.by)
        if self.scope == "shard":
            unit = unit * 0
        weights: dict[int, dict[str, dict[int, float]]] = defaultdict(dict)
        forms: dict[tuple[int, str], dict[Name, float]] = defaultdict(lambda: defaultdict(float))
        for mention in mentions(self.name, shard, labels, unit):
            label = labels.task.labels[mention.label]
            ids = tuple(shard.token_ids[mention.start : mention.end].tolist())
            string = " ".join(shard.lexemes[i] for i in ids).casefold()
            k = self.labels.index(label) if label in self.labels else -1
            votes = weights[mention.unit].setdefault(string, defaultdict(float))
            votes[k] += mention.probability
            forms[mention.unit, string][ids] += mention.probability
        names: dict[int, dict[Name, tuple[int, float]]] = {}
        for u, strings in weights.items():
            for string, votes in strings.items():
                k = max(votes, key=lambda label: (votes[label], -label))
                common = forms[u, string]
                form = max(common, key=lambda ids: (common[ids], [shard.lexemes[i] for i in ids]))
                names.setdefault(u, {})[form] = k, votes[k] / sum(votes.values())
        found = list(occurrences(shard, unit, names))
        times: dict[tuple[int, Name], int] = defaultdict(int)
        for d, _, _, name in found:
            times[int(unit[d]), name] += 1
        rows = []
        for d, start, end, name in found:
            k, share = names[int(unit[d])][name]
            if k >= 0 and times[int(unit[d]), name] >= self.least:
                rows.append((d, start - shard.indptr[d], end - shard.indptr[d], k, share))
        *places, sure = list(zip(*rows, strict=True)) or [()] * 5
        return Cast.of(self.labels, *places, confidence=np.asarray(sure, dtype=np.float32))
