"""Gold plays the reviewer: entity F1 on the undecided rest, by the order in which one asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.formats.wrench import WrenchSplit, read_wrench
from weaklabel.labels import SpanLabels
from weaklabel.models.base import registry
from weaklabel.review.rank import ranked
from weaklabel.review.span_review import span_suspects_of
from weaklabel.review.suspects import Suspects
from weaklabel.review.teach import Teacher
from weaklabel.scoring import score_spans
from weaklabel.task import NONE
from weaklabel.votes import Gold

from .results import Figure

OURS = "gain"
PEERS = ("random", "cleanlab", "uncertainty")
RANDOM_ORDERS = 3
Place = tuple[int, int, int]


class Point(NamedTuple):
    """Entity F1 on the documents without a decision; gain: over no review, on the same ones."""

    f1: float
    gain: float


def figures(folder: Path, quick: bool) -> list[Figure]:
    """After each budget the queue is made anew, as the next run would.

    An order also decides which documents are left to score on: F1 flatters one that leaves easy
    documents, the gain over no review on the same documents does not.
    """
    data = read_wrench(folder / "wrench" / "conll03_16lf", "test")
    budgets = (30, 60, 100) if quick else (100, 300, 1000)
    loop = Loop(data, documents=500 if quick else None)
    before = loop.score(loop.unreviewed, loop.nothing)
    curves = {order: dict(loop.review(order, budgets)) for order in (OURS, *PEERS[1:])}
    seeds = range(1 if quick else RANDOM_ORDERS)
    curves["random"] = _mean([dict(loop.review("random", budgets, seed=s)) for s in seeds])
    anchors = _mean([dict(loop.review("random", budgets, teach=False, seed=s)) for s in seeds])
    rows = [Figure("review-f1-before", before, "F1")]
    for n in budgets:
        best = max(PEERS, key=lambda peer: curves[peer][n].f1)
        for peer in PEERS:
            ours, theirs = curves[OURS][n], curves[peer][n]
            rows.append(_above(f"review-f1-after-{n}-over-{peer}", ours.f1, theirs.f1, peer))
            rows.append(_above(f"review-gain-{n}-against-{peer}", ours.gain, theirs.gain, peer))
        rows.append(Figure(f"review-f1-after-{n}-best-peer", curves[best][n].f1, "F1", peer=best))
        rows.append(
            Figure(f"review-f1-after-{n}-random-anchors-only", anchors[n].f1, "F1", peer="random")
        )
    middle = budgets[1]
    gain, random = curves[OURS][middle].gain, curves["random"][middle].gain
    plain = anchors[middle].gain
    return [
        *rows,
        Figure(
            f"review-gain-{middle}-over-random",
            gain,
            "F1",
            2 * random,
            gain >= 2 * random,
            "random order, same learning from decisions",
            random,
        ),
        Figure(
            f"review-gain-{middle}-over-random-anchors-only",
            gain,
            "F1",
            max(2 * plain, 0.0),
            gain >= max(2 * plain, 0.0),
            "random order, decisions as anchors of the label model only",
            plain,
        ),
    ]


def _mean(curves: Sequence[dict[int, Point]]) -> dict[int, Point]:
    means = {n: np.mean([curve[n] for curve in curves], axis=0).tolist() for n in curves[0]}
    return {n: Point(*mean) for n, mean in means.items()}


def _above(name: str, ours: float, theirs: float, peer: str) -> Figure:
    return Figure(name, ours, "F1", theirs, ours > theirs, f"{peer} order", theirs)


def _order(suspects: Suspects, order: str, seed: int) -> NDArray[np.int64]:
    if order == "random":
        return np.random.default_rng(seed).permutation(len(suspects))
    return ranked(suspects, order)


class Loop:
    """One data set, its label model, and gold that answers. documents: only the first so many."""

    def __init__(self, data: WrenchSplit, documents: int | None = None) -> None:
        chosen = np.arange(documents or len(data.documents))
        self.shard = replace(data, documents=data.documents[: len(chosen)]).shard()
        self.votes = data.votes.select_documents(chosen)
        self.gold = data.gold.select_documents(chosen)
        self._spans: dict[int, list[tuple[int, int, int]]] = {}
        self.nothing = self._answers([])
        columns = (self.gold.document, self.gold.start, self.gold.end, self.gold.label)
        for d, s, e, k in zip(*(column.tolist() for column in columns), strict=True):
            self._spans.setdefault(d, []).append((s, e, k))
        self.unreviewed = self.labels(self.nothing)

    def review(
        self, order: str, budgets: Sequence[int], teach: bool = True, seed: int = 0
    ) -> Iterator[tuple[int, Point]]:
        """(decisions, what they brought) for each budget."""
        places: list[Place] = []
        labels = self.unreviewed
        for budget in budgets:
            fresh, suspects = self._undecided(labels, places)
            best = _order(suspects, order, seed)[: budget - len(places)]
            places += [fresh[i] for i in best]
            decided = self._answers(places)
            labels = self.labels(decided, teach)
            f1 = self.score(labels, decided)
            yield budget, Point(f1, f1 - self.score(self.unreviewed, decided))

    def labels(self, decided: Gold, teach: bool = True) -> SpanLabels:
        """What a run believes that knows these decisions."""
        known: Any = [decided] if len(decided) else None
        model: Any = registry.make("spans").fit([self.votes], texts=[self.shard], gold=known)
        told = decided if known and not teach else None
        labels: SpanLabels = model.predict(self.votes, texts=self.shard, gold=told)
        if known is None or not teach:
            return labels
        given = ([labels], [self.votes], [self.shard], [decided])
        return Teacher().fit(*given).apply(labels, self.votes, self.shard, decided)

    def _undecided(self, labels: SpanLabels, asked: list[Place]) -> tuple[list[Place], Suspects]:
        """The places of which no decision speaks."""
        suspects = span_suspects_of([self.shard], [labels], [self.votes])
        mine: dict[int, list[tuple[int, int]]] = {}
        for d, s, e in asked:
            mine.setdefault(d, []).append((s, e))
        columns = (suspects.document, suspects.start, suspects.end)
        places = list(zip(*(column.tolist() for column in columns), strict=True))
        fresh = [
            i
            for i, (d, s, e) in enumerate(places)
            if not any(s < b and e > a for a, b in mine.get(d, ()))
        ]
        return [places[i] for i in fresh], suspects.rows(np.asarray(fresh, dtype=np.int64))

    def _answers(self, places: list[Place]) -> Gold:
        """What a reviewer who knows gold says of these places: the spans there, or that none is."""
        rows: dict[Place, int] = {}
        for d, s, e in places:
            for a, b, k in self._spans.get(d, ()):
                if a < e and b > s:
                    rows[d, a, b] = k
            rows.setdefault((d, s, e), NONE)
        table = np.asarray([(*place, k) for place, k in rows.items()], dtype=np.int64)
        document, start, end, label = table.reshape(-1, 4).T
        return Gold.build(
            self.votes.task,
            self.votes.n_tokens,
            document=document,
            start=start,
            end=end,
            label=label,
            complete=[],
        )

    def score(self, labels: SpanLabels, decided: Gold) -> float:
        """Entity F1 on the documents in which nothing was decided."""
        rest = np.setdiff1d(np.arange(len(self.shard)), decided.document)
        new = np.full(len(self.shard), -1, dtype=np.int64)
        new[rest] = np.arange(len(rest))
        kept = replace(labels, reasons=None).rows(np.flatnonzero(new[labels.document] >= 0))
        there = replace(kept, document=new[kept.document], n_tokens=kept.n_tokens[rest])
        return score_spans(there, self.gold.select_documents(rest))[""].f1
