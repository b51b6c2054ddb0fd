"""Parquet with a column of texts. Token columns with ClassLabel names: see ``huggingface``."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ..corpus import Document
from ..errors import InputError, nearest
from .checks import a_text, an_id, label_list, span_layer
from .files import InputFile, Source, input_files
from .registry import readers

_ROWS = 4096


@readers.register("parquet")
def read_parquet(
    path: Source,
    *,
    text: str = "text",
    id: str = "id",
    label: str = "label",
    spans: str = "spans",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from Parquet files, a row each, read in batches.

    text, id, label, spans: the columns; all but the text may be missing. Labels are strings or
        lists of them; spans are lists of structs with start, end, label. Other columns are fields.
    """
    for file in input_files(path, (".parquet",)):
        with open_parquet(file) as parquet:
            need_columns(parquet.schema_arrow.names, (text,), file)
            for number, row in enumerate(rows(parquet)):
                where = f"{file.path}, row {number}"
                content = a_text(row, text, where)
                marked, classed = row.get(spans), row.get(label)
                yield Document(
                    an_id(row.get(id), f"{file.name}-{number}", where),
                    content,
                    fields=plain(row, (text, id, label, spans)),
                    spans={} if marked is None else {layer: span_layer(marked, content, where)},
                    classes={layer: label_list(classed, label, where)} if classed else {},
                )


@contextmanager
def open_parquet(file: InputFile) -> Iterator[Any]:
    """A ``pyarrow.parquet.ParquetFile``; anything else is one ``InputError``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with file.open() as stream:
        try:
            yield pq.ParquetFile(stream)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{file.path}: not readable as Parquet ({reason})") from None


def rows(parquet: Any) -> Iterator[dict[str, Any]]:
    """The rows as plain values."""
    for batch in parquet.iter_batches(batch_size=_ROWS):
        yield from batch.to_pylist()


def plain(row: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The other columns of a row as JSON values: dates and the like as strings, bytes as none."""
    rest = {k: v for k, v in row.items() if k not in known}
    text = json.dumps(rest, default=lambda v: None if isinstance(v, bytes) else str(v))
    fields: dict[str, Any] = json.loads(text)
    return fields


def need_columns(names: list[str], needed: tuple[str, ...], file: InputFile) -> None:
    """Every needed column is there, or an error that names the nearest one."""
    for name in needed:
        if name not in names:
            raise InputError(f"{file.path}: no column {name!r}; {nearest(name, names)}")
