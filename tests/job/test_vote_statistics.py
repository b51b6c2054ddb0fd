"""Counts over votes against a plain slow version, and scores against seqeval."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

import weaklabel as wl
from weaklabel import vote_statistics
from weaklabel.labels import SpanLabels
from weaklabel.vote_statistics import VoteStatistics

SPANS = wl.Task("spans", ("A", "B", "C"), groups={"AB": ("A", "B")})
CLASSES = wl.Task("classes", ("A", "B", "C"))
MULTI = wl.Task("classes", ("A", "B"), multi=True)
N_TOKENS = [6, 0, 9]


@st.composite
def cases(draw: st.DrawFn) -> tuple[wl.Votes, wl.Gold]:
    task = draw(st.sampled_from([SPANS, CLASSES, MULTI]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def rows(n: int, labels: int) -> dict[str, np.ndarray]:
        document = rng.choice([0, 2] if task.kind == "spans" else [0, 1, 2], n)
        columns = {"document": document, "label": rng.integers(0, labels, n)}
        if task.kind == "classes":
            return columns
        start = rng.integers(0, np.asarray(N_TOKENS)[document])
        return columns | {
            "start": start,
            "end": rng.integers(start, np.asarray(N_TOKENS)[document]) + 1,
        }

    n = draw(st.integers(0, 30))
    votes = wl.Votes.build(
        task,
        ["x", "y", "z"],
        N_TOKENS,
        source=rng.integers(0, 3, n),
        looked=[None, None, None],
        **rows(n, len(task.vote_labels)),
    )
    complete = draw(st.sets(st.integers(0, 2)))
    gold = wl.Gold.build(
        task, N_TOKENS, complete=list(complete), **rows(draw(st.integers(0, 12)), 3 - task.multi)
    )
    return votes, gold


def slow(votes: wl.Votes, gold: wl.Gold) -> dict[str, np.ndarray]:
    task = votes.task
    shape = (votes.n_sources, len(task.vote_labels))
    table = {name: np.zeros(shape, dtype=int) for name in vars(VoteStatistics.of(votes, gold))}
    table["looked"] = np.full(votes.n_sources, votes.n_documents)
    rows = list(zip(votes.document, votes.start, votes.end, votes.source, votes.label, strict=True))
    truths = set(zip(gold.document, gold.start, gold.end, gold.label, strict=True))
    truths = {truth for truth in truths if truth[0] in gold.complete}

    def can_both(a: int, b: int) -> bool:
        if task.multi:
            one, other = task.vote_labels[a], task.vote_labels[b]
            return one != "!" + other and other != "!" + one
        return bool((task.compatible[a] & task.compatible[b]).any())

    for d, start, end, source, label in rows:
        meets = [
            r
            for r in rows
            if r[0] == d
            and r[3] != source
            and (task.kind == "classes" or r[1] < end and start < r[2])
        ]
        table["votes"][source, label] += 1
        table["overlaps"][source, label] += bool(meets)
        table["conflicts"][source, label] += any(
            (r[1], r[2]) != (start, end) or not can_both(label, r[4]) for r in meets
        )
        table["scored"][source, label] += d in gold.complete
        table["right"][source, label] += any(
            truth[:3] == (d, start, end) and task.compatible[label, truth[3]] for truth in truths
        )
    table["reached"] = np.array(
        [len({r[0] for r in rows if r[3] == source}) for source in range(votes.n_sources)]
    )
    for source, label in itertools.product(*map(range, shape)):
        table["covered"][source, label] = len({r[0] for r in rows if r[3:] == (source, label)})
        table["actual"][source, label] = sum(
            task.compatible[label, k] and d in gold.complete
            for d, k in zip(gold.document, gold.label, strict=True)
        )
    return table


@settings(deadline=None)
@given(cases(), st.sampled_from([1, 7, 1000]))
def test_counts_are_those_of_the_slow_version(case: tuple[wl.Votes, wl.Gold], pairs: int) -> None:
    votes, gold = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vote_statistics, "PAIRS", pairs)
        fast = VoteStatistics.of(votes, gold)
    for name, expected in slow(votes, gold).items():
        assert getattr(fast, name).tolist() == expected.tolist(), name


@st.composite
def segmentations(draw: st.DrawFn) -> list[list[tuple[int, int, int]]]:
    rows = []
    for n in (7, 4):
        cuts = sorted(draw(st.sets(st.integers(0, n), max_size=6)))
        spans = [
            (a, b, draw(st.integers(0, 2)))
            for a, b in itertools.pairwise(cuts)
            if draw(st.booleans())
        ]
        rows.append(spans)
    return rows


def tags(spans: list[tuple[int, int, int]], n: int) -> list[str]:
    found = ["O"] * n
    for a, b, k in spans:
        found[a:b] = [f"B-{'ABC'[k]}"] + [f"I-{'ABC'[k]}"] * (b - a - 1)
    return found


@settings(deadline=None, max_examples=60)
@given(segmentations(), segmentations())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_span_scores_are_those_of_seqeval(predicted, actual) -> None:
    rows = [(d, *span) for d in range(2) for span in predicted[d]]
    truth = [(d, *span) for d in range(2) for span in actual[d]]
    document, start, end, label = np.asarray(rows, dtype=int).reshape(-1, 4).T
    labels = SpanLabels(
        wl.Task("spans", ("A", "B", "C")),
        np.array([7, 4], dtype=np.int32),
        document,
        start.astype(np.int32),
        end.astype(np.int32),
        np.eye(3)[label],
        label.astype(np.int16),
        np.zeros(len(rows), dtype=np.int8),
    )
    document, start, end, label = np.asarray(truth, dtype=int).reshape(-1, 4).T
    gold = wl.Gold.build(labels.task, [7, 4], document=document, start=start, end=end, label=label)
    ours = wl.score_spans(labels, gold)
    if not truth and not rows:
        return  # seqeval has no report for nothing
    theirs = classification_report(
        [tags(actual[d], n) for d, n in enumerate((7, 4))],
        [tags(predicted[d], n) for d, n in enumerate((7, 4))],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    for name, row in theirs.items():
        if name in ("A", "B", "C", "micro avg"):
            score = ours["" if name == "micro avg" else name]
            got = (score.precision, score.recall, score.f1)
            assert got == pytest.approx((row["precision"], row["recall"], row["f1-score"]))
