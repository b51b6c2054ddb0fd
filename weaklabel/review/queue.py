"""A run's labels -> suspects -> one ranked queue in ``review.sqlite``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..labels import ClassLabels, Labels, SpanLabels
from ..task import NONE, Task
from ..votes import Votes
from .decided import answered, stored_gold
from .rank import ranked, wrongness
from .store import Asked, Store
from .suspects import ISSUES, Suspects

_SURROGATES = re.compile("[\ud800-\udfff]")


class Reviewable(Protocol):
    """What the queue reads of a run."""

    folder: Path

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks by name."""

    @property
    def shards(self) -> Sequence[Shard]:
        """The documents."""

    def votes(self, task: str) -> Sequence[Votes]:
        """What the sources said."""

    def labels(self, task: str) -> Sequence[Labels]:
        """What the label model believes."""

    def model(self, task: str) -> Any:
        """The fitted label model."""


def open_queue(run: Reviewable, order: str = "gain", budget: int | None = None) -> Store:
    """The store of a run, its queue made anew if the run, the order or the budget has changed."""
    store = Store(run.folder / "review.sqlite")
    stamp = [_stamp(run), order, budget]
    if store.fact("stamp") != stamp:
        try:
            fill(store, run, order, budget, {"stamp": stamp})
        except BaseException:
            store.close()
            raise
    return store


def _stamp(run: Reviewable) -> list[Any]:
    files = sorted((run.folder / "tasks").glob("*/labels/*.parquet"))
    return [[str(f.relative_to(run.folder)), f.stat().st_mtime_ns] for f in files]


def fill(
    store: Store,
    run: Reviewable,
    order: str = "gain",
    budget: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> int:
    """Rank what a run is unsure of and write it as the queue; returns the number of items.

    The tasks of a run take turns. What decisions already speak of comes last. budget: only so many
    items, the best to ask.
    """
    found = {task: suspects_of(run, task) for task in run.tasks}
    best = {task: _in_order(store, run, task, rows, order) for task, rows in found.items()}
    turns = [
        ((place + 0.5) / len(rows), name, int(row))
        for name, rows in best.items()
        for place, row in enumerate(rows)
    ]
    turns.sort(key=lambda turn: turn[0])
    places: dict[str, dict[int, int]] = {task: {} for task in found}
    for place, (_, task, row) in enumerate(turns[:budget], start=1):
        places[task][row] = place
    known = {
        "tasks": {name: task.to_json() for name, task in run.tasks.items()},
        "trust": {name: _trust(run, name) for name in run.tasks},
        "sources": sorted({name for task in run.tasks for name in run.votes(task)[0].names}),
        "order": order,
    }
    return store.replace_queue(_asked(run, found, places), {**known, **(facts or {})})


def _in_order(
    store: Store, run: Reviewable, task: str, suspects: Suspects, order: str
) -> NDArray[np.int64]:
    """The rows in the order in which to ask; the ranking sees only what is undecided."""
    known = np.zeros(len(suspects), dtype=bool)
    gold = stored_gold(store, run.tasks[task], run.shards)
    bounds = np.searchsorted(suspects.shard, np.arange(len(run.shards) + 1))
    for number, decided in enumerate(gold or ()):
        here = slice(bounds[number], bounds[number + 1])
        places = (suspects.document[here], suspects.start[here], suspects.end[here])
        known[here] = answered(decided, *places)
    fresh = np.flatnonzero(~known)
    return np.concatenate([fresh[ranked(suspects.rows(fresh), order)], np.flatnonzero(known)])


def suspects_of(run: Reviewable, task: str) -> Suspects:
    """Every place of a task that could be asked about, over all shards."""
    if run.tasks[task].kind == "spans":
        from .span_review import span_suspects_of

        return span_suspects_of(run.shards, run.labels(task), run.votes(task))
    from .class_review import class_suspects_of

    return class_suspects_of(run.shards, run.labels(task), run.votes(task))


def _trust(run: Reviewable, task: str) -> dict[str, dict[str, float]]:
    """By source and label, the precision that the label model believes in, where it has one."""
    trust: dict[str, dict[str, float]] = {}
    for row in run.model(task).source_quality_:
        if row.precision == row.precision:
            trust.setdefault(row.source, {})[row.label] = round(float(row.precision), 4)
    return trust


def _asked(
    run: Reviewable, found: dict[str, Suspects], places: dict[str, dict[int, int]]
) -> Iterator[Asked]:
    """Shard by shard, the documents with items, as the page needs them."""
    for number in range(len(run.shards)):
        by_document: dict[int, list[tuple[str, int]]] = {}
        for task, suspects in found.items():
            low, high = np.searchsorted(suspects.shard, [number, number + 1])
            for row in range(low, high):
                if row in places[task]:
                    by_document.setdefault(int(suspects.document[row]), []).append((task, row))
        if not by_document:
            continue
        view = _ShardView(run, number)
        for document, rows in sorted(by_document.items()):
            items = [
                (places[task][row], task, *view.item(task, found[task], row)) for task, row in rows
            ]
            yield view.shard.ids[document], view.payload(document), items


class _ShardView:
    """One shard with the labels and votes of every task, as plain values in characters."""

    def __init__(self, run: Reviewable, number: int) -> None:
        self.shard = run.shards[number]
        self.tasks = run.tasks
        self.labels = {task: run.labels(task)[number] for task in run.tasks}
        self.votes = {task: run.votes(task)[number] for task in run.tasks}

    def payload(self, document: int) -> dict[str, Any]:
        """Text, tokens, labelled spans and class probabilities of a document."""
        shard = self.shard
        low, high = shard.indptr[document], shard.indptr[document + 1]
        tokens = np.stack([shard.starts[low:high], shard.ends[low:high]], axis=1).tolist()
        spans: dict[str, Any] = {}
        classes: dict[str, Any] = {}
        for name, labels in self.labels.items():
            if isinstance(labels, ClassLabels):
                row = labels.probability[document].round(4).tolist()
                classes[name] = dict(zip(self.tasks[name].labels, row, strict=True))
            else:
                spans[name] = _labelled(labels, document, tokens)
        text = _SURROGATES.sub("\ufffd", shard.texts[document])
        return {"text": text, "tokens": tokens, "spans": spans, "classes": classes}

    def item(
        self, task: str, suspects: Suspects, row: int
    ) -> tuple[int, int, str, str, float, dict[str, Any]]:
        """Start, end, label, issue, score and detail of one item."""
        names = self.tasks[task].labels
        document, votes = int(suspects.document[row]), self.votes[task]
        start, end = int(suspects.start[row]), int(suspects.end[row])
        kind = self.tasks[task].kind
        mine = slice(votes.indptr[document], votes.indptr[document + 1])
        cast = [
            [
                votes.names[j],
                votes.task.vote_labels[k],
                *self._place(kind, document, s, e),
                round(c, 4),
            ]
            for j, k, s, e, c in zip(
                votes.source[mine].tolist(),
                votes.label[mine].tolist(),
                votes.start[mine].tolist(),
                votes.end[mine].tolist(),
                votes.confidence[mine].tolist(),
                strict=True,
            )
            if kind == "classes" or (s < end and e > start)
        ]
        detail: dict[str, Any] = {
            "quality": round(float(suspects.quality[row]), 4),
            "doubt": round(float(suspects.doubt[row]), 4),
            "disagreement": round(float(suspects.disagreement[row]), 4),
            "votes": cast,
            "sources": sorted({vote[0] for vote in cast}),
        }
        label = names[suspects.label[row]] if suspects.label[row] != NONE else ""
        guess = names[suspects.guess[row]] if suspects.guess[row] != NONE else ""
        if kind == "classes":
            chosen = self.labels[task]
            assert isinstance(chosen, ClassLabels)
            held = chosen.chosen_sets[document]
            detail["classes"] = [n for n, on in zip(names, held, strict=True) if on]
            if self.tasks[task].multi:
                held = held ^ (np.arange(len(names)) == suspects.guess[row])
                detail["guess_classes"] = [n for n, on in zip(names, held, strict=True) if on]
            else:
                detail["guess_classes"] = [guess] if guess else []
        elif guess:
            place = self._place(
                kind, document, int(suspects.guess_start[row]), int(suspects.guess_end[row])
            )
            detail["guess"] = [*place, guess]
        score = float(wrongness(suspects.rows(np.asarray([row])))[0])
        issue = ISSUES[suspects.issue[row]]
        return *self._place(kind, document, start, end), label, issue, round(score, 4), detail

    def _place(self, kind: str, document: int, start: int, end: int) -> tuple[int, int]:
        if kind == "classes":
            return 0, 0
        low, high = self.shard.characters([document], [start], [end])
        return int(low[0]), int(high[0])


def _labelled(labels: SpanLabels, document: int, tokens: list[list[int]]) -> list[list[Any]]:
    low, high = np.searchsorted(labels.document, [document, document + 1])
    confidence = labels.confidence[low:high]
    return [
        [
            tokens[labels.start[i]][0],
            tokens[labels.end[i] - 1][1],
            labels.task.labels[labels.chosen[i]],
            round(float(confidence[i - low]), 4),
        ]
        for i in range(low, high)
        if labels.chosen[i] != NONE
    ]
