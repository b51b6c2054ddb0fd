"""Gazetteers against a naive longest match, against skweak, and on names hard to tokenize."""

from __future__ import annotations

import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.errors import SourceError
from weaklabel.sources.gazetteer.trie import Trie

ATOM = re.compile(r"[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9]")


def naive(tokens: list[str], names: dict[str, list[str]], fold: bool) -> list[tuple]:
    """Leftmost longest: a span of whole tokens is a name if both have the same atoms."""

    def atoms(text: str) -> tuple[str, ...]:
        return tuple(ATOM.findall(text.lower() if fold else text))

    known: dict[tuple, set[str]] = {}
    for label, values in names.items():
        for value in values:
            known.setdefault(atoms(value), set()).add(label)
    known.pop((), None)
    found, i = [], 0
    while i < len(tokens):
        for j in range(len(tokens), i, -1):
            words = atoms(" ".join(tokens[i:j]))
            labels = set(known.get(words, set()))
            if not labels and len(atoms(tokens[j - 1])) > 1 and words[-1] == ".":
                labels = set(known.get(words[:-1], set()))
            if labels:
                found += [(i, j, label) for label in sorted(labels)]
                i = j - 1
                break
        i += 1
    return found


def matches(source, shard, document=0) -> list[tuple]:
    cast = source(shard)
    rows = zip(cast.document, cast.start, cast.end, cast.label, strict=True)
    return sorted((a, b, cast.labels[k]) for d, a, b, k in rows if d == document)


words = st.sampled_from(["a", "B", "b", "Inc", "Inc.", "3", "-", "x-y", "A3", ".", "U.S.", "US"])
phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(words, max_size=25),
    st.lists(phrases, max_size=6),
    st.lists(phrases, max_size=6),
    st.booleans(),
)
def test_matches_are_the_leftmost_longest_ones(tmp_path_factory, tokens, first, second, fold):
    cache = tmp_path_factory.getbasetemp() / "tries"
    names = {"A": first, "B": second}
    case = "insensitive" if fold else "exact"
    source = wl.Gazetteer("g", names=names, case=case, cache=cache)
    shard = wl.Shard.from_documents([wl.Document.from_tokens("0", [tokens])])
    assert matches(source, shard) == sorted(naive(tokens, names, fold))


def one(text: str, **settings) -> list[str]:
    source = wl.Gazetteer("g", label="X", **settings)
    shard = wl.Corpus.from_texts([text]).one_shard()
    words = shard.tokens(0)
    return [" ".join(words[a:b]) for a, b, _ in matches(source, shard)]


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        ("He left Apple Inc. (and Yahoo!).", ["Apple Inc.", "Yahoo!"], ["Apple Inc.", "Yahoo !"]),
        ("He left Apple Inc. for good", ["Apple Inc"], ["Apple Inc."]),
        ("a 10km run by AC/DC", ["10km", "AC/DC"], ["10 km", "AC / DC"]),
        (
            "O\u2019Neil and (Coca-Cola)",
            ["O\u2019Neil", "Coca-Cola"],
            ["O\u2019Neil", "Coca - Cola"],
        ),
        ("I watched Don't Look Now.", ["Don't Look Now"], ["Do n't Look Now"]),
        ("newyork, New\nYork", ["New  York"], ["New York"]),
        (
            "Zu\u0308rich Straße 東京",
            ["Zu\u0308rich", "Straße", "東京"],
            ["Zu\u0308rich", "Straße", "東京"],
        ),
        ("nothing", ["", "  "], []),
    ],
)
def test_names_match_whatever_the_tokenizer_does(tmp_path, text, names, found) -> None:
    assert one(text, names=names, cache=tmp_path) == found


def test_case_rules(tmp_path) -> None:
    text = "oslo Oslo OSLO oSLO"
    assert one(text, names=["Oslo"], cache=tmp_path) == ["Oslo"]
    assert one(text, names=["oslo"], case="variants", cache=tmp_path) == ["oslo", "Oslo", "OSLO"]
    assert one(text, names=["Oslo"], case="insensitive", cache=tmp_path) == text.split()
    assert one("STRASSE", names=["Straße"], case="insensitive", cache=tmp_path) == ["STRASSE"]


def test_no_match_across_a_sentence(tmp_path) -> None:
    shard = wl.Shard.from_documents([wl.Document.from_tokens("0", [["New"], ["York"]])])
    assert matches(wl.Gazetteer("g", names={"X": ["New York"]}, cache=tmp_path), shard) == []


def test_lists_from_files(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("Zürich\n\nOslo\n".encode("latin-1"))
    (tmp_path / "b.csv").write_text('name,n\n"Bergen, Norway",1\n', encoding="utf-8")
    with gzip.open(tmp_path / "c.json.gz", "wt") as file:
        json.dump({"COMPANY": ["Acme", ["Big", "Corp"]], "X": ["Acme"]}, file)
    source = wl.Gazetteer(
        "g",
        files={"LOC": [tmp_path / "a.txt", tmp_path / "b.csv"], "": tmp_path / "c.json.gz"},
        column="name",
        relabel={"COMPANY": "ORG"},
        exclude=["oslo"],
        cache=tmp_path / "cache",
    )
    assert set(source.labels) == {"LOC", "ORG", "X"}
    shard = wl.Corpus.from_texts(["Acme of Zürich, Oslo and Bergen, Norway; Big Corp"]).one_shard()
    found = [(" ".join(shard.tokens(0)[a:b]), label) for a, b, label in matches(source, shard)]
    assert found == [
        ("Acme", "ORG"),
        ("Acme", "X"),
        ("Zürich", "LOC"),
        ("Bergen , Norway", "LOC"),
        ("Big Corp", "ORG"),
    ]


def test_the_cache_is_by_content_and_survives_damage(tmp_path) -> None:
    names, cache = tmp_path / "n.txt", tmp_path / "cache"
    names.write_text("Oslo\n")

    def make() -> wl.Gazetteer:
        return wl.Gazetteer("g", files=names, label="LOC", cache=cache)

    assert len(make()) == 1
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert len(make()) == 1
    names.write_text("Oslo\nBergen\n")
    assert len(make()) == 2
    assert len(list(cache.iterdir())) == 2
    with pytest.raises(SourceError, match="no compiled gazetteer"):
        Trie.map(names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["x"]}, "gives no label; set 'label'"),
        ({"files": "no/such.txt", "label": "X"}, "cannot read no/such.txt: No such file"),
        ({"names": ["x"], "label": "X", "case": "exakt"}, "did you mean 'exact'"),
    ],
)
def test_mistakes_are_one_line(tmp_path, settings, message) -> None:
    with pytest.raises(SourceError, match=message):
        _ = wl.Gazetteer("g", cache=tmp_path, **settings).labels


def test_a_list_that_is_broken_names_its_file(tmp_path) -> None:
    whole = gzip.compress(b'{"X": ["a"]}' * 100)
    (tmp_path / "cut.json.gz").write_bytes(whole[:-20])
    (tmp_path / "bad.json").write_text("[1, 2]")
    for name, message in {"cut.json.gz": "cannot read list", "bad.json": "1 is not a name"}.items():
        with pytest.raises(SourceError, match=f"{name}: {message}"):
            _ = wl.Gazetteer("g", files=tmp_path / name, label="X", cache=tmp_path / "c").labels


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    assert one("in Oslo", names=["Oslo"], cache=tmp_path / "file" / "below") == ["Oslo"]


def test_real_names_on_real_text_agree_with_skweak(shared_data, tmp_path) -> None:
    gazetteers = pytest.importorskip("skweak.gazetteers")
    path = shared_data / "gazetteers" / "skweak" / "geonames.json"
    names = {
        label: [name for name in values if re.fullmatch(r"[A-Za-z]+( [A-Za-z]+)*", name)]
        for label, values in json.loads(path.read_text(encoding="utf-8")).items()
    }
    text = (shared_data / "conll2003" / "test.txt").read_text(encoding="utf-8")
    sentences = [[row.split(" ")[0] for row in s.splitlines()] for s in text.split("\n\n") if s]
    shard = wl.Shard.from_documents(
        [wl.Document.from_tokens(str(i), [s]) for i, s in enumerate(sentences[:1500])]
    )
    ours = wl.Gazetteer("g", names=names, cache=tmp_path)(shard)
    tries = {label: gazetteers.Trie([n.split() for n in values]) for label, values in names.items()}
    theirs = gazetteers.GazetteerAnnotator("g", tries, additional_checks=False)
    expected = {
        (d, start, end, label)
        for d in range(len(shard))
        for start, end, label in theirs.find_spans(shard.doc(d))
    }
    found = set(
        zip(ours.document, ours.start, ours.end, [ours.labels[k] for k in ours.label], strict=True)
    )
    dotted = {(d, a, b, k) for d, a, b, k in found if shard.tokens(d)[b - 1][-1:] == "."}
    assert len(expected) > 400
    assert found - dotted == expected
    assert np.all(ours.end > ours.start)
