"""Outside formats, one module each: ``read`` gives documents, ``write`` takes records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Document, Reread, check_ids
from ..errors import InputError
from ..task import Task
from .record import Record, Written
from .registry import readers, writers


def read(format: str, path: Any, **settings: Any) -> Reread:
    """The documents of a file, glob, folder or URL, read afresh each time they are walked.

    Settings are checked at once; ids that come twice and input without documents are errors.
    """
    for _, message in readers.check(format, {"path": path, **settings}):
        raise InputError(message)
    return Reread(_checked, format, path, settings)


def _checked(format: str, path: Any, settings: Mapping[str, Any]) -> Iterator[Document]:
    empty = True
    for document in check_ids(readers.make(format, path=path, **settings)):
        empty = False
        yield document
    if empty:
        raise InputError(f"{path}: no documents in it")


def write(
    format: str,
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    **settings: Any,
) -> Written:
    """Write records in one pass; the file is there whole or not at all."""
    return writers.make(format, path=path, records=records, tasks=tasks, **settings)
