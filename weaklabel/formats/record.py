"""What is exported: one document with its labels, in characters, the reasons beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..corpus import Shard
from ..errors import VotesError
from ..labels import ClassLabels, Labels, Reasons, SpanLabels
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


Tokens = tuple[tuple[int, int], ...]
"""Character offsets of tokens."""

Known = tuple[Gold, set[int]]
"""What persons decided of a task, and the documents that they know in full."""


@dataclass(frozen=True)
class Record:
    """One document with its labels.

    tokens: character offsets. sentence_starts: indices of tokens; empty where nobody said.
    spans: sorted by start, end, label. classes: the probability of every class label.
    chosen: the class labels that hold; none where no evidence stood behind the document.
    sources: who voted on the document's class.
    decided_spans: the spans as persons have corrected them; None where nobody decided anything.
    decided_classes: the classes that persons gave, or None.
    complete: persons know the document in full.
    """

    id: str
    text: str
    tokens: Tokens = ()
    sentence_starts: tuple[int, ...] = ()
    spans: tuple[RecordSpan, ...] = ()
    classes: Mapping[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    sources: Voted = ()
    decided_spans: tuple[RecordSpan, ...] | None = None
    decided_classes: tuple[str, ...] | None = None
    complete: bool = False

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
            _in_order(spans),
            classes,
            chosen,
            shard.fields[d],
            sources,
            _corrected_spans(decided, d, tokens, spans),
            _decided_classes(decided, d),
            bool(decided) and all(d in complete for _, complete in decided),
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


def _spans(labels: SpanLabels, document: int, tokens: Tokens) -> Iterator[RecordSpan]:
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


def _corrected_spans(
    known: list[Known], document: int, tokens: Tokens, spans: list[RecordSpan]
) -> tuple[RecordSpan, ...] | None:
    """The spans as persons left them: what they ruled on is theirs, the rest the model's."""
    touched = False
    for gold, complete in known:
        low, high = gold.document.searchsorted([document, document + 1]).tolist()
        if gold.task.kind != "spans" or (low == high and document not in complete):
            continue
        touched = True
        places = [
            (tokens[int(gold.start[i])][0], tokens[int(gold.end[i]) - 1][1], int(gold.label[i]))
            for i in range(low, high)
        ]
        mine = [span for span in spans if span.label in gold.task.labels]
        if document not in complete:
            mine = [s for s in mine if any(_rules_out(s, place, gold.task) for place in places)]
        gone = set(mine)
        spans = [span for span in spans if span not in gone]
        spans += [RecordSpan(a, b, gold.task.labels[k]) for a, b, k in places if k != NONE]
    return _in_order(spans) if touched else None


def _rules_out(span: RecordSpan, place: tuple[int, int, int], task: Task) -> bool:
    """A decision on a span's own extent, or for another span in its way."""
    start, end, label = place
    same = (span.start, span.end) == (start, end)
    return same or (label != NONE and not task.nested and span.start < end and start < span.end)


def _decided_classes(known: list[Known], document: int) -> tuple[str, ...] | None:
    sure = [g for g, complete in known if g.task.kind == "classes" and document in complete]
    if not sure:
        return None
    return tuple(
        gold.task.labels[gold.label[i]]
        for gold in sure
        for i in range(*gold.document.searchsorted([document, document + 1]).tolist())
        if gold.label[i] != NONE
    )


def _in_order(spans: Iterable[RecordSpan]) -> tuple[RecordSpan, ...]:
    return tuple(sorted(spans, key=lambda s: (s.start, s.end, s.label)))
