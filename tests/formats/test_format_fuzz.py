"""Damaged input never gives anything but documents or one clear line."""

from __future__ import annotations

import copy
import json
import random
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import srsly

from benchmarks.round_trip import TASKS, corpus
from weaklabel import Task
from weaklabel.errors import InputError
from weaklabel.formats import read, write

TOOLS = ("jsonl", "label_studio", "doccano", "argilla", "prodigy", "kili", "labelbox", "sagemaker")
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    7,
    1.5,
    10**30,
    "",
    "O",
    "no",
    [],
    [[]],
    [0],
    {},
    {"a": 1},
    [{}],
)
LABELBOX = {
    "data_row": {"id": "c1", "global_key": "d1", "row_data": "Anna Berg"},
    "projects": {
        "p": {
            "labels": [
                {
                    "annotations": {
                        "objects": [{"name": "PER", "location": {"start": 0, "end": 8}}],
                        "classifications": [{"name": "topic", "radio_answer": {"name": "a"}}],
                    }
                }
            ]
        }
    },
}
WRENCH = {
    "meta.json": {"entity_types": ["PER"], "lf": ["s"]},
    "test.json": {
        "x": {"label": ["O", "B-PER"], "data": {"text": ["a", "b"]}, "weak_labels": [["O"], ["O"]]}
    },
}


def mutate(value: Any, dice: random.Random) -> Any:
    """A copy with one node somewhere replaced, dropped or doubled."""
    root = [copy.deepcopy(value)]
    node: Any = root
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = dice.choice(keys)
        child = node[key]
        if isinstance(child, (dict, list)) and child and dice.random() < 0.85:
            node = child
            continue
        if dice.random() < 0.2 and node is not root:
            del node[key]
        else:
            node[key] = dice.choice(VALUES)
        return root[0]


def survives(name: str, path: Path, **settings: Any) -> bool:
    """Whether documents came; an error must be one line with the path."""
    try:
        for document in read(name, path, **settings):
            for spans in document.spans.values():
                assert all(0 <= s.start < s.end <= len(document.text) for s in spans)
        return True
    except InputError as error:
        message = str(error)
    assert str(path) in message or "was used before" in message
    assert "\n" not in message
    return False


@pytest.mark.parametrize("name", TOOLS)
def test_mutated_records_of_tools(name: str, tmp_path: Path) -> None:
    tasks = {**TASKS, "topic": Task("classes", ("a", "b"), name="topic")}
    records = [replace(r, classes={"a": 0.7, "b": 0.3}, chosen=("a",)) for r in corpus(1)[:3]]
    path = tmp_path / "a.json"
    write(name, path, records, tasks)
    text = path.read_text()
    rows = [LABELBOX] if name == "labelbox" else None
    rows = rows or (
        json.loads(text) if text[0] == "[" else [json.loads(x) for x in text.split("\n") if x]
    )
    dice = random.Random(0)
    outcomes = set()
    for _ in range(200):
        path.write_text(json.dumps(mutate(rows, dice)))
        outcomes.add(survives(name, path))
    assert outcomes == {True, False}


def test_mutated_wrench(tmp_path: Path) -> None:
    dice = random.Random(0)
    outcomes = set()
    for _ in range(200):
        broken = dice.choice(list(WRENCH))
        for name, content in WRENCH.items():
            content = mutate(content, dice) if name == broken else content
            (tmp_path / name).write_text(json.dumps(content))
        outcomes.add(survives("wrench", tmp_path))
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", ["csv", "conll", "conllu", "huggingface", "docbin"])
def test_flipped_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(name, path, corpus(1), TASKS)
    content = path.read_bytes()
    dice = random.Random(0)
    outcomes = set()
    for _ in range(80):
        broken = bytearray(content)
        for _ in range(dice.choice((1, 1, 3))):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        path.write_bytes(
            broken[: len(broken) if dice.random() < 0.7 else dice.randrange(len(broken))]
        )
        outcomes.add(survives(name, path))
    assert False in outcomes


def test_a_docbin_with_broken_insides(tmp_path: Path) -> None:
    path = tmp_path / "a.spacy"
    write("docbin", path, corpus(1), TASKS)
    inside = srsly.msgpack_loads(zlib.decompress(path.read_bytes()))
    dice = random.Random(0)
    outcomes = set()
    for _ in range(80):
        broken = dict(inside)
        key = dice.choice(list(broken))
        if dice.random() < 0.5:
            del broken[key]
        else:
            broken[key] = dice.choice((None, 3, "x", b"", [], [1], {}, b"\x01" * 64))
        path.write_bytes(zlib.compress(srsly.msgpack_dumps(broken)))
        outcomes.add(survives("docbin", path))
    assert outcomes == {True, False}
