"""The newswire pack as a whole: made-up text, raw text, lists that are missing or broken."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import weaklabel as wl
from lf_library.newswire import newswire
from lf_library.newswire.again import Again
from lf_library.newswire.lexicon import has, hash_strings, lexicon, word_hash
from lf_library.newswire.page import page
from weaklabel.corpus import Document, Shard
from weaklabel.errors import SourceError
from weaklabel.labels import SpanLabels
from weaklabel.sources.base import AnySource, registry

TASK = wl.Task("spans", ("PER", "LOC", "ORG", "MISC"))

RAW = """OSLO, Aug 22 (Reuters) - President Ola Dahl of Norway told Bergtec Inc on Monday that the
German-born spokesman Nils Holm would visit the World Bank in Washington. "We will see," Holm
said. Jean-Paul Lund, 35, of the University of Bergen, agreed with the U.S.-led plan.
"""


def rules(gazetteers: str | None = None) -> list[AnySource]:
    return [s for s in newswire(gazetteers) if not isinstance(s, Again)]


def voted(shard: Shard, sources: list[AnySource]) -> set[tuple[str, str]]:
    """(words, label) of every vote in a shard of one document."""
    votes = wl.apply_sources(shard, sources, TASK).votes
    words = shard.tokens(0)
    rows = zip(votes.start.tolist(), votes.end.tolist(), votes.label.tolist(), strict=True)
    return {(" ".join(words[a:b]), TASK.labels[k]) for a, b, k in rows}


def test_raw_text_needs_neither_tokens_nor_sentences() -> None:
    found = voted(wl.Corpus.from_texts([RAW]).one_shard(), rules())
    assert {
        ("OSLO", "LOC"), ("Ola Dahl", "PER"), ("Norway", "LOC"), ("Bergtec Inc", "ORG"),
        ("Nils Holm", "PER"), ("World Bank", "ORG"), ("Washington", "LOC"), ("Holm", "PER"),
        ("Jean - Paul Lund", "PER"), ("University of Bergen", "ORG"),
    } <= found  # fmt: skip
    assert not {words for words, _ in found} & {"We", "Monday", "President", "Aug", "The"}


def test_sources_are_spotters_with_names_that_differ() -> None:
    sources = newswire()
    assert {source.kind for source in sources} == {"spotter"}
    assert len({source.name for source in sources}) == len(sources)
    again = newswire(name="wire")
    assert all(source.name.startswith("wire_") for source in again)
    assert registry.make("newswire")[0].name == sources[0].name  # type: ignore[index]


def test_votes_do_not_depend_on_how_the_corpus_is_cut() -> None:
    texts = [
        RAW,
        "",
        "  \n\n ",
        "Ola Dahl beat PARIS 3-1 .\nLILLEVIK 1996-08-22\n",
        "\u05e9 \U0001f600 Zo\u00eb",
    ]
    documents = [Document(str(i), text) for i, text in enumerate(texts)]
    whole = wl.apply_sources(Shard.from_documents(documents), rules(), TASK).votes
    parts = [
        wl.apply_sources(Shard.from_documents([one]), rules(), TASK).votes for one in documents
    ]
    joined = wl.Votes.concatenate(parts)
    for name in ("document", "start", "end", "source", "label"):
        assert (getattr(whole, name) == getattr(joined, name)).all()


def test_no_documents_at_all() -> None:
    assert len(wl.apply_sources(Shard.from_documents([]), rules(), TASK).votes) == 0


def test_sources_go_to_another_process() -> None:
    shard = wl.Corpus.from_texts([RAW]).one_shard()
    copies = pickle.loads(pickle.dumps(rules()))
    assert voted(shard, copies) == voted(shard, rules())


def test_words_are_the_same_however_they_are_cut_or_written() -> None:
    ours, _ = hash_strings(["New-York Times", "NEW-YORK TIMES", "U.S.", "U.S", "us"])
    assert ours[0] == ours[1]
    assert ours[2] == ours[3] != ours[4]
    shard = Shard.from_documents([Document.from_tokens("0", [["New", "-", "York", "Times"]])])
    tokens = page(shard, None).tokens
    assert tokens.phrase_hashes(np.asarray([0]), 4)[0] == ours[0]


def test_a_folder_that_holds_only_some_lists_adds_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "surnames").mkdir()
    (tmp_path / "names" / "surnames" / "all.txt").write_bytes(
        "\u00d8ster\u00e5s\n".encode("latin-1")
    )
    known = lexicon(str(tmp_path))
    flags = known.look_up(np.asarray([word_hash("\u00d8ster\u00e5s"), word_hash("norway")]))
    assert has(flags, "last").tolist() == [True, False]
    assert has(flags, "country").tolist() == [False, True]


def test_a_broken_or_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gazetteers: .*nowhere' is no folder"):
        newswire(tmp_path / "nowhere")
    (tmp_path / "skweak").mkdir()
    (tmp_path / "skweak" / "geonames.json").write_text("{")
    shard = wl.Corpus.from_texts([RAW]).one_shard()
    with pytest.raises(SourceError, match="geonames.json is no JSON file"):
        rules(str(tmp_path))[0](shard)  # type: ignore[operator]


def labels_of(shard: Shard, spans: list[tuple[int, int, str]]) -> SpanLabels:
    columns = np.asarray([(a, b, TASK.labels.index(k)) for a, b, k in spans])
    probability = np.eye(4)[columns[:, 2]] * 0.9
    return SpanLabels(
        TASK, shard.n_tokens, np.zeros(len(spans), np.int64), columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32), probability, columns[:, 2].astype(np.int16),
        np.zeros(len(spans), np.int8),
    )  # fmt: skip


def test_later_mentions_follow_the_labels_of_the_first() -> None:
    lines = [
        "DALVIK QUITS BERGTEC OVER LILLEVIK DEAL",
        "So Anna Dalvik left Bergtec Systems Inc in Lillevik .",
        "But Dalvik and Bergtec Systems were in Lillevik .",
        "Then Holm left .",
    ]
    shard = Shard.from_documents([Document.from_tokens("0", [line.split() for line in lines])])
    words = shard.tokens(0)

    def span(text: str, label: str) -> tuple[int, int, str]:
        size = len(text.split())
        found = [i for i in range(len(words)) if words[i : i + size] == text.split()]
        return found[0], found[0] + size, label

    first = [
        span("Anna Dalvik", "PER"),
        span("Bergtec Systems Inc", "ORG"),
        span("Lillevik", "LOC"),
    ]
    labels = labels_of(shard, sorted(first))
    said = {}
    for source in newswire():
        if isinstance(source, Again):
            cast = source.read_labels(shard, labels)
            rows = zip(cast.start.tolist(), cast.end.tolist(), cast.label.tolist(), strict=True)
            said[source.how] = {(" ".join(words[a:b]), source.labels[k], a) for a, b, k in rows}
    assert {(w, k) for w, k, _ in said["surname"]} == {("Dalvik", "PER")}
    assert {(w, k) for w, k, _ in said["short"]} == {("Bergtec Systems", "ORG")}
    assert {(w, k) for w, k, _ in said["shouted"]} == {
        ("DALVIK", "PER"), ("BERGTEC", "ORG"), ("LILLEVIK", "LOC"),
    }  # fmt: skip
    later = [start for words_, _, start in said["same"] if words_ == "Lillevik"]
    assert later == [i for i, word in enumerate(words) if word == "Lillevik"][1:]
