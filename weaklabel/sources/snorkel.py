"""snorkel labelling functions, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import MissingExtra, SourceError
from ..votes import SourceKind
from .base import registry
from .function import ClassFunctionSource
from .imported import imported
from .limits import SECONDS

ABSTAIN = -1


@registry.register("snorkel")
def snorkel(
    name: str,
    functions: Any,
    labels: Sequence[str],
    *,
    kind: SourceKind = "auto",
    group: str | None = None,
    seconds: float = SECONDS,
) -> list[ClassFunctionSource]:
    """One source per snorkel ``LabelingFunction``, named after it.

    functions: one or several, or "module:object" in a job. labels: our names of their classes
    0, 1, ... A data point has ``id``, ``text`` and the record's fields. ``name`` only names the
    group in a job: a single function is called so, several keep their own names.
    """
    try:
        from snorkel.labeling import LabelingFunction
    except ImportError:
        raise MissingExtra("snorkel", "snorkel") from None
    found = imported(name, functions)
    several = list(found) if isinstance(found, list | tuple) else [found]
    for function in several:
        if not isinstance(function, LabelingFunction):
            raise SourceError(f"source {name!r}: {function!r} is no snorkel LabelingFunction")
    return [
        ClassFunctionSource(
            _Named(function, tuple(labels)),
            name if len(several) == 1 else function.name,
            tuple(labels),
            kind,
            group,
            seconds,
        )
        for function in several
    ]


class _Named:
    """A snorkel function that answers with the label's name."""

    def __init__(self, function: Any, labels: tuple[str, ...]) -> None:
        self.function, self.labels = function, labels

    def __call__(self, document: Any) -> str | None:
        said = int(self.function(document))
        if said == ABSTAIN:
            return None
        if not 0 <= said < len(self.labels):
            raise SourceError(f"said class {said}, expected {ABSTAIN} to {len(self.labels) - 1}")
        return self.labels[said]
