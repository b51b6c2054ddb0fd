"""Regular expressions that speak for a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .limits import each_document
from .patterns import compiled, labelled_patterns, matches


@registry.register("class_regex")
class ClassRegex:
    """Votes for a class if one of its patterns is found in the text, or in a field.

    pattern: one, several, or label -> one or several; ``label`` is that of patterns without.
    several: vote for every class whose pattern is found; otherwise, if several are, for none.
    """

    def __init__(
        self,
        name: str,
        pattern: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        label: str | None = None,
        *,
        field: str | None = None,
        ignore_case: bool = False,
        several: bool = False,
        seconds: float = 2.0,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.field, self.several, self.seconds = field, several, seconds
        self.ignore_case = ignore_case
        self.patterns = tuple(labelled_patterns(name, pattern, label))
        self.labels = tuple(dict.fromkeys(label for label, _ in self.patterns))
        for _, text in self.patterns:
            compiled(name, text, ignore_case=ignore_case)

    def __call__(self, shard: Shard) -> Cast:
        """The class of every document in which a pattern is found."""
        patterns = [
            (self.labels.index(label), compiled(self.name, text, ignore_case=self.ignore_case))
            for label, text in self.patterns
        ]

        def look(d: int) -> list[tuple[int, int]]:
            text = _text(shard, d, self.field)
            found: set[int] = set()
            for k, pattern in patterns:
                if k not in found and any(
                    True for _ in matches(pattern, text, seconds=self.seconds)
                ):
                    found.add(k)
            return [(d, k) for k in sorted(found)] if self.several or len(found) == 1 else []

        rows, failed = each_document(range(len(shard)), look, seconds=None)
        documents, labels = list(zip(*rows, strict=True)) or [()] * 2
        return Cast.of(self.labels, documents, label=labels, failed=failed)


@registry.register("field")
class Field:
    """Votes by a field of the record: value -> label, values as they read in text."""

    def __init__(
        self,
        name: str,
        field: str,
        values: Mapping[Any, str],
        *,
        kind: SourceKind = "auto",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group, self.field = name, kind, group, field
        self.values = {_plain(value): label for value, label in values.items()}
        self.labels = tuple(dict.fromkeys(self.values.values()))
        if not self.labels:
            raise SourceError(f"source {name!r}: values maps no value to a label")

    def __call__(self, shard: Shard) -> Cast:
        """The class that each record's field says."""
        rows = [
            (d, self.labels.index(self.values[_plain(fields[self.field])]))
            for d, fields in enumerate(shard.fields)
            if _plain(fields.get(self.field)) in self.values
        ]
        documents, labels = list(zip(*rows, strict=True)) or [()] * 2
        return Cast.of(self.labels, documents, label=labels)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(shard: Shard, document: int, field: str | None) -> str:
    if field is None:
        return shard.texts[document]
    value = shard.fields[document].get(field)
    return "" if value is None else str(value)
