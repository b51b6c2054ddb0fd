"""A small reviewed run: planted documents, two sources that err, labels by their votes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.models.base import SourceQuality

SPANS = wl.Task("spans", ("PER", "LOC", "ORG"), name="entities")
TOPICS = wl.Task("classes", ("sport", "trade"), name="topic")
SENTENCES = (
    "Anna Berg lives in Oslo now .",
    "👩‍👩‍👧 Acme Corp moved to Paris with Zoë Åström .",
    "<script>alert(1)</script> Bob & Co met Anna Berg at javascript:alert(1) in Rome .",
    "Oslo beat Paris 3 - 1 , said coach Carl Lund .",
)


@dataclass
class Quality:
    source_quality_: list[SourceQuality] = field(default_factory=list)


@dataclass
class TinyRun:
    """What the queue reads of a run, in memory."""

    folder: Path
    tasks: dict[str, wl.Task]
    shards: list[wl.Shard]
    cast: dict[str, list[wl.Votes]]
    believed: dict[str, list[Any]]

    def votes(self, task: str) -> list[wl.Votes]:
        return self.cast[task]

    def labels(self, task: str) -> list[Any]:
        return self.believed[task]

    def model(self, task: str) -> Quality:
        labels = self.tasks[task].labels
        return Quality([SourceQuality("lexicon", k, 0.9, 0.5) for k in labels])


def span_labels(votes: wl.Votes) -> wl.SpanLabels:
    """Every voted extent with its share of votes; the longest of overlapping ones is chosen."""
    keys = np.stack([votes.document, votes.start, votes.end], axis=1)
    places, row = np.unique(keys, axis=0, return_inverse=True)
    probability = np.zeros((len(places), len(votes.task.labels)))
    np.add.at(probability, (row.ravel(), votes.label), 0.45)
    chosen = np.full(len(places), -1, dtype=np.int16)
    taken: set[tuple[int, int]] = set()
    for i in np.argsort(places[:, 1] - places[:, 2], kind="stable"):
        d, s, e = places[i].tolist()
        if not taken & {(d, t) for t in range(s, e)}:
            taken |= {(d, t) for t in range(s, e)}
            chosen[i] = probability[i].argmax()
    columns = (places[:, 0], places[:, 1].astype(np.int32), places[:, 2].astype(np.int32))
    layer = np.zeros(len(places), dtype=np.int8)
    return wl.SpanLabels(votes.task, votes.n_tokens, *columns, probability, chosen, layer)


def find(shard: wl.Shard, words: dict[str, int], source: int) -> list[tuple[int, ...]]:
    """Votes (document, start, end, source, label) of a lexicon of word sequences."""
    found = []
    for d in range(len(shard)):
        tokens = shard.tokens(d)
        for phrase, label in words.items():
            parts = phrase.split()
            for s in range(len(tokens) - len(parts) + 1):
                if tokens[s : s + len(parts)] == parts:
                    found.append((d, s, s + len(parts), source, label))
    return found


def make_run(folder: Path, repeats: int = 6) -> TinyRun:
    """Documents with planted entities, and a class task on them; two shards."""
    shards = []
    for part in range(2):
        documents = [
            wl.Document.from_tokens(f"doc-{part}-{i}", [SENTENCES[i % 4].split(" ")])
            for i in range(2 * repeats)
        ]
        shards.append(wl.Shard.from_documents(documents))
    lexicon = {"Anna Berg": 0, "Oslo": 1, "Paris": 1, "Acme Corp": 2, "Rome": 1, "Carl Lund": 0}
    caps = {"Anna": 0, "Berg": 0, "Zoë Åström": 0, "Acme": 2, "Oslo": 2, "Bob & Co": 2}
    cast: dict[str, list[Any]] = {"entities": [], "topic": []}
    believed: dict[str, list[Any]] = {"entities": [], "topic": []}
    for shard in shards:
        rows = np.asarray(find(shard, lexicon, 0) + find(shard, caps, 1)).T
        votes = wl.Votes.build(
            SPANS,
            ["lexicon", "caps"],
            shard.n_tokens,
            **dict(zip(("document", "start", "end", "source", "label"), rows, strict=True)),
        )
        cast["entities"].append(votes)
        believed["entities"].append(span_labels(votes))
        truth = np.asarray([int("Corp" in shard.tokens(d)) for d in range(len(shard))])
        cast["topic"].append(wl.Votes.from_class_matrix(TOPICS, truth[:, None], ["lexicon"]))
        probability = np.where(np.eye(2, dtype=bool)[truth], 0.8, 0.2)
        believed["topic"].append(wl.ClassLabels(TOPICS, probability, np.ones(len(truth), bool)))
    tasks = {"entities": SPANS, "topic": TOPICS}
    folder.mkdir(parents=True, exist_ok=True)
    return TinyRun(folder, tasks, shards, cast, believed)


@pytest.fixture
def equal_runs(tmp_path: Path) -> tuple[TinyRun, TinyRun]:
    return make_run(tmp_path / "a"), make_run(tmp_path / "b")


@pytest.fixture
def tiny_run(tmp_path: Path) -> TinyRun:
    return make_run(tmp_path / "run")
