"""WRENCH folders: documents, the votes of their sources, and gold, of one split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus import Annotation, Document, Shard
from ..errors import InputError, WeaklabelError
from ..tags import decode
from ..task import Kind, Task
from ..votes import Gold, Votes
from .checks import a_list, a_string, an_object, parse, words
from .files import InputFile, input_files
from .registry import readers

SPLITS = ("train", "valid", "test")

Cast = list[tuple[int, int, int, int]]
"""Votes on one document: (source, first token, end token, label id), tokens 0 for classes."""


@dataclass(frozen=True, eq=False)
class WrenchSplit:
    """One split. documents: with their tokens (spans) and no annotations; votes: of the sources.

    gold: spans are complete everywhere; documents of unknown class (-1) have none.
    """

    task: Task
    documents: tuple[Document, ...]
    votes: Votes
    gold: Gold

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources."""
        return self.votes.names

    def shard(self, lang: str = "en") -> Shard:
        """The documents in columns; classes are tokenized by the rules of the language."""
        return Shard.from_documents(self.documents, lang)


@dataclass(frozen=True)
class _Facts:
    task: Task
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Item:
    document: Document
    gold: Cast
    votes: Cast


def splits(folder: Path | str) -> tuple[str, ...]:
    """The splits that a folder has."""
    return tuple(split for split in SPLITS if (Path(folder) / f"{split}.json").is_file())


def read_wrench(folder: Path | str, split: str = "test") -> WrenchSplit:
    """One split of a WRENCH folder in memory."""
    facts, walk = _load(folder, split)
    items = list(walk)
    lengths = [len(item.document.tokens or ()) for item in items]
    rows = [(d, *vote) for d, item in enumerate(items) for vote in item.votes]
    truth = [(d, *known) for d, item in enumerate(items) for known in item.gold]
    document, source, start, end, label = _columns(rows)
    votes = Votes.build(
        facts.task,
        facts.sources,
        lengths,
        document=document,
        start=start,
        end=end,
        source=source,
        label=label,
    )
    document, _, start, end, label = _columns(truth)
    gold = Gold.build(facts.task, lengths, document=document, start=start, end=end, label=label)
    return WrenchSplit(facts.task, tuple(item.document for item in items), votes, gold)


def _columns(rows: list[tuple[int, int, int, int, int]]) -> NDArray[np.int64]:
    return np.asarray(rows, dtype=np.int64).reshape(-1, 5).T


@readers.register("wrench")
def read_wrench_documents(path: Path | str, *, split: str = "test") -> Iterator[Document]:
    """The documents of a split: gold is their layer "gold", each source's votes a layer of its
    name, to be used as existing annotations."""
    facts, items = _load(path, split)
    names = facts.task.labels
    for item in items:
        document = item.document
        if facts.task.kind == "classes":
            told = {facts.sources[s]: (names[k],) for s, _, _, k in item.votes}
            known = {"gold": tuple(names[k] for *_, k in item.gold)} if item.gold else {}
            yield Document(document.id, document.text, fields=document.fields, classes=told | known)
            continue
        layers: dict[str, list[Annotation]] = {name: [] for name in (*facts.sources, "gold")}
        offsets = document.tokens or ()
        for votes, by in ((item.votes, facts.sources), (item.gold, ("gold",))):
            for s, first, end, k in votes:
                layers[by[s]].append(Annotation(offsets[first][0], offsets[end - 1][1], names[k]))
        yield Document(
            document.id,
            document.text,
            document.tokens,
            document.sentence_starts,
            document.fields,
            {name: tuple(spans) for name, spans in layers.items()},
        )


def _json(path: Path) -> tuple[InputFile, dict[str, Any]]:
    file = input_files(path)[0]
    return file, an_object(parse(file.text(), file.path), file.path)


def _load(folder: Path | str, split: str) -> tuple[_Facts, Iterator[_Item]]:
    folder = Path(folder)
    file, data = _json(folder / f"{split}.json")
    facts = _facts(folder, data)
    return facts, _items(facts, file, data)


def _facts(folder: Path, data: dict[str, Any]) -> _Facts:
    """The task and the sources; classes have no source names in this format."""
    if (folder / "meta.json").is_file():
        file, meta = _json(folder / "meta.json")
        sources = words(meta.get("lf"), file.path, "lf")
        labels = words(meta.get("entity_types"), file.path, "entity_types")
        return _Facts(_task("spans", labels, file), tuple(sources))
    if (folder / "label.json").is_file():
        file, names = _json(folder / "label.json")
        if sorted(names) != sorted(str(i) for i in range(len(names))):
            raise InputError(f"{file.path}: the keys should be the numbers 0 to {len(names) - 1}")
        labels = words([names[str(i)] for i in range(len(names))], file.path, "labels")
        task = _task("classes", labels, file)
        first = next(iter(data.values()), None)
        weak = first.get("weak_labels") if isinstance(first, dict) else None
        return _Facts(task, tuple(f"lf{j}" for j in range(len(weak or ()))))
    raise InputError(
        f"{folder}: no WRENCH folder, which has meta.json (spans) or label.json (classes)"
    )


def _task(kind: Kind, labels: list[str], file: InputFile) -> Task:
    try:
        return Task(kind, tuple(labels))
    except WeaklabelError as error:
        raise InputError(f"{file.path}: {error}") from None


def _items(facts: _Facts, file: InputFile, data: dict[str, Any]) -> Iterator[_Item]:
    for key, value in data.items():
        where = f"{file.path}, document {key!r}"
        record = an_object(value, where)
        body = an_object(record.get("data"), where)
        weak = a_list(record.get("weak_labels"), where, "weak_labels")
        make = _span_item if facts.task.kind == "spans" else _class_item
        yield make(facts, key, body, record.get("label"), weak, where)


def _class_item(
    facts: _Facts, key: str, body: dict[str, Any], label: Any, weak: list[Any], where: str
) -> _Item:
    if len(weak) != len(facts.sources):
        raise InputError(f"{where}: {len(weak)} weak labels, expected {len(facts.sources)}")
    for value in (label, *weak):
        if type(value) is not int or not -1 <= value < len(facts.task.labels):
            raise InputError(
                f"{where}: label {value!r} should be -1 to {len(facts.task.labels) - 1}"
            )
    text = body.get("text")
    text = " ".join(words(text, where, "text")) if isinstance(text, list) else text
    fields = {k: v for k, v in body.items() if k != "text"}
    votes = [(j, 0, 0, value) for j, value in enumerate(weak) if value >= 0]
    return _Item(
        Document(key, a_string(text, "text", where), fields=fields),
        [(0, 0, 0, label)] if label >= 0 else [],
        votes,
    )


def _span_item(
    facts: _Facts, key: str, body: dict[str, Any], label: Any, weak: list[Any], where: str
) -> _Item:
    text = body.get("text")
    tokens = _tokens(text, where)
    tags = words(label, where, "label")
    if not len(tokens) == len(tags) == len(weak):
        raise InputError(
            f"{where}: {len(tokens)} tokens, {len(tags)} tags and {len(weak)} rows of weak labels "
            "should be equally many"
        )
    for row in weak:
        if len(a_list(row, where, "weak_labels")) != len(facts.sources):
            raise InputError(f"{where}: {len(row)} weak labels, expected {len(facts.sources)}")
    votes: Cast = []
    for j, column in enumerate(zip(*weak, strict=True)):
        if column.count("O") < len(column):
            votes += _spans(facts.task, j, column, where)
    document = Document.from_tokens(key, [tokens] if tokens else [])
    return _Item(document, _spans(facts.task, 0, tags, where), votes)


def _tokens(text: Any, where: str) -> list[str]:
    if isinstance(text, list):
        return words(text, where, "text")
    return a_string(text, "text", where).split()


def _spans(task: Task, source: int, tags: Any, where: str) -> Cast:
    try:
        return [(source, a, b, task.label_id(label)) for a, b, label in decode(tags)]
    except (WeaklabelError, AttributeError) as error:
        reason = error if isinstance(error, WeaklabelError) else "a tag should be a string"
        raise InputError(f"{where}: {reason}") from None
