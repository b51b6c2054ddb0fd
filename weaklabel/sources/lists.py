"""Lists of names from files: text, JSON, CSV, each also gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import SourceError


def read_bytes(path: Path) -> bytes:
    """The file's bytes, unzipped if its name ends in .gz."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{path}: cannot read list of names: {reason}") from None


def decode(data: bytes, encoding: str | None, path: Path) -> str:
    """Text in the encoding given; without one UTF-8, or Latin-1 where it is not valid UTF-8."""
    try:
        return data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding is None:
            return data.decode("latin-1")
        raise SourceError(f"{path}: not {encoding} at byte {error.start}") from None
    except LookupError:
        raise SourceError(f"{path}: no encoding is called {encoding!r}") from None


def read_names(
    path: Path, *, encoding: str | None = None, column: str | int | None = None
) -> Iterator[tuple[str | None, str]]:
    """(label, name) of each name in a file; the label is None unless the file says it.

    By the name of the file: .txt and others a name a line; .json a list, or an object from label
    to list (skweak's format); .csv and .tsv the given column, by name or by number from 0.
    """
    text = decode(read_bytes(path), encoding, path)
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    if suffix == ".json":
        yield from _json_names(text, path)
    elif suffix in {".csv", ".tsv"}:
        yield from ((None, name) for name in _column(text, path, suffix, column))
    else:
        yield from ((None, line) for line in text.splitlines())


def _json_names(text: str, path: Path) -> Iterator[tuple[str | None, str]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error}") from None
    lists: dict[str | None, Any] = data if isinstance(data, dict) else {None: data}
    for label, names in lists.items():
        if not isinstance(names, list):
            raise SourceError(f"{path}: expected a list of names, or an object from label to list")
        for name in names:
            words = name if isinstance(name, list) else [name]
            if not all(isinstance(word, str) for word in words):
                raise SourceError(f"{path}: {name!r} is not a name")
            yield label, " ".join(words)


def _column(text: str, path: Path, suffix: str, column: str | int | None) -> Iterator[str]:
    rows = csv.reader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",")
    if isinstance(column, str):
        header = next(rows, [])
        if column not in header:
            raise SourceError(f"{path}: no column {column!r}; columns: {', '.join(header)}")
        index = header.index(column)
    else:
        index = column or 0
    for row in rows:
        if index < len(row):
            yield row[index]
