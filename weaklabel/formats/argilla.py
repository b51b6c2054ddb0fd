"""Argilla 2: a JSON list of records as ``dataset.records.from_json`` and ``to_json`` have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Annotation, Document
from ..task import Task
from .checks import a_list, a_text, an_annotation, an_id, an_object, label_list, objects, sort_spans
from .files import Source, input_files, write_json_list
from .offsets import CodeUnit, Offsets
from .record import Record, Written, check_labels
from .registry import readers, writers

Values = list[tuple[str, Any]]
"""(layer, value) of every answer to any question."""


@readers.register("argilla")
def read_argilla(
    path: Source,
    *,
    field: str = "text",
    unit: CodeUnit = "character",
    annotators: bool = False,
) -> Iterator[Document]:
    """Documents from Argilla's JSON: responses are layer "gold" (the last one of each question),
    suggestions layer "predicted".

    field: the field that is labelled. unit: of the offsets; "utf-16" if your version of Argilla
    counts as browsers do. annotators: also a layer "annotator ID" for each person.
    """
    for file in input_files(path, (".json", ".jsonl")):
        for number, (where, record) in enumerate(objects(file)):
            text = a_text(an_object(record.get("fields"), where), field, where)
            offsets = Offsets(text, unit)
            spans: dict[str, tuple[Annotation, ...]] = {}
            classes: dict[str, tuple[str, ...]] = {}
            for layer, value in _answers(record, where, annotators):
                if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                    spans[layer] = spans.get(layer, ()) + _spans(value, text, offsets, where)
                elif isinstance(value, (str, list)):
                    classes[layer] = classes.get(layer, ()) + label_list(value, "value", where)
            yield Document(
                an_id(record.get("id"), f"{file.name}-{number}", where),
                text,
                fields=record.get("metadata") or {},
                spans={layer: sort_spans(found) for layer, found in spans.items()},
                classes=classes,
            )


def _answers(record: dict[str, Any], where: str, annotators: bool) -> Values:
    answers: Values = []
    for given in an_object(record.get("responses") or {}, where).values():
        responses = [an_object(one, where) for one in a_list(given, where, "responses")]
        if responses:
            answers.append(("gold", responses[-1].get("value")))
        if annotators:
            answers += [(f"annotator {one.get('user_id')}", one.get("value")) for one in responses]
    for given in an_object(record.get("suggestions") or {}, where).values():
        answers.append(("predicted", an_object(given, where).get("value")))
    return answers


def _spans(
    value: list[dict[str, Any]], text: str, offsets: Offsets, where: str
) -> tuple[Annotation, ...]:
    return tuple(
        an_annotation(
            text,
            offsets.inward(item.get("start", -1), where),
            offsets.inward(item.get("end", -1), where),
            item.get("label"),
            where,
        )
        for item in value
    )


@writers.register("argilla")
def write_argilla(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    field: str = "text",
    agent: str = "weaklabel",
    unit: CodeUnit = "character",
) -> Written:
    """Records with one suggestion per task, a question of the task's name each.

    The metadata hold "min_score", the probability of the least certain label, to sort by.
    """
    check_labels(tasks.values())
    written = Written()

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            written.documents += 1
            yield {
                "id": record.id,
                "fields": {field: record.text},
                "metadata": {"min_score": round(record.least, 6)},
                "suggestions": _suggestions(record, tasks, agent, unit, written),
                "responses": {},
                "vectors": {},
                "status": "pending",
            }

    write_json_list(path, rows())
    return written


def _suggestions(
    record: Record, tasks: Mapping[str, Task], agent: str, unit: CodeUnit, written: Written
) -> dict[str, Any]:
    suggestions = {}
    offsets = Offsets(record.text, unit)
    for name, task in tasks.items():
        value: Any
        score: Any
        if task.kind == "spans":
            mine = [span for span in record.spans if span.label in task.labels]
            value = [
                {
                    "start": offsets.outward(span.start),
                    "end": offsets.outward(span.end),
                    "label": span.label,
                }
                for span in mine
            ]
            score = [round(span.probability, 6) for span in mine]
            written.spans += len(mine)
        else:
            value = [label for label in record.chosen if label in task.labels]
            score = [round(record.classes.get(label, 1.0), 6) for label in value]
            if not value:
                continue
            if not task.multi:
                value, score = value[0], score[0]
        suggestions[name] = {"value": value, "score": score, "agent": agent}
    return suggestions
