"""Shards and labels come back from disk as they were; names of any kind are safe paths."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import weaklabel as wl
from weaklabel.columns import load_labels, load_shard, save_labels, save_shard
from weaklabel.labels import ClassLabels, Reasons, SpanLabels
from weaklabel.run import Lazy, component

LAYER = (wl.Annotation(0, 4, "PER"),)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Reasons):
        return all(same(value, getattr(b, name)) for name, value in vars(a).items())
    return a == b


def documents() -> list[wl.Document]:
    return [
        wl.Document("a", "Anna 👩‍👩‍👧 o'Neil\r\nmet", fields={"n": 1}, spans={"gold": LAYER}),
        wl.Document("b", "", classes={"x": ("SPAM", "HAM")}),
        wl.Document.from_tokens("c", [["Zoë", "met", "Anna"], ["met"]]),
    ]


def test_a_shard_comes_back(tmp_path: Path) -> None:
    for chosen in (documents(), [], documents()[1:2]):
        shard = wl.Shard.from_documents(chosen, "en")
        save_shard(tmp_path / "s.parquet", shard)
        again = load_shard(tmp_path / "s.parquet")
        assert vars(again).keys() >= vars(shard).keys()
        for name, value in vars(shard).items():
            assert same(value, getattr(again, name)), name


def test_many_lexemes_keep_their_order(tmp_path: Path) -> None:
    words = [f"w{i:x}" * 20 for i in np.random.default_rng(0).permutation(30_000)]
    shard = wl.Shard.from_documents([wl.Document.from_tokens("a", [words, words[::-1]])])
    save_shard(tmp_path / "s.parquet", shard)
    again = load_shard(tmp_path / "s.parquet")
    assert again.lexemes == shard.lexemes == tuple(words)
    assert same(again.token_ids, shard.token_ids)


def test_a_shard_of_chosen_documents_comes_back_as_if_there_were_no_others(tmp_path: Path) -> None:
    chosen = [2, 0]
    part = wl.Shard.from_documents(documents()).select_documents(chosen)
    save_shard(tmp_path / "s.parquet", part)
    again = load_shard(tmp_path / "s.parquet")
    alone = wl.Shard.from_documents([documents()[d] for d in chosen])
    for name, value in vars(alone).items():
        assert same(value, getattr(again, name)), name


def reasons(indptr: list[int]) -> Reasons:
    n = indptr[-1]
    return Reasons(
        ("s", "t"),
        np.asarray(indptr, dtype=np.int64),
        np.arange(n, dtype=np.int32) % 2,
        np.zeros(n, dtype=np.int16),
        np.ones(n, dtype=np.int8),
        np.linspace(-1, 1, n).astype(np.float32),
    )


def test_labels_come_back(tmp_path: Path) -> None:
    shard = wl.Shard.from_documents(documents())
    spans = SpanLabels(
        wl.Task("spans", ("PER", "start")),
        shard.n_tokens,
        np.array([0, 2], dtype=np.int64),
        np.array([0, 1], dtype=np.int32),
        np.array([1, 3], dtype=np.int32),
        np.array([[0.5, 0.1], [0.25, 1 / 3]]),
        np.array([0, -1], dtype=np.int16),
        np.zeros(2, dtype=np.int8),
        reasons([0, 2, 3]),
    )
    classes = ClassLabels(
        wl.Task("classes", ("A", "B", "C")), np.eye(3), np.array([True, False, True])
    )
    for labels in (spans, spans.rows(np.zeros(0, dtype=np.int64)), classes):
        save_labels(tmp_path / "l.parquet", labels, shard)
        again = load_labels(tmp_path / "l.parquet")
        for name, value in vars(labels).items():
            assert same(value, getattr(again, name)), name


names = st.text(alphabet=st.characters() | st.sampled_from("./\\:%~ " + string.digits), min_size=1)


@given(names, names)
def test_names_become_distinct_safe_components(a: str, b: str) -> None:
    safe = component(a)
    assert safe not in {"", ".", ".."}
    assert not set(safe) & set('/\\:\0\n"<>|?*')
    assert len(safe) <= 255
    assert (component(b) == safe) == (a == b)


def test_a_lazy_sequence_loads_what_is_asked_for() -> None:
    loaded: list[int] = []
    lazy = Lazy(lambda i: loaded.append(i) or i * 10, 4)
    assert list(lazy) == [0, 10, 20, 30]
    assert lazy[-1] == 30
    assert list(lazy[1:3]) == [10, 20]
    assert loaded == [0, 1, 2, 3, 1, 2]
