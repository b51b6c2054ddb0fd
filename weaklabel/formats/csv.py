"""CSV: a row a document. Cells are text, never formulas: nothing is escaped for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Document
from ..errors import InputError, nearest
from ..task import Task
from .checks import a_list, label_list, parse, span_layer
from .files import InputFile, Source, input_files, output_file
from .record import Record, Written, check_labels
from .registry import readers, writers

_MOST = 2**31 - 1


@readers.register("csv")
def read_csv(
    path: Source,
    *,
    text: str = "text",
    id: str = "id",
    label: str = "label",
    spans: str = "spans",
    delimiter: str = ",",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from a CSV file with a header; .tsv files are parted by tabs.

    text, id, label, spans: the columns; all but the text may be missing. A label cell holds one
        label, or a JSON list of several; a spans cell a JSON list of spans (as in JSON lines).
        Empty cells say nothing. Other columns are kept as fields.
    """
    for file in input_files(path, (".csv", ".tsv")):
        tabs = delimiter == "," and ".tsv" in file.path[-8:]
        for number, (where, row) in enumerate(_rows(file, "\t" if tabs else delimiter, text)):
            content = row[text]
            marked, classed = row.get(spans), row.get(label)
            yield Document(
                row.get(id) or f"{file.name}-{number}",
                content,
                fields={k: v for k, v in row.items() if k not in (text, id, label, spans)},
                spans={layer: span_layer(parse(marked, where), content, where)} if marked else {},
                classes={layer: _labels(classed, label, where)} if classed else {},
            )


def _rows(file: InputFile, delimiter: str, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    csv.field_size_limit(_MOST)
    reader = csv.reader(
        (line for _, line in file.lines(keep_ends=True)), delimiter=delimiter, strict=True
    )
    try:
        header = next(reader, [])
        if text not in header:
            hint = nearest(text, header) if header else "the file is empty"
            raise InputError(f"{file.path}: no column {text!r}; {hint}")
        for row in reader:
            where = f"{file.path}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{where}: {len(row)} cells, expected {len(header)} as in the header"
                )
            yield where, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{file.path}, line {reader.line_num}: {error}") from None


def _labels(cell: str, key: str, where: str) -> tuple[str, ...]:
    if cell.startswith("["):
        return label_list(a_list(parse(cell, where), where, key), key, where)
    return (cell,)


@writers.register("csv")
def write_csv(path: Path | str, records: Iterable[Record], tasks: Mapping[str, Task]) -> Written:
    """Columns id, text, then spans (JSON) or label and probability; every cell is quoted.

    A text that begins with "=" stays as it is: open the file in a spreadsheet as text only.
    """
    check_labels(tasks.values())
    kinds = {task.kind for task in tasks.values()}
    class_tasks = [task for task in tasks.values() if task.kind == "classes"]
    several = len(class_tasks) > 1 or any(task.multi for task in class_tasks)
    header = ["id", "text"]
    header += ["spans"] if "spans" in kinds else []
    header += ["label", "probability"] if "classes" in kinds else []
    written = Written()
    with output_file(path) as out:
        out.write(_line(header))
        for record in records:
            row: list[Any] = [record.id, record.text]
            if "spans" in kinds:
                row.append(_json([_span(span) for span in record.spans]))
            if "classes" in kinds:
                row += _class_cells(record, several)
            out.write(_line(row))
            written.documents += 1
            written.spans += len(record.spans)
    return written


def _span(span: Any) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "probability": round(span.probability, 6),
    }


def _class_cells(record: Record, several: bool) -> list[str]:
    sure = [round(record.classes.get(label, 1.0), 6) for label in record.chosen]
    if several:
        return [_json(list(record.chosen)), _json(sure)]
    return [record.chosen[0], str(sure[0])] if record.chosen else ["", ""]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(cells: list[Any]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
