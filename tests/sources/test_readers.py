"""Sources that read votes or labels: editors, filters, later mentions, majorities."""

from __future__ import annotations

import numpy as np

import weaklabel as wl
from weaklabel.sources.doc_history import DocHistory
from weaklabel.sources.doc_majority import DocMajority
from weaklabel.sources.editor import Filter

TASK = wl.Task("spans", ("PER", "ORG"), groups={"ENT": ("PER", "ORG")})


def shard_of(*texts: str, **fields) -> wl.Shard:
    return wl.Shard.from_documents(
        [
            wl.Document(str(i), text, fields={key: values[i] for key, values in fields.items()})
            for i, text in enumerate(texts)
        ]
    )


def found(shard: wl.Shard, cast: wl.Cast) -> list[tuple[int, str, str]]:
    return [
        (int(d), " ".join(shard.tokens(d)[a:b]), cast.labels[k])
        for d, a, b, k in zip(cast.document, cast.start, cast.end, cast.label, strict=True)
    ]


def labels_of(shard: wl.Shard, spans: list[tuple[int, int, int, str, float]]) -> wl.SpanLabels:
    document, start, end, label, probability = zip(*spans, strict=True)
    chosen = np.asarray([TASK.labels.index(k) for k in label])
    table = np.zeros((len(spans), 2))
    table[np.arange(len(spans)), chosen] = probability
    return wl.SpanLabels(
        TASK,
        shard.n_tokens,
        np.asarray(document),
        np.asarray(start),
        np.asarray(end),
        table,
        chosen.astype(np.int16),
        np.zeros(len(spans), dtype=np.int8),
    )


def test_a_filter_keeps_what_meets_every_condition() -> None:
    shard = shard_of("Mr. Anna Berg met Acme in Oslo", "Berg Corp said")
    caps = wl.LexemeRule("caps", "ENT", form="title", length=[4, None])
    sources = [
        caps,
        Filter("two", "caps", ["ENT"], tokens=[2, None]),
        Filter("near", "caps", relabel={"ENT": "PER"}, near=["mr."], window=1),
        Filter("word", "caps", ["ENT"], words=["Acme", "Anna"], pattern=r"A\w+"),
        Filter("not", "caps", ["ENT"], without=["Acme", "Oslo"], characters=[None, 4]),
    ]
    applied = wl.apply_sources(shard, sources, TASK)
    votes = applied.votes
    said = {name: [] for name in votes.names}
    for i in range(len(votes)):
        words = shard.tokens(votes.document[i])[votes.start[i] : votes.end[i]]
        said[votes.names[votes.source[i]]].append(" ".join(words))
    assert said == {
        "caps": ["Anna Berg", "Acme", "Oslo", "Berg Corp"],
        "two": ["Anna Berg", "Berg Corp"],
        "near": ["Anna Berg"],
        "word": ["Acme"],
        "not": [],
    }


def test_an_editor_reads_and_yields_spans() -> None:
    @wl.span_editor(["PER"], reads="caps")
    def last_word(doc, spans):
        for start, end, label in spans:
            assert label == "ENT"
            if doc[start].text != "Oslo":
                yield end - 1, end, "PER"

    shard = shard_of("Anna Berg in Oslo", "nothing")
    caps = wl.LexemeRule("caps", "ENT", form="title")
    votes = wl.apply_sources(shard, [last_word, caps], TASK).votes.select_sources(["last_word"])
    assert votes.start.tolist() == [1]


def test_a_later_mention_gets_the_label_of_the_full_name() -> None:
    shard = shard_of(
        "Berg left . Anna Berg of Acme Corp said Berg and Acme . Anna Berg again",
        "Berg is no one here",
    )
    labels = labels_of(shard, [(0, 3, 5, "PER", 0.75), (0, 6, 8, "ORG", 0.5)])
    cast = DocHistory("h", ["PER", "ORG"]).read_labels(shard, labels)
    assert found(shard, cast) == [
        (0, "Berg", "PER"),
        (0, "Acme", "ORG"),
        (0, "Anna Berg", "PER"),
    ]
    assert cast.start.tolist() == [9, 11, 13]
    assert cast.confidence.tolist() == [0.75, 0.5, 0.75]
    only = DocHistory("h", ["ORG"]).read_labels(shard, labels)
    assert found(shard, only) == [(0, "Acme", "ORG")]


def test_documents_of_one_group_are_read_as_one() -> None:
    shard = shard_of("Anna Berg came", "Berg left", "Berg stayed", article=[1, 1, 2])
    labels = labels_of(shard, [(0, 0, 2, "PER", 1.0)])
    cast = DocHistory("h", ["PER"], by="article").read_labels(shard, labels)
    assert found(shard, cast) == [(1, "Berg", "PER")]


def test_the_majority_label_goes_to_every_occurrence() -> None:
    shard = shard_of("Berg , Berg , BERG and Oslo", "Berg")
    labels = labels_of(
        shard,
        [
            (0, 0, 1, "PER", 0.9),
            (0, 2, 3, "ORG", 0.5),
            (0, 4, 5, "PER", 0.6),
            (0, 6, 7, "ORG", 0.9),
            (1, 0, 1, "ORG", 0.9),
        ],
    )
    cast = DocMajority("m", ["PER", "ORG"]).read_labels(shard, labels)
    assert found(shard, cast) == [(0, "Berg", "PER"), (0, "Berg", "PER")]
    assert cast.confidence.tolist() == np.float32([0.75, 0.75]).tolist()
    everywhere = DocMajority("m", ["PER", "ORG"], scope="shard").read_labels(shard, labels)
    assert found(shard, everywhere)[-1] == (1, "Berg", "PER")


def test_relations_need_no_labels_to_be_silent() -> None:
    shard = shard_of("a b")
    empty = wl.SpanLabels(
        TASK,
        shard.n_tokens,
        *(np.zeros(0, dtype=np.int64) for _ in range(3)),
        np.zeros((0, 2)),
        np.zeros(0, dtype=np.int16),
        np.zeros(0, dtype=np.int8),
    )
    assert len(DocHistory("h", ["PER"]).read_labels(shard, empty).document) == 0
    assert len(DocMajority("m", ["PER"]).read_labels(shard, empty).document) == 0
