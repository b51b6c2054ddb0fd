"""Kili: assets with their JSON responses. A span has a start and its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_string, an_annotation, an_id, an_object, objects, sort_spans
from .files import Source, input_files, write_json_list
from .offsets import Offsets
from .record import Record, Written, check_labels
from .registry import readers, writers

_HUMAN = ("DEFAULT", "REVIEW")


@readers.register("kili")
def read_kili(path: Source) -> Iterator[Document]:
    """Documents from a Kili export (assets with "labels") or from what ``write_kili`` wrote.

    Layer "gold": the last label of type DEFAULT or REVIEW; "predicted": the last other one.
    Whether offsets count characters or UTF-16 is seen from the content of each span.
    """
    for file in input_files(path, (".json", ".jsonl")):
        for number, (where, asset) in enumerate(objects(file)):
            text = a_string(asset.get("content"), "content", where)
            name = asset.get("externalId", asset.get("external_id"))
            spans: dict[str, tuple[Annotation, ...]] = {}
            classes: dict[str, tuple[str, ...]] = {}
            for layer, response in _responses(asset, where).items():
                marked, classed = _read(response, text, where)
                if marked is not None:
                    spans[layer] = marked
                if classed:
                    classes[layer] = classed
            yield Document(
                an_id(name, f"{file.name}-{number}", where),
                text,
                fields=asset.get("jsonMetadata") or {},
                spans=spans,
                classes=classes,
            )


def _responses(asset: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    layers = {}
    own = asset.get("jsonResponse", asset.get("json_response"))
    if own is not None:
        layers["predicted"] = an_object(own, where)
    for item in a_list(asset.get("labels") or [], where, "labels"):
        label = an_object(item, where)
        layer = "gold" if label.get("labelType", "DEFAULT") in _HUMAN else "predicted"
        layers[layer] = an_object(label.get("jsonResponse"), where)
    return layers


def _read(
    response: dict[str, Any], text: str, where: str
) -> tuple[tuple[Annotation, ...] | None, tuple[str, ...]]:
    spans: list[Annotation] | None = None
    classes: list[str] = []
    for job in response.values():
        if not isinstance(job, dict):
            continue
        for item in a_list(job.get("categories") or [], where, "categories"):
            classes.append(_name(item, where))
        if "annotations" in job:
            found = a_list(job["annotations"], where, "annotations")
            spans = (spans or []) + [_span(an_object(s, where), text, where) for s in found]
    return (None if spans is None else sort_spans(spans)), tuple(classes)


def _name(category: Any, where: str) -> str:
    return a_string(an_object(category, where).get("name"), "name", where)


def _span(item: dict[str, Any], text: str, where: str) -> Annotation:
    content = a_string(item.get("content"), "content", where)
    categories = a_list(item.get("categories"), where, "categories")
    label = _name(categories[0], where) if categories else None
    start = item.get("beginOffset")
    if type(start) is int and text[max(start, 0) : start + len(content)] != content:
        start = Offsets(text, "utf-16").inward(start, where)
        if text[start : start + len(content)] != content:
            raise InputError(
                f"{where}: the text at offset {item['beginOffset']} is not the span's content "
                f"{content[:40]!r}"
            )
    end = start + len(content) if type(start) is int else None
    return an_annotation(text, start, end, label, where)


@writers.register("kili")
def write_kili(path: Path | str, records: Iterable[Record], tasks: Mapping[str, Task]) -> Written:
    """A JSON list of {external_id, content, json_response}, the arguments of
    ``create_predictions``; jobs are named by task, categories by label.

    Kili counts confidence from 0 to 100.
    """
    check_labels(tasks.values())
    written = Written()

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            written.documents += 1
            written.spans += len(record.spans)
            yield {
                "external_id": record.id,
                "content": record.text,
                "json_response": {
                    f"{name.upper()}_JOB": _response(record, task) for name, task in tasks.items()
                },
            }

    write_json_list(path, rows())
    return written


def _response(record: Record, task: Task) -> dict[str, Any]:
    if task.kind == "classes":
        chosen = [label for label in record.chosen if label in task.labels]
        return {"categories": [_category(k, record.classes.get(k, 1.0)) for k in chosen]}
    return {
        "annotations": [
            {
                "categories": [_category(span.label, span.probability)],
                "beginOffset": span.start,
                "content": record.text[span.start : span.end],
                "mid": f"a{i}",
            }
            for i, span in enumerate(record.spans)
            if span.label in task.labels
        ]
    }


def _category(label: str, probability: float) -> dict[str, Any]:
    return {"name": label, "confidence": round(100 * probability)}
