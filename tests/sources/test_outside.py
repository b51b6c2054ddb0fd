"""Sources from outside: trained models, skweak, snorkel, plugins of other distributions."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import spacy
from spacy.language import Language

import weaklabel as wl
from weaklabel.errors import JobError, SourceError
from weaklabel.sources.base import Registry, registry
from weaklabel.sources.models import SklearnClassifier, SpacyModel, SpacyTextcat

SPANS = wl.Task("spans", ("PER", "LOC"))
CLASSES = wl.Task("classes", ("spam", "ham"))
TEXTS = ["Anna  lives in Oslo", "", "spam spam", "dear Anna"]


def shard() -> wl.Shard:
    return wl.Corpus.from_texts(TEXTS).one_shard()


@pytest.fixture
def pipeline(tmp_path) -> str:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": "PERSON", "pattern": "Anna"}, {"label": "GPE", "pattern": "Oslo"}]
    )
    nlp.to_disk(tmp_path / "nlp")
    return str(tmp_path / "nlp")


def test_a_spacy_pipeline_with_a_label_map(pipeline) -> None:
    source = SpacyModel("ner", pipeline, labels={"PERSON": "PER"})
    votes = wl.apply_sources(shard(), [source], SPANS).votes
    assert votes.document.tolist() == [0, 3]
    assert votes.start.tolist() == [0, 1]
    assert votes.voters[0].kind == "exhaustive"


def test_a_text_too_long_for_the_pipeline_has_failed(pipeline) -> None:
    nlp = spacy.load(pipeline)
    nlp.max_length = 10
    cast = SpacyModel("ner", nlp, labels={"PERSON": "PER"})(shard())
    assert cast.failed == {0: "19 characters, over the pipeline's max_length of 10"}
    assert cast.document.tolist() == [3]


def test_a_pipeline_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="no spaCy pipeline 'xx_none'; python -m spacy download"):
        _ = SpacyModel("ner", "xx_none").labels


def test_spacy_categories_are_soft_votes() -> None:
    @Language.component("weaklabel_test_cats")
    def cats(doc):
        doc.cats = {"SPAM": doc.text.count("spam") / 2.5, "HAM": 0.25}
        return doc

    nlp = spacy.blank("en")
    nlp.add_pipe("weaklabel_test_cats")
    source = SpacyTextcat("cat", nlp, labels={"SPAM": "spam", "HAM": "ham"})
    votes = wl.apply_sources(shard(), [source], CLASSES).votes
    rows = list(zip(votes.document, votes.label, votes.confidence.round(2), strict=True))
    assert rows == [(0, 1, 0.25), (1, 1, 0.25), (2, 0, np.float32(0.8)), (2, 1, 0.25), (3, 1, 0.25)]


def test_a_scikit_learn_classifier() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), LogisticRegression())
    model.fit(["spam", "spam spam", "dear", "dear Anna"], [1, 1, 0, 0])
    source = SklearnClassifier("sk", model, labels={1: "spam", 0: "ham"}, threshold=0)
    votes = wl.apply_sources(shard(), [source], CLASSES).votes
    table = np.zeros((len(TEXTS), 2))
    table[votes.document, votes.label] = votes.confidence
    np.testing.assert_allclose(table, model.predict_proba(TEXTS)[:, ::-1], rtol=1e-6)
    with pytest.raises(SourceError, match="is no fitted classifier"):
        SklearnClassifier("sk", "os:getcwd")


def test_skweak_annotators_unchanged() -> None:
    heuristics = pytest.importorskip("skweak.heuristics")
    base = pytest.importorskip("skweak.base")

    class Short(base.TextAnnotator):
        def get_label(self, doc):
            return "spam" if len(doc) == 2 else None

    title = heuristics.TokenConstraintAnnotator("t", lambda t: t.text.istitle(), "PER")
    long = heuristics.SpanConstraintAnnotator("long", "caps", lambda span: len(span) > 1)
    caps = wl.LexemeRule("caps", "LOC", form="title")
    sources = [
        caps,
        registry.make("skweak", name="title", annotator=title, labels=["PER"]),
        registry.make("skweak", name="long", annotator=long, labels=["LOC"], reads=["caps"]),
    ]
    text = wl.Corpus.from_texts(["Anna Berg in Oslo", "x"]).one_shard()
    votes = wl.apply_sources(text, sources, SPANS).votes
    said = {name: [] for name in votes.names}
    for i in range(len(votes)):
        said[votes.names[votes.source[i]]].append((int(votes.start[i]), int(votes.end[i])))
    assert said == {"caps": [(0, 2), (3, 4)], "title": [(0, 2), (3, 4)], "long": [(0, 2)]}

    classes = registry.make("skweak", name="short", annotator=Short("s"), labels=["spam"])
    votes = wl.apply_sources(shard(), [classes], CLASSES).votes
    assert votes.document.tolist() == [2, 3]
    with pytest.raises(SourceError, match="is no skweak annotator"):
        registry.make("skweak", name="x", annotator="os:getcwd", labels=["PER"])


def test_snorkel_functions_unchanged() -> None:
    labeling = pytest.importorskip("snorkel.labeling")
    from snorkel.preprocess import preprocessor

    @preprocessor(memoize=True)
    def lowered(x):
        x.low = x.text.lower()
        return x

    @labeling.labeling_function(pre=[lowered])
    def has_spam(x):
        return 0 if "spam" in x.low else -1

    @labeling.labeling_function(resources={"names": ["Anna"]})
    def has_name(x, names):
        return 1 if any(name in x.text for name in names) else -1

    made = registry.make(
        "snorkel", name="lfs", functions=[has_spam, has_name], labels=["spam", "ham"]
    )
    votes = wl.apply_sources(shard(), made, CLASSES).votes
    assert votes.names == ("has_spam", "has_name")
    expected = [[-1, 1], [-1, -1], [0, -1], [-1, 1]]
    assert votes.class_matrix().tolist() == expected


def test_a_third_party_source_is_found_by_its_entry_point(tmp_path, monkeypatch) -> None:
    (tmp_path / "shouting.py").write_text(
        "import weaklabel as wl\n"
        "def shouting(name, label, least=3):\n"
        "    return wl.LexemeRule(name, label, form='upper', length=[least, None])\n"
    )
    info = tmp_path / "shouting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[weaklabel.sources]\nshouting = shouting:shouting\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shouting", raising=False)
    fresh: Registry = Registry("source", lambda: None)
    assert "shouting" in fresh.names()
    source = fresh.make("shouting", name="s", label="PER", least=4)
    cast = source(wl.Corpus.from_texts(["ANNA and BOB"]).one_shard())
    assert cast.end.tolist() == [1]
    with pytest.raises(JobError, match="has no setting 'lest'; did you mean 'least'"):
        fresh.make("shouting", name="s", label="PER", lest=4)
