"""Crowd workers: a table of who said what about which item, one source per worker."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .lists import decode, read_bytes

Duplicates = Literal["error", "first", "majority"]
DUPLICATES = ("error", "first", "majority")


@dataclass(frozen=True, eq=False)
class Worker:
    """One person's answers: item id -> label, or None for an item left open.

    Items that are not among the answers were not looked at.
    """

    name: str
    labels: tuple[str, ...]
    answers: Mapping[str, str | None]
    kind: SourceKind = "exhaustive"
    group: str | None = None

    def __call__(self, shard: Shard) -> Cast:
        """The answers on the shard's documents, by id."""
        looked = [d for d, item in enumerate(shard.ids) if item in self.answers]
        said = [(d, self.answers[shard.ids[d]]) for d in looked]
        rows = [(d, self.labels.index(label)) for d, label in said if label is not None]
        documents, labels = list(zip(*rows, strict=True)) or [()] * 2
        seen = np.asarray(looked, dtype=np.int64)
        return Cast.of(self.labels, documents, label=labels, looked=seen)


@registry.register("crowd")
def crowd(
    name: str,
    file: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    columns: tuple[str, str, str] = ("item", "worker", "label"),
    duplicates: Duplicates = "error",
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> list[Worker]:
    """One source per worker from a CSV, TSV or Parquet table of answers on classes.

    labels: {answer: our label}; None: the answers are the labels. An empty answer leaves the item
    open. duplicates: what to do with a worker who answers an item twice: "error", "first" of the
    answers, or their "majority" (equal ones: the first of them).
    """
    if duplicates not in DUPLICATES:
        raise SourceError(f"source {name!r}: duplicates is {duplicates!r}, not one of {DUPLICATES}")
    answers: dict[str, dict[str, list[str | None]]] = {}
    for line, (item, worker, answer) in enumerate(_rows(Path(file), columns), start=2):
        label = _label(name, file, line, answer, labels)
        answers.setdefault(worker, {}).setdefault(item, []).append(label)
    every = (label for items in answers.values() for said in items.values() for label in said)
    named = (
        [v for v in labels.values() if v] if labels else sorted({v for v in every if v is not None})
    )
    own = tuple(dict.fromkeys(named))
    return [
        Worker(
            f"{name}.{worker}",
            own,
            {item: _one(name, item, worker, said, duplicates) for item, said in items.items()},
            kind,
            group,
        )
        for worker, items in answers.items()
    ]


@registry.register("pairwise")
def pairwise(
    name: str,
    file: str | Path,
    *,
    choices: Mapping[str, str] | None = None,
    columns: tuple[str, str, str] = ("item", "worker", "choice"),
    duplicates: Duplicates = "error",
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> list[Worker]:
    """Preferences between two answers, A or B, one source per worker (for reward models).

    choices: {what the table says: "A" or "B"}; None: it says A or B. "tie" and an empty choice
    leave the item open.
    """
    named = dict(choices or {"A": "A", "B": "B"})
    return crowd(
        name,
        file,
        labels={"tie": "", **named},
        columns=columns,
        duplicates=duplicates,
        kind=kind,
        group=group,
    )


def _label(
    name: str, file: str | Path, line: int, answer: str, labels: Mapping[str, str] | None
) -> str | None:
    if not answer:
        return None
    if labels is None:
        return answer
    if answer not in labels:
        known = ", ".join(labels)
        raise SourceError(f"source {name!r}: {file}:{line}: answer {answer!r}, expected {known}")
    return labels[answer] or None


def _one(
    name: str, item: str, worker: str, said: list[str | None], duplicates: Duplicates
) -> str | None:
    if len(said) > 1 and duplicates == "error":
        raise SourceError(
            f"source {name!r}: worker {worker!r} answers item {item!r} {len(said)} times; "
            "set duplicates to first or majority"
        )
    return said[0] if duplicates == "first" else Counter(said).most_common(1)[0][0]


def _rows(path: Path, columns: tuple[str, str, str]) -> Iterator[tuple[str, str, str]]:
    if path.suffix == ".parquet":
        yield from _parquet(path, columns)
        return
    text = decode(read_bytes(path), None, path)
    plain = Path(path.stem) if path.suffix == ".gz" else path
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if plain.suffix == ".tsv" else ",")
    _check(path, columns, rows.fieldnames or ())
    for row in rows:
        item, worker, answer = (row[column] or "" for column in columns)
        yield item, worker, answer


def _parquet(path: Path, columns: tuple[str, str, str]) -> Iterator[tuple[str, str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from None
    _check(path, columns, table.column_names)
    for row in zip(*(table[column].to_pylist() for column in columns), strict=True):
        item, worker, answer = ("" if value is None else str(value) for value in row)
        yield item, worker, answer


def _check(path: Path, columns: tuple[str, ...], found: object) -> None:
    names = [str(name) for name in found]  # type: ignore[attr-defined]
    for column in columns:
        if column not in names:
            raise SourceError(f"{path}: no column {column!r}; columns: {', '.join(names)}")
