"""Labelbox NDJSON: an annotation a line in, a data row a line out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_string, a_text, an_annotation, an_id, an_object, objects, sort_spans
from .files import Source, input_files, json_line, output_file
from .offsets import CodeUnit, Offsets
from .record import Record, Written, check_labels
from .registry import joinable, readers, writers

End = Literal["inclusive", "exclusive"]


@readers.register("labelbox")
def read_labelbox(
    path: Source,
    *,
    texts: Source | None = None,
    end: End = "inclusive",
    unit: CodeUnit = "character",
) -> Iterator[Document]:
    """Documents from a Labelbox export (data rows with their projects' labels, layer "gold").

    With ``texts``, JSON lines of id and text, the lines are annotations instead, as
    ``write_labelbox`` makes them: they have no text of their own. Layer "predicted".
    end, unit: Labelbox does not say how it counts; label one span to find out.
    """
    if texts is not None:
        yield from _of_annotations(path, texts, end, unit)
        return
    for file in input_files(path, (".ndjson", ".jsonl", ".json")):
        for number, (where, record) in enumerate(objects(file)):
            if "data_row" not in record:
                raise InputError(
                    f"{where}: no export of data rows; for lines of annotations give `texts`"
                )
            row = an_object(record["data_row"], where)
            text = a_text(row, "row_data", where)
            found = list(_exported(record, where))
            yield Document(
                an_id(row.get("global_key", row.get("id")), f"{file.name}-{number}", where),
                text,
                **_layers(found, text, "gold", end, unit, where, complete=bool(found)),
            )


def _exported(record: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """The annotations of the last label of each project, in the form of the import."""
    for project in an_object(record.get("projects") or {}, where).values():
        labels = a_list(an_object(project, where).get("labels") or [], where, "labels")
        for label in labels[-1:]:
            made = an_object(an_object(label, where).get("annotations"), where)
            for item in a_list(made.get("objects") or [], where, "objects"):
                yield an_object(item, where)
            for item in a_list(made.get("classifications") or [], where, "classifications"):
                made_of = an_object(item, where)
                answer = made_of.get("radio_answer") or made_of.get("checklist_answers")
                yield {"answer": answer}


def _of_annotations(path: Source, texts: Source, end: End, unit: CodeUnit) -> Iterator[Document]:
    lines: dict[str, list[dict[str, Any]]] = {}
    where = ""
    for file in input_files(path, (".ndjson", ".jsonl", ".json")):
        for where, record in objects(file):
            row = an_object(record.get("dataRow"), where)
            key = an_id(row.get("globalKey", row.get("id")), "", where)
            lines.setdefault(key, []).append(record)
    for file in input_files(texts, (".jsonl", ".json")):
        for number, (where, record) in enumerate(objects(file)):
            text = a_text(record, "text", where)
            name = an_id(record.get("id"), f"{file.name}-{number}", where)
            found = lines.pop(name, [])
            yield Document(
                name, text, **_layers(found, text, "predicted", end, unit, where, complete=True)
            )
    if lines:
        raise InputError(f"{path}: data row {next(iter(lines))!r} is not among the texts")


def _layers(
    items: list[dict[str, Any]],
    text: str,
    layer: str,
    end: End,
    unit: CodeUnit,
    where: str,
    complete: bool,
) -> dict[str, Any]:
    spans: list[Annotation] = []
    classes: list[str] = []
    offsets = Offsets(text, unit)
    extra = 1 if end == "inclusive" else 0
    for item in items:
        if "location" in item:
            place = an_object(item["location"], where)
            first, last = place.get("start"), place.get("end")
            if type(first) is not int or type(last) is not int:
                raise InputError(f"{where}: location {place!r} should have start and end")
            first, last = offsets.inward(first, where), offsets.inward(last + extra, where)
            spans.append(an_annotation(text, first, last, item.get("name"), where))
        elif "answer" in item:
            answers = item["answer"] if isinstance(item["answer"], list) else [item["answer"]]
            classes += [a_string(an_object(a, where).get("name"), "name", where) for a in answers]
    return {
        "spans": {layer: sort_spans(spans)} if complete else {},
        "classes": {layer: tuple(classes)} if classes else {},
    }


@writers.register("labelbox")
@joinable
def write_labelbox(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    end: End = "inclusive",
    unit: CodeUnit = "character",
) -> Written:
    """An annotation a line, its data row named by the global key (the document's id)."""
    check_labels(tasks.values())
    written = Written()
    with output_file(path) as out:
        for record in records:
            written.documents += 1
            written.spans += len(record.spans)
            for line in _lines(record, tasks, end, unit):
                out.write(json_line(line))
    return written


def _lines(
    record: Record, tasks: Mapping[str, Task], end: End, unit: CodeUnit
) -> Iterator[dict[str, Any]]:
    offsets = Offsets(record.text, unit)
    extra = 1 if end == "inclusive" else 0
    for span in record.spans:
        first, last = offsets.outward(span.start), offsets.outward(span.end)
        place = {"start": first, "end": (last or 0) - extra}
        yield {
            "uuid": _uuid(record.id, span.start, span.end, span.label),
            "name": span.label,
            "dataRow": {"globalKey": record.id},
            "location": place,
            "confidence": round(span.probability, 6),
        }
    for name, task in tasks.items():
        chosen = [label for label in record.chosen if label in task.labels]
        if task.kind != "classes" or not chosen:
            continue
        answers = [
            {"name": label, "confidence": round(record.classes.get(label, 1.0), 6)}
            for label in chosen
        ]
        yield {
            "uuid": _uuid(record.id, name),
            "name": name,
            "dataRow": {"globalKey": record.id},
            "answer": answers if task.multi else answers[0],
        }


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "weaklabel:" + repr(parts)))
