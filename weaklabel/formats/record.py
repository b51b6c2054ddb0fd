"""What is exported: one document with its labels, in characters, the reasons beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise, repeat
from operator import attrgetter
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import VotesError
from ..labels import ClassLabels, Labels, Reasons, SpanLabels
from ..task import NONE, Task
from ..votes import Gold

Voted = tuple[tuple[str, str, float], ...]
"""Who voted what, and what it added to the log-odds of the label, in nats."""


class RecordSpan(NamedTuple):
    """A labelled span: characters, end exclusive. layer: 0, or the depth of a nested one."""

    start: int
    end: int
    label: str
    probability: float = 1.0
    layer: int = 0
    sources: Voted = ()


Tokens = Sequence[tuple[int, int]]
"""Character offsets of tokens."""


class TokenOffsets(Tokens):
    """Offsets of the tokens of a document; pairs are made when somebody wants them."""

    def __init__(self, starts: NDArray[np.int32], ends: NDArray[np.int32]) -> None:
        self._starts, self._ends = starts, ends

    @cached_property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self._starts.tolist(), self._ends.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> tuple[int, int]: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[int, int], ...]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self._pairs[index]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._pairs == tuple(other)

    def __hash__(self) -> int:
        return hash(self._pairs)


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

    def __add__(self, other: Written) -> Written:
        reasons = self.left_out.keys() | other.left_out.keys()
        left_out = {r: self.left_out.get(r, 0) + other.left_out.get(r, 0) for r in sorted(reasons)}
        return Written(self.documents + other.documents, self.spans + other.spans, left_out)

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
    spans_by_task = [_spans(one, shard) for one in labels.values() if isinstance(one, SpanLabels)]
    classes_of = [_classes(one) for one in labels.values() if isinstance(one, ClassLabels)]
    decided = [(known, set(known.complete.tolist())) for known in (gold or {}).values()]
    for d, (low, high) in enumerate(pairwise(shard.indptr.tolist())):
        tokens = TokenOffsets(shard.starts[low:high], shard.ends[low:high])
        spans = [span for walk in spans_by_task for span in next(walk)]
        classes: dict[str, float] = {}
        chosen: tuple[str, ...] = ()
        sources: Voted = ()
        for walk in classes_of:
            more = next(walk)
            classes |= more[0]
            chosen, sources = chosen + more[1], sources + more[2]
        yield Record(
            shard.ids[d],
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


def _spans(labels: SpanLabels, shard: Shard) -> Iterator[list[RecordSpan]]:
    """The labelled spans, document by document."""
    rows = labels.labelled
    document, chosen = labels.document[rows], labels.chosen[rows]
    start, end = shard.characters(document, labels.start[rows], labels.end[rows])
    spans = map(
        RecordSpan,
        start.tolist(),
        end.tolist(),
        [labels.task.labels[k] for k in chosen.tolist()],
        labels.probability[rows, chosen].tolist(),
        labels.layer[rows].tolist(),
        _voted(labels.reasons, rows, labels.task),
    )
    for count in np.bincount(document, minlength=labels.n_documents).tolist():
        yield list(islice(spans, count))


def _classes(labels: ClassLabels) -> Iterator[tuple[dict[str, float], tuple[str, ...], Voted]]:
    """Probabilities, chosen classes and who voted, document by document."""
    names = labels.task.labels
    voted = _voted(labels.reasons, np.arange(labels.n_documents), labels.task)
    rows = zip(labels.probability.tolist(), labels.covered.tolist(), voted, strict=False)
    for row, covered, sources in rows:
        chosen: tuple[str, ...] = ()
        if covered and labels.task.multi:
            chosen = tuple(names[k] for k, p in enumerate(row) if p > 0.5)
        elif covered:
            chosen = (names[max(range(len(row)), key=row.__getitem__)],)
        yield dict(zip(names, row, strict=True)), chosen, sources


def _voted(reasons: Reasons | None, items: NDArray[np.int64], task: Task) -> Iterator[Voted]:
    """The reasons of items. What is said again and again is one object."""
    if reasons is None:
        return repeat(())
    picked = reasons.select(items)
    said = picked.source.astype(np.int64) * len(task.vote_labels) + picked.label
    bits = picked.weight.astype(np.float32).view(np.uint32)
    _, first, kind = np.unique(said << 32 | bits, return_index=True, return_inverse=True)
    columns = (picked.source[first], picked.label[first], picked.weight[first])
    votes = [
        (reasons.sources[source], task.vote_labels[label], weight)
        for source, label, weight in zip(*(column.tolist() for column in columns), strict=True)
    ]
    each = [votes[i] for i in kind.tolist()]
    return (tuple(each[low:high]) for low, high in pairwise(picked.indptr.tolist()))


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


_PLACE = attrgetter("start", "end", "label")


def _in_order(spans: Iterable[RecordSpan]) -> tuple[RecordSpan, ...]:
    return tuple(sorted(spans, key=_PLACE))
