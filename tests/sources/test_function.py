"""Labelling functions: what they may yield, and what happens when they raise or loop."""

from __future__ import annotations

import contextlib
import threading

import pytest

import weaklabel as wl
from weaklabel.errors import SourceError
from weaklabel.sources.base import registry

SPANS = wl.Task("spans", ("PER", "LOC"))
CLASSES = wl.Task("classes", ("spam", "ham"))


@wl.span_lf(["PER", "LOC"])
def after_title(doc):
    for i, token in enumerate(doc[:-1]):
        if token.text == "Mr.":
            yield i + 1, i + 2, "PER", 0.5


@wl.class_lf(["spam", "ham"])
def by_stars(document):
    if document.stars is None:
        return None
    if document.stars == 3:
        return {"spam": 0.25, "ham": 0.75}
    return ("ham", 0.5) if document.stars > 3 else "spam"


def test_a_span_function_gets_a_doc_with_the_shards_tokens() -> None:
    shard = wl.Corpus.from_texts(["Then Mr. Berg\n\ncame.", "Mr. Ås!"]).one_shard()
    votes = wl.apply_sources(shard, [after_title], SPANS).votes
    assert votes.start.tolist() == [2, 1]
    assert votes.confidence.tolist() == [0.5, 0.5]
    assert after_title.function.__name__ == after_title.name == "after_title"


def test_a_class_function_sees_fields_and_may_be_unsure() -> None:
    stars = [1, 3, 5, None]
    documents = [wl.Document(str(i), "x", fields={"stars": s}) for i, s in enumerate(stars)]
    votes = wl.apply_sources(wl.Shard.from_documents(documents), [by_stars], CLASSES).votes
    assert votes.document.tolist() == [0, 1, 1, 2]
    assert votes.label.tolist() == [0, 0, 1, 1]
    assert votes.confidence.tolist() == [1.0, 0.25, 0.75, 0.5]


def looping(doc):
    while doc.text == "loop":
        with contextlib.suppress(Exception):
            pass
    if doc.text == "raise":
        raise KeyError("no\nsuch key")
    yield 0, 1, "PER"


@pytest.mark.parametrize("in_thread", [False, True])
def test_what_raises_or_loops_is_named_and_counted(in_thread) -> None:
    source = wl.span_lf("PER", seconds=0.1)(looping)
    shard = wl.Corpus.from_texts(["fine", "loop", "raise", "fine"]).one_shard()
    casts = []
    if in_thread:
        thread = threading.Thread(target=lambda: casts.append(source(shard)))
        thread.start()
        thread.join()
    else:
        casts.append(source(shard))
    (cast,) = casts
    assert cast.failed == {1: "took more than 0.1 s", 2: "KeyError: 'no\\nsuch key'"}
    assert cast.document.tolist() == [0, 3]
    with pytest.raises(SourceError, match="'looping' failed on document '1': took more than 0.1 s"):
        wl.apply_sources(shard, [source], SPANS)


def test_a_function_that_always_loops_is_given_up() -> None:
    source = wl.span_lf("PER", seconds=0.05)(looping)
    cast = source(wl.Corpus.from_texts(["loop"] * 6 + ["fine"]).one_shard())
    assert len(cast.failed) == 7
    assert cast.failed[6].startswith("not tried")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("eggs", "cast 'eggs', but declares spam, ham"),
        (("spam", float("nan")), "confidence nan of 'spam', expected 0 to 1"),
        ({"spam": 1.5}, "confidence 1.5 of 'spam'"),
    ],
)
def test_an_impossible_answer_names_source_and_document(answer, message) -> None:
    source = wl.class_lf(["spam", "ham"], name="odd")(lambda document: answer)
    with pytest.raises(SourceError, match=f"source 'odd' failed on document '0': .*{message}"):
        wl.apply_sources(wl.Corpus.from_texts(["x"]).one_shard(), [source], CLASSES)


def test_a_function_of_an_installed_module_by_name() -> None:
    source = registry.make("function", name="f", function="builtins:str", labels=["spam"])
    assert source.name == "f"
    with pytest.raises(SourceError, match="cannot import 'no.such:thing'"):
        registry.make("function", name="f", function="no.such:thing", labels=["spam"])
