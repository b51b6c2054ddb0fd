"""doccano's JSON lines: sequence labelling, classification, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_text, an_annotation, an_id, label_list, objects, sort_spans
from .files import Source, input_files, json_line, output_file
from .offsets import Offsets, Unit
from .record import Record, Written
from .registry import joinable, readers, writers

_KNOWN = ("id", "doc_id", "text", "label", "entities", "cats", "relations", "Comments")


@readers.register("doccano")
def read_doccano(path: Source, *, unit: Unit = "character") -> Iterator[Document]:
    """Documents from a doccano export; its labels are the layer "gold".

    unit: "grapheme" if the project counts user-perceived characters (grapheme mode).
    The id is "doc_id" where a record has one (as our export writes), else doccano's own.
    """
    for file in input_files(path, (".jsonl", ".json")):
        for number, (where, record) in enumerate(objects(file)):
            text = a_text(record, "text", where)
            name = an_id(record.get("doc_id", record.get("id")), f"{file.name}-{number}", where)
            marked, classed = _split(record, where)
            offsets = Offsets(text, unit)
            found = [_span(item, text, offsets, where) for item in marked or ()]
            yield Document(
                name,
                text,
                fields={k: v for k, v in record.items() if k not in _KNOWN},
                spans={} if marked is None else {"gold": sort_spans(found)},
                classes={"gold": label_list(classed, "label", where)} if classed else {},
            )


def _split(record: dict[str, Any], where: str) -> tuple[list[Any] | None, list[Any]]:
    """Spans (None if there is no room for them) and classes."""
    marked = record.get("entities")
    classed = a_list(record.get("cats") or [], where, "cats")
    label = a_list(record.get("label") or [], where, "label")
    if label and not isinstance(label[0], (list, dict)):
        classed = label
    elif marked is None and "label" in record:
        marked = label
    return (None if marked is None else a_list(marked, where, "entities")), classed


def _span(item: Any, text: str, offsets: Offsets, where: str) -> Annotation:
    if isinstance(item, dict):
        start, end = item.get("start_offset"), item.get("end_offset")
        label = item.get("label")
    elif isinstance(item, list) and len(item) == 3:
        start, end, label = item
    else:
        raise InputError(f"{where}: a span should be [start, end, label] or an object: {item!r}")
    if type(start) is not int or type(end) is not int:
        raise InputError(f"{where}: span offsets should be integers: {item!r}")
    return an_annotation(
        text, offsets.inward(start, where), offsets.inward(end, where), label, where
    )


@writers.register("doccano")
@joinable
def write_doccano(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    unit: Unit = "character",
) -> Written:
    """A record a line: "label" holds spans or classes; with both, "entities" and "cats".

    doccano has no scores; ours stand in "scores", which it keeps among the metadata.
    """
    kinds = {task.kind for task in tasks.values()}
    both = len(kinds) > 1
    written = Written()
    with output_file(path) as out:
        for record in records:
            offsets = Offsets(record.text, unit)
            spans, scores = [], []
            for span in record.spans:
                place = offsets.outward_span(span.start, span.end)
                if place is None:
                    written.leave_out("begins or ends within a grapheme")
                    continue
                spans.append([*place, span.label])
                scores.append(round(span.probability, 6))
            row: dict[str, Any] = {"text": record.text, "doc_id": record.id}
            if "spans" in kinds:
                row |= {"entities" if both else "label": spans, "scores": scores}
            if "classes" in kinds:
                row["cats" if both else "label"] = list(record.chosen)
                row["class_scores"] = [round(record.classes[k], 6) for k in record.chosen]
            row |= {k: v for k, v in record.fields.items() if k not in row and k not in _KNOWN}
            out.write(json_line(row))
            written.documents += 1
            written.spans += len(spans)
    return written
