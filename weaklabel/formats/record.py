"""What is exported: one document with its labels, in characters, the reasons beside them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..corpus import Shard
from ..errors import VotesError
from ..labels import ClassLabels, Labels, Reasons, SpanLabels
from ..tags import Scheme, encode
from ..task import NONE, Task
from ..votes import Gold

Voted = tuple[tuple[str, str, float], ...]
"""Who voted what, and what it added to the log-odds of the label, in nats."""


@dataclass(frozen=True)
class RecordSpan:
    """A labelled span: characters, end exclusive. layer: 0, or the depth of a nested one."""

    start: int
    end: int
    label: str
    probability: float = 1.0
    layer: int = 0
    sources: Voted = ()


Placed = tuple[int, int, RecordSpan]
"""A span with its place in another unit: first token, end token."""


@dataclass(frozen=True)
class Record:
    """One document with its labels.

    tokens: character offsets. sentence_starts: indices of tokens; empty where nobody said.
    spans: sorted by start, end, label. classes: the probability of every class label.
    chosen: the class labels that hold; none where no evidence stood behind the document.
    sources: who voted on the document's class.
    decided_spans, decided_classes: what a person decided, where the document is known in full.
    """

    id: str
    text: str
    tokens: tuple[tuple[int, int], ...] = ()
    sentence_starts: tuple[int, ...] = ()
    spans: tuple[RecordSpan, ...] = ()
    classes: Mapping[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    sources: Voted = ()
    decided_spans: tuple[RecordSpan, ...] | None = None
    decided_classes: tuple[str, ...] | None = None

    @property
    def least(self) -> float:
        """The probability of the least certain label, 1 if there is none: what a queue sorts by."""
        sure = [span.probability for span in self.spans]
        return min(sure + [self.classes.get(label, 1.0) for label in self.chosen], default=1.0)


@dataclass
class Written:
    """What a writer wrote, and what the format had no room for (reason -> spans)."""

    documents: int = 0
    spans: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count spans that could not be written."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count


def records(
    shard: Shard, labels: Mapping[str, Labels], gold: Mapping[str, Gold] | None = None
) -> Iterator[Record]:
    """One record for each document of a shard.

    labels, gold: by task; gold is what persons decided. A record holds the labels of all the
    tasks side by side, so tasks of one kind that go into the same record must not share a label.
    """
    check_labels([known.task for known in labels.values()])
    span_labels = [known for known in labels.values() if isinstance(known, SpanLabels)]
    class_labels = [known for known in labels.values() if isinstance(known, ClassLabels)]
    decided = [(known, set(known.complete.tolist())) for known in (gold or {}).values()]
    starts, ends = shard.starts.tolist(), shard.ends.tolist()
    bounds = shard.indptr.tolist()
    for d, identifier in enumerate(shard.ids):
        low, high = bounds[d], bounds[d + 1]
        tokens = tuple(zip(starts[low:high], ends[low:high], strict=True))
        spans = [span for known in span_labels for span in _spans(known, d, tokens)]
        classes, chosen, sources = _classes(class_labels, d)
        yield Record(
            identifier,
            shard.texts[d],
            tokens,
            tuple(shard.sentence_starts[low:high].nonzero()[0].tolist()),
            tuple(sorted(spans, key=lambda s: (s.start, s.end, s.label))),
            classes,
            chosen,
            shard.fields[d],
            sources,
            _decided_spans(decided, d, tokens),
            _decided_classes(decided, d),
        )


def check_labels(tasks: Iterable[Task]) -> None:
    """Tasks of one kind that are exported together must not share a label."""
    seen: dict[tuple[str, str], str] = {}
    for task in tasks:
        for label in task.labels:
            other = seen.setdefault((task.kind, label), task.name)
            if other != task.name:
                raise VotesError(
                    f"tasks {other!r} and {task.name!r} share the label {label!r}; "
                    "export them one at a time"
                )


def _spans(
    labels: SpanLabels, document: int, tokens: tuple[tuple[int, int], ...]
) -> Iterator[RecordSpan]:
    low, high = labels.document.searchsorted([document, document + 1])
    for i in range(int(low), int(high)):
        k = int(labels.chosen[i])
        if k != NONE:
            yield RecordSpan(
                tokens[int(labels.start[i])][0],
                tokens[int(labels.end[i]) - 1][1],
                labels.task.labels[k],
                float(labels.probability[i, k]),
                int(labels.layer[i]),
                _voted(labels.reasons, i, labels.task),
            )


def _classes(
    tasks: list[ClassLabels], document: int
) -> tuple[dict[str, float], tuple[str, ...], Voted]:
    classes: dict[str, float] = {}
    chosen: list[str] = []
    sources: Voted = ()
    for labels in tasks:
        row = labels.probability[document].tolist()
        classes |= dict(zip(labels.task.labels, row, strict=True))
        if labels.covered[document]:
            one = max(range(len(row)), key=row.__getitem__)
            holds = [k for k, p in enumerate(row) if p > 0.5] if labels.task.multi else [one]
            chosen += [labels.task.labels[k] for k in holds]
        sources += _voted(labels.reasons, document, labels.task)
    return classes, tuple(chosen), sources


def _voted(reasons: Reasons | None, item: int, task: Task) -> Voted:
    if reasons is None:
        return ()
    return tuple(
        (reasons.sources[reasons.source[r]], task.vote_labels[reasons.label[r]], weight)
        for r in range(int(reasons.indptr[item]), int(reasons.indptr[item + 1]))
        for weight in [float(reasons.weight[r])]
    )


def _decided_spans(
    decided: list[tuple[Gold, set[int]]], document: int, tokens: tuple[tuple[int, int], ...]
) -> tuple[RecordSpan, ...] | None:
    known = [g for g, complete in decided if g.task.kind == "spans" and document in complete]
    if not known:
        return None
    return tuple(
        RecordSpan(
            tokens[int(gold.start[i])][0],
            tokens[int(gold.end[i]) - 1][1],
            gold.task.labels[gold.label[i]],
        )
        for gold in known
        for i in range(*gold.document.searchsorted([document, document + 1]).tolist())
        if gold.label[i] != NONE
    )


def _decided_classes(decided: list[tuple[Gold, set[int]]], document: int) -> tuple[str, ...] | None:
    known = [g for g, complete in decided if g.task.kind == "classes" and document in complete]
    if not known:
        return None
    return tuple(
        gold.task.labels[gold.label[i]]
        for gold in known
        for i in range(*gold.document.searchsorted([document, document + 1]).tolist())
        if gold.label[i] != NONE
    )


def on_tokens(record: Record, written: Written) -> list[Placed]:
    """The spans that lie on whole tokens, as (first token, end token, span); the rest counted."""
    starts = [start for start, _ in record.tokens]
    ends = [end for _, end in record.tokens]
    found = []
    for span in record.spans:
        first, last = bisect_left(starts, span.start), bisect_left(ends, span.end)
        exact = first <= last < len(ends)
        if exact and starts[first] == span.start and ends[last] == span.end:
            found.append((first, last + 1, span))
        else:
            written.leave_out("not on whole tokens")
    return found


def flat(spans: Iterable[Placed], length: int, written: Written) -> list[Placed]:
    """Spans that do not overlap: outer layers, then longer, then earlier ones; the rest counted.

    length: of the document, in the unit of the spans' places.
    """
    taken = bytearray(length)
    kept = []
    for first, end, span in sorted(spans, key=lambda s: (s[2].layer, s[0] - s[1], s[0])):
        if any(taken[first:end]):
            written.leave_out("inside or across another")
        else:
            taken[first:end] = b"\1" * (end - first)
            kept.append((first, end, span))
    return sorted(kept, key=lambda s: s[0])


def flat_on_tokens(record: Record, written: Written) -> list[Placed]:
    """Spans for a format of one tag per token, as (first token, end token, span)."""
    kept = flat(on_tokens(record, written), len(record.tokens), written)
    written.spans += len(kept)
    return kept


def tags_of(record: Record, spans: Iterable[Placed], scheme: Scheme) -> list[str]:
    """One tag per token."""
    placed = ((first, end, span.label) for first, end, span in spans)
    return encode(len(record.tokens), placed, scheme)


def sentences(record: Record, spans: Iterable[Placed]) -> list[tuple[int, int]]:
    """Token ranges of the sentences; where nobody said, a line of the text is one.

    A sentence never ends within a span, for tags could not carry it over the break.
    """
    n = len(record.tokens)
    starts = record.sentence_starts or tuple(
        i for i in range(1, n) if "\n" in record.text[record.tokens[i - 1][1] : record.tokens[i][0]]
    )
    inside = {i for first, end, _ in spans for i in range(first + 1, end)}
    cuts = [0, *(i for i in starts if i and i not in inside), n]
    return [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]
