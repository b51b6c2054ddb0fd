"""SageMaker Ground Truth's augmented manifest: an object a line, labels beside their metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_text, an_annotation, an_id, an_object, objects, sort_spans
from .files import Source, input_files, json_line, output_file
from .placing import flat
from .record import Record, Written, check_labels
from .registry import joinable, readers, writers

_SPANS = "groundtruth/text-span"
_CLASS = "groundtruth/text-classification"
_CLASSES = "groundtruth/text-classification-multilabel"


@readers.register("sagemaker")
def read_sagemaker(path: Source, *, text: str = "source", id: str = "id") -> Iterator[Document]:
    """Documents from a manifest: what persons labelled is layer "gold", the rest "predicted"."""
    for file in input_files(path, (".manifest", ".jsonl", ".json")):
        for number, (where, record) in enumerate(objects(file)):
            content = a_text(record, text, where)
            spans: dict[str, tuple[Annotation, ...]] = {}
            classes: dict[str, tuple[str, ...]] = {}
            known = {text, id}
            for key in [k for k in record if f"{k}-metadata" in record]:
                facts = an_object(record[f"{key}-metadata"], where)
                layer = "gold" if facts.get("human-annotated") == "yes" else "predicted"
                if facts.get("type") == _SPANS:
                    spans[layer] = spans.get(layer, ()) + _spans(record[key], content, where)
                elif facts.get("type") in (_CLASS, _CLASSES):
                    classes[layer] = classes.get(layer, ()) + _classes(facts, where)
                known |= {key, f"{key}-metadata"}
            yield Document(
                an_id(record.get(id), f"{file.name}-{number}", where),
                content,
                fields={k: v for k, v in record.items() if k not in known},
                spans={layer: sort_spans(found) for layer, found in spans.items()},
                classes=classes,
            )


def _spans(value: Any, text: str, where: str) -> tuple[Annotation, ...]:
    made = an_object(an_object(value, where).get("annotations"), where)
    return tuple(
        an_annotation(text, e.get("startOffset"), e.get("endOffset"), e.get("label"), where)
        for item in a_list(made.get("entities"), where, "entities")
        for e in [an_object(item, where)]
    )


def _classes(facts: dict[str, Any], where: str) -> tuple[str, ...]:
    if "class-map" in facts:
        return tuple(str(name) for name in an_object(facts["class-map"], where).values())
    if not isinstance(facts.get("class-name"), str):
        raise InputError(f"{where}: a classification's metadata should have 'class-name'")
    return (facts["class-name"],)


@writers.register("sagemaker")
@joinable
def write_sagemaker(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    job_name: str = "weaklabel",
    created: str = "1970-01-01T00:00:00.000000",
) -> Written:
    """A manifest with an attribute per task, of its name.

    Ground Truth's spans cannot overlap: inner ones are left out and counted. created: stands in
    the metadata; fixed, so that the same labels give the same bytes.
    """
    check_labels(tasks.values())
    for name in tasks:
        if name.endswith("-ref") or "-metadata" in name:
            raise InputError(f"task {name!r}: SageMaker allows no '-ref' or '-metadata' in a name")
    common = {"job-name": f"labeling-job/{job_name}", "creation-date": created}
    written = Written()
    with output_file(path) as out:
        for record in records:
            row: dict[str, Any] = {"source": record.text, "id": record.id}
            for name, task in tasks.items():
                value, facts = _attribute(record, task, written)
                if value is not None:
                    row[name] = value
                    row[f"{name}-metadata"] = facts | common | {"human-annotated": "no"}
            out.write(json_line(row))
            written.documents += 1
    return written


def _attribute(record: Record, task: Task, written: Written) -> tuple[Any, dict[str, Any]]:
    if task.kind == "spans":
        placed = [(s.start, s.end, s) for s in record.spans if s.label in task.labels]
        spans = [span for *_, span in flat(placed, len(record.text), written)]
        written.spans += len(spans)
        entities = [{"startOffset": s.start, "endOffset": s.end, "label": s.label} for s in spans]
        value = {
            "annotations": {
                "entities": entities,
                "labels": [{"label": label} for label in task.labels],
            }
        }
        sure = [{"confidence": round(s.probability, 6)} for s in spans]
        return value, {"entities": sure, "type": _SPANS}
    chosen = [label for label in record.chosen if label in task.labels]
    sure_of = {label: round(record.classes.get(label, 1.0), 6) for label in chosen}
    ids = [task.labels.index(label) for label in chosen]
    if task.multi:
        facts: dict[str, Any] = {
            "class-map": {str(i): label for i, label in zip(ids, chosen, strict=True)},
            "confidence-map": {
                str(i): sure_of[label] for i, label in zip(ids, chosen, strict=True)
            },
            "type": _CLASSES,
        }
        return ids, facts
    if not chosen:
        return None, {}
    facts = {"class-name": chosen[0], "confidence": sure_of[chosen[0]], "type": _CLASS}
    return str(ids[0]), facts
