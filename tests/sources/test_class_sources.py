"""Keywords, lexicons, patterns and fields that speak for a class."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.errors import SourceError
from weaklabel.sources.base import registry
from weaklabel.sources.class_regex import ClassRegex, Field
from weaklabel.sources.words import Keywords, Lexicon

words = st.lists(st.sampled_from(["buy", "BUY", "now", "hello", "dear", "friend", "x"]), max_size=8)


def said(source, *texts: str, **fields) -> list[dict[str, float]]:
    shard = wl.Shard.from_documents(
        [
            wl.Document(str(i), text, fields={k: values[i] for k, values in fields.items()})
            for i, text in enumerate(texts)
        ]
    )
    task = wl.Task("classes", ("spam", "ham"), multi=True)
    votes = wl.apply_sources(shard, [source], task).votes
    rows: list[dict[str, float]] = [{} for _ in texts]
    for d, label, sure in zip(votes.document, votes.label, votes.confidence, strict=True):
        rows[d][task.labels[label]] = float(sure)
    return rows


@settings(max_examples=100, deadline=None)
@given(st.lists(words, min_size=1, max_size=4), st.integers(1, 2), st.booleans(), st.booleans())
def test_keywords_are_counted_as_in_a_loop(documents, least, several, cased) -> None:
    lists = {"spam": ["buy", "buy now"], "ham": ["hello", "dear friend"]}
    source = Keywords("k", lists, least=least, several=several, cased=cased)
    expected = []
    for tokens in documents:
        plain = tokens if cased else [token.lower() for token in tokens]
        hits, i = {"spam": 0, "ham": 0}, 0
        while i < len(plain):
            for label, phrase in (
                ("spam", ["buy", "now"]),
                ("ham", ["dear", "friend"]),
                ("spam", ["buy"]),
                ("ham", ["hello"]),
            ):
                if plain[i : i + len(phrase)] == phrase:
                    hits[label] += 1
                    i += len(phrase) - 1
                    break
            i += 1
        won = {label for label, n in hits.items() if n >= least}
        if not several:
            best = [label for label in won if hits[label] == max(hits.values())]
            won = set(best) if len(best) == 1 else set()
        expected.append(dict.fromkeys(won, 1.0))
    assert said(source, *(" ".join(tokens) for tokens in documents)) == expected


def test_a_lexicon_adds_weights(tmp_path) -> None:
    (tmp_path / "w.csv").write_text("phrase,label,weight\nbuy now,spam,2\nhello,ham,1\n")
    source = Lexicon("l", file=tmp_path / "w.csv")
    rows = said(source, "Buy now! hello", "nothing", "hello")
    assert rows[0]["spam"] == pytest.approx(math.exp(2) / (math.exp(2) + math.exp(1)))
    assert sum(rows[0].values()) == pytest.approx(1)
    assert rows[1] == {}
    assert rows[2]["ham"] == pytest.approx(1 / (1 + math.exp(-1)))
    one = Lexicon("l", {"spam": {"buy": 1.0}})
    assert said(one, "buy buy")[0]["spam"] == pytest.approx(1 / (1 + math.exp(-2)))


def test_patterns_vote_if_one_class_is_found() -> None:
    lists = {"spam": [r"https?://", r"\$\d"], "ham": r"(?i)dear"}
    texts = ["http://x", "Dear", "Dear http://x", "-"]
    assert said(ClassRegex("c", lists), *texts) == [{"spam": 1}, {"ham": 1}, {}, {}]
    assert said(ClassRegex("c", lists, several=True), *texts)[2] == {"spam": 1, "ham": 1}
    titles = ["$5", None, 3, "no"]
    assert said(ClassRegex("c", lists, field="title"), *texts, title=titles)[0] == {"spam": 1}


def test_fields_as_they_read() -> None:
    source = Field("f", "stars", {1: "spam", "5": "ham", "true": "ham"})
    rows = said(source, *"abcd", stars=[1, 5, True, None])
    assert rows == [{"spam": 1}, {"ham": 1}, {"ham": 1}, {}]


@pytest.mark.parametrize(
    ("use", "settings", "message"),
    [
        ("keywords", {}, "has no keywords"),
        ("lexicon", {"weights": {"spam": {"x": "heavy"}}}, "weight of 'x' is 'heavy', no number"),
        ("lexicon", {"weights": {"spam": {"x": float("nan")}}}, "no number"),
        ("class_regex", {"pattern": "("}, "set 'label'"),
        ("field", {"field": "a", "values": {}}, "maps no value"),
    ],
)
def test_mistakes_are_one_line(use, settings, message) -> None:
    with pytest.raises(SourceError, match=message):
        registry.make(use, name="n", **settings)
