"""skweak annotators, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..corpus import Shard
from ..errors import MissingExtra, SourceError
from ..votes import SourceKind, Votes
from .base import AnySource, Cast, registry
from .imported import imported
from .limits import SECONDS, each_document


class SkweakSource:
    """Runs a skweak annotator on every document and reads what it left under its name."""

    def __init__(
        self,
        name: str,
        annotator: Any,
        labels: Sequence[str],
        *,
        layer: str,
        classes: bool,
        kind: SourceKind,
        group: str | None,
        seconds: float,
    ) -> None:
        self.name, self.labels, self.kind, self.group = name, tuple(labels), kind, group
        self.annotator, self.layer, self.classes, self.seconds = annotator, layer, classes, seconds

    def __call__(self, shard: Shard) -> Cast:
        """Run the annotator."""
        return self.run(shard, None)

    def run(self, shard: Shard, votes: Votes | None) -> Cast:
        """Run the annotator, on documents that carry votes as layers."""

        def look(d: int) -> list[tuple[int, int, int, int]]:
            doc = shard.doc(d)
            if votes is not None:
                _add_layers(doc, votes, d)
            spans = self.annotator(doc).spans[self.layer]
            for span in spans:
                if span.label_ not in self.labels:
                    known = ", ".join(self.labels)
                    raise SourceError(f"cast {span.label_!r}, but declares {known}")
            return [(d, s.start, s.end, self.labels.index(s.label_)) for s in spans]

        rows, failed = each_document(range(len(shard)), look, seconds=self.seconds)
        document, start, end, label = list(zip(*rows, strict=True)) or [()] * 4
        if self.classes:
            return Cast.of(self.labels, document, label=label, failed=failed)
        return Cast.of(self.labels, document, start, end, label, failed=failed)


class SkweakReader:
    """A skweak annotator that reads other layers: they are the votes of the sources it names."""

    def __init__(self, source: SkweakSource, reads: Sequence[str]) -> None:
        self.source, self.reads = source, tuple(reads)
        self.name, self.labels = source.name, source.labels
        self.kind, self.group = source.kind, source.group

    def read_votes(self, shard: Shard, votes: Votes) -> Cast:
        """Run the annotator on documents that carry those votes."""
        return self.source.run(shard, votes)


@registry.register("skweak")
def skweak(
    name: str,
    annotator: Any,
    labels: Sequence[str],
    *,
    reads: Sequence[str] = (),
    layer: str | None = None,
    kind: SourceKind = "spotter",
    group: str | None = None,
    seconds: float = SECONDS,
) -> AnySource:
    """A skweak annotator as it is: one on spans, or a document-level ``TextAnnotator``.

    annotator: the object, or "module:object" in a job. labels: what it may cast. reads: sources
    whose spans it expects as layers of the same names. layer: where it leaves its spans, by
    default under its own name.
    """
    try:
        from skweak.base import AbstractAnnotator, TextAnnotator
    except ImportError:
        raise MissingExtra("skweak", "skweak") from None
    found = imported(name, annotator)
    if not isinstance(found, AbstractAnnotator):
        raise SourceError(f"source {name!r}: {found!r} is no skweak annotator")
    source = SkweakSource(
        name,
        found,
        labels,
        layer=layer or found.name,
        classes=isinstance(found, TextAnnotator),
        kind=kind,
        group=group,
        seconds=seconds,
    )
    return SkweakReader(source, reads) if reads else source


def _add_layers(doc: Any, votes: Votes, document: int) -> None:
    from spacy.tokens import Span

    layers: dict[str, list[Any]] = {name: [] for name in votes.names}
    for i in range(votes.indptr[document], votes.indptr[document + 1]):
        label = votes.task.vote_labels[votes.label[i]]
        span = Span(doc, int(votes.start[i]), int(votes.end[i]), label)
        layers[votes.names[votes.source[i]]].append(span)
    for name, spans in layers.items():
        doc.spans[name] = spans
