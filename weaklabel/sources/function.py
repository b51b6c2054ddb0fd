"""Labelling functions: a Python function that looks at one document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .imported import imported
from .limits import SECONDS, each_document

if TYPE_CHECKING:
    from spacy.tokens import Doc

SpanFunction = Callable[["Doc"], Iterable[tuple[Any, ...]]]
ClassFunction = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class SpanFunctionSource:
    """Calls ``function`` with a spaCy ``Doc``; it yields (start, end, label[, confidence]).

    Positions are tokens, end exclusive. Made by ``span_lf``.
    """

    function: SpanFunction
    name: str
    labels: tuple[str, ...]
    kind: SourceKind = "spotter"
    group: str | None = None
    seconds: float = SECONDS

    def __call__(self, shard: Shard) -> Cast:
        """Call the function on every document."""
        ids = {label: k for k, label in enumerate(self.labels)}

        def look(d: int) -> list[tuple[int, int, int, int, float]]:
            rows = []
            for start, end, label, *rest in self.function(shard.doc(d)) or ():
                (confidence,) = rest or (1.0,)
                _check(confidence, label)
                rows.append((d, int(start), int(end), _known(label, ids), float(confidence)))
            return rows

        rows, failed = each_document(range(len(shard)), look, seconds=self.seconds)
        d, start, end, label, confidence = list(zip(*rows, strict=True)) or [()] * 5
        sure = np.asarray(confidence, dtype=np.float32)
        return Cast.of(self.labels, d, start, end, label, confidence=sure, failed=failed)


@dataclass(frozen=True, eq=False)
class ClassFunctionSource:
    """Calls ``function`` with a document that has ``id``, ``text`` and the record's fields.

    It returns a label or None, (label, confidence), or {label: probability}: a soft vote.
    Made by ``class_lf``.
    """

    function: ClassFunction
    name: str
    labels: tuple[str, ...]
    kind: SourceKind = "auto"
    group: str | None = None
    seconds: float = SECONDS

    def __call__(self, shard: Shard) -> Cast:
        """Call the function on every document."""
        ids = {label: k for k, label in enumerate(self.labels)}

        def look(d: int) -> list[tuple[int, int, float]]:
            said = self.function(point(shard, d))
            return [(d, _known(label, ids), p) for label, p in class_answer(said)]

        rows, failed = each_document(range(len(shard)), look, seconds=self.seconds)
        d, label, confidence = list(zip(*rows, strict=True)) or [()] * 3
        sure = np.asarray(confidence, dtype=np.float32)
        return Cast.of(self.labels, d, label=label, confidence=sure, failed=failed)


def span_lf(
    labels: str | Iterable[str],
    *,
    name: str | None = None,
    kind: SourceKind = "spotter",
    group: str | None = None,
    seconds: float = SECONDS,
) -> Callable[[SpanFunction], SpanFunctionSource]:
    """Decorator: a function from a spaCy ``Doc`` to (start, end, label[, confidence]) as a source.

    labels: all that it may yield. seconds: its limit on one document. ``.function`` is the
    function itself.
    """

    def make(function: SpanFunction) -> SpanFunctionSource:
        title = name or function.__name__
        return SpanFunctionSource(function, title, _names(labels), kind, group, seconds)

    return make


def class_lf(
    labels: str | Iterable[str],
    *,
    name: str | None = None,
    kind: SourceKind = "auto",
    group: str | None = None,
    seconds: float = SECONDS,
) -> Callable[[ClassFunction], ClassFunctionSource]:
    """Decorator: a function from a document to its class as a source.

    It gets an object with ``id``, ``text`` and the record's fields, and returns a label or None,
    (label, confidence), or {label: probability}.
    """

    def make(function: ClassFunction) -> ClassFunctionSource:
        title = name or function.__name__
        return ClassFunctionSource(function, title, _names(labels), kind, group, seconds)

    return make


def point(shard: Shard, document: int) -> SimpleNamespace:
    """A document as an object with ``id``, ``text`` and its fields; fields never hide those two."""
    fields = {key: value for key, value in shard.fields[document].items() if key.isidentifier()}
    facts = {"id": shard.ids[document], "text": shard.texts[document]}
    return SimpleNamespace(**{**fields, **facts})


def class_answer(said: Any) -> list[tuple[str, float]]:
    """(label, confidence) pairs of what a function on classes returned; none if it abstained."""
    if said is None:
        return []
    if isinstance(said, Mapping):
        pairs = [(label, float(p)) for label, p in said.items()]
    elif isinstance(said, tuple):
        pairs = [(said[0], float(said[1]))]
    else:
        pairs = [(said, 1.0)]
    for label, p in pairs:
        _check(p, label)
    return [(label, p) for label, p in pairs if p > 0]


def _check(confidence: float, label: Any) -> None:
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence {confidence} of {label!r}, expected 0 to 1")


def _known(label: Any, ids: Mapping[str, int]) -> int:
    if label not in ids:
        raise SourceError(f"cast {label!r}, but declares {', '.join(ids)}")
    return ids[label]


def _names(labels: str | Iterable[str]) -> tuple[str, ...]:
    return (labels,) if isinstance(labels, str) else tuple(labels)


@registry.register("function")
def function(
    name: str,
    function: Any,
    labels: Sequence[str],
    *,
    of: Literal["spans", "classes"] = "spans",
    kind: SourceKind = "auto",
    group: str | None = None,
    seconds: float = SECONDS,
) -> SpanFunctionSource | ClassFunctionSource:
    """A labelling function of an installed module: ``module:function`` in a job.

    of: what it votes on; see ``span_lf`` and ``class_lf``.
    """
    found = imported(name, function)
    found = getattr(found, "function", found)
    if not callable(found):
        raise SourceError(f"source {name!r}: {function!r} is no function")
    make = SpanFunctionSource if of == "spans" else ClassFunctionSource
    return make(found, name, tuple(labels), kind, group, seconds)
