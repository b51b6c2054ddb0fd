"""Regular expressions over the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .limits import each_document
from .patterns import compiled, labelled_patterns, matches


@registry.register("regex")
class Regex:
    """Every match of a pattern is a span, as ``re.finditer`` finds them; empty matches are none.

    pattern: one, several, or label -> one or several; ``label`` is that of patterns without.
    span: which group of the match is the span, by number or name.
    ignore_case: as the flag of that name; others can stand in the pattern, such as ``(?m)``.
    seconds: after that long on one document the source has failed there.
    """

    def __init__(
        self,
        name: str,
        pattern: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        label: str | None = None,
        *,
        span: int | str = 0,
        ignore_case: bool = False,
        seconds: float = 2.0,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.span, self.ignore_case, self.seconds = span, ignore_case, seconds
        self.patterns = tuple(labelled_patterns(name, pattern, label))
        self.labels = tuple(dict.fromkeys(label for label, _ in self.patterns))
        for _, text in self.patterns:
            self._check_group(compiled(name, text, ignore_case=ignore_case), text)

    def __call__(self, shard: Shard) -> Cast:
        """The matches in every text, in characters."""
        patterns = [
            (self.labels.index(label), compiled(self.name, text, ignore_case=self.ignore_case))
            for label, text in self.patterns
        ]

        def look(d: int) -> list[tuple[int, int, int, int]]:
            return [
                (d, start, end, k)
                for k, pattern in patterns
                for start, end in matches(pattern, shard.texts[d], self.span, seconds=self.seconds)
            ]

        rows, failed = each_document(range(len(shard)), look, seconds=None)
        columns = list(zip(*rows, strict=True)) or [()] * 4
        return Cast.of(self.labels, *columns, unit="character", failed=failed)

    def _check_group(self, pattern: Any, text: str) -> None:
        known = self.span in pattern.groupindex or (
            isinstance(self.span, int) and 0 <= self.span <= pattern.groups
        )
        if not known:
            raise SourceError(f"source {self.name!r}: pattern {text!r} has no group {self.span!r}")
