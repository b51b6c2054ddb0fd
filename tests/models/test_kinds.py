"""What silence says is found from text and votes."""

from __future__ import annotations

import numpy as np

from weaklabel.corpus import Document, Shard
from weaklabel.models.kinds import BunchCounter, KindCounter, seen_where_voted
from weaklabel.models.spans import SpanModel
from weaklabel.task import Task
from weaklabel.votes import Votes

TASK = Task("spans", ("PER", "LOC"))


def corpus(seed: int = 0, documents: int = 300) -> tuple[Shard, Votes]:
    """A gazetteer that always says the same of a word, and a tagger that now and then does not."""
    random = np.random.default_rng(seed)
    names = [f"Name{i}" for i in range(40)]
    texts, rows = [], []
    for d in range(documents):
        words = ["the"] * 6
        at = int(random.integers(6))
        i = int(random.integers(40))
        words[at] = names[i]
        texts.append(words)
        if i % 2:
            rows.append((d, at, at + 1, 0, i % 3 == 0))
        if random.random() < 0.8:
            rows.append((d, at, at + 1, 1, random.random() < 0.2))
    columns = np.asarray(rows, dtype=np.int64).T
    shard = Shard.from_documents(
        Document.from_tokens(str(d), [words]) for d, words in enumerate(texts)
    )
    votes = Votes.build(
        TASK,
        ["gazetteer", "tagger"],
        [6] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
    )
    return shard, votes


def test_a_gazetteer_never_contradicts_itself() -> None:
    shard, votes = corpus()
    counter = KindCounter(2, 2)
    counter.add(votes, votes.source, shard)
    assert counter.exhaustive().tolist() == [False, True]


def test_with_one_label_a_tagger_leaves_words_out() -> None:
    shard, votes = corpus()
    one = Votes.build(
        Task("spans", ("NAME",)),
        votes.voters,
        votes.n_tokens,
        document=votes.document,
        start=votes.start,
        end=votes.end,
        source=votes.source,
        label=np.zeros(len(votes)),
    )
    random = np.random.default_rng(0)
    half = one.rows((one.source == 0) | (random.random(len(one)) < 0.4))
    counter = KindCounter(2, 1)
    counter.add(half, half.source, shard)
    assert counter.exhaustive().tolist() == [False, True]


def test_shards_give_the_same_kinds() -> None:
    shard, votes = corpus()
    items = [Document.from_tokens(shard.ids[d], [shard.tokens(d)]) for d in range(len(shard))]
    counter = KindCounter(2, 2)
    for chosen in (np.arange(100, 300), np.arange(100)):
        part = votes.select_documents(chosen)
        other = KindCounter(2, 2)
        other.add(part, part.source, Shard.from_documents(items[d] for d in chosen))
        counter.plus(other)
    whole = KindCounter(2, 2)
    whole.add(votes, votes.source, shard)
    for one, other in zip(counter.votes.rows(), whole.votes.rows(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert counter.exhaustive().tolist() == whole.exhaustive().tolist()


def test_what_is_declared_is_believed() -> None:
    shard, votes = corpus()
    voters = [type(v)(v.name, kind="exhaustive") for v in votes.voters]
    told = Votes.build(
        TASK,
        voters,
        votes.n_tokens,
        document=votes.document,
        start=votes.start,
        end=votes.end,
        source=votes.source,
        label=votes.label,
    )
    assert SpanModel().fit(told, texts=shard).exhaustive_.tolist() == [True, True]
    assert SpanModel().fit(votes, texts=shard).exhaustive_.tolist() == [False, True]


def test_a_worker_who_saw_few_documents_votes_in_bunches() -> None:
    """Source 0 marks half of all clusters; source 1 all of those in a tenth of the documents."""
    random = np.random.default_rng(0)
    document = np.repeat(np.arange(200), 5)
    everywhere = np.flatnonzero(random.random(1000) < 0.5)
    bunch = np.flatnonzero(document < 20)
    counter = BunchCounter(2)
    counter.add(document, np.concatenate([everywhere * 2, bunch * 2 + 1]), 200)
    assert counter.bunched().tolist() == [False, True]


def test_who_votes_in_bunches_has_seen_where_it_voted() -> None:
    _, votes = corpus()
    seen = seen_where_voted(votes, {"gazetteer"})
    assert seen.looked[1] is None
    assert seen.looked[0] is not None
    assert set(seen.looked[0].tolist()) == set(votes.document[votes.source == 0].tolist())
