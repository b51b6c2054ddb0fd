"""Label Studio: tasks with predictions in, annotations out. Offsets count UTF-16 code units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from ..atomic import write_text
from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import (
    a_list,
    a_text,
    an_annotation,
    an_id,
    an_object,
    label_list,
    objects,
    sort_spans,
)
from .files import Source, input_files, write_json_list
from .offsets import Offsets
from .record import Record, RecordSpan, Written, check_labels
from .registry import readers, writers

_OBJECT = "text"


@readers.register("label_studio")
def read_label_studio(
    path: Source, *, text: str = "text", id: str = "doc_id", annotators: bool = False
) -> Iterator[Document]:
    """Documents from Label Studio's JSON export.

    Layer "gold": the annotation marked as ground truth, else the last that was not cancelled;
    "predicted": the last prediction. Tasks without either have no such layer.
    text, id: keys of a task's data; without the id the task's own is taken.
    annotators: also a layer "annotator N" for each person.
    """
    for file in input_files(path, (".json", ".jsonl")):
        for number, (where, task) in enumerate(objects(file)):
            data = an_object(task.get("data"), where)
            content = a_text(data, text, where)
            name = an_id(data.get(id, task.get("id")), f"{file.name}-{number}", where)
            results = dict(_layers(task, where, annotators))
            offsets = Offsets(content, "utf-16")
            yield Document(
                name,
                content,
                fields={k: v for k, v in data.items() if k not in (text, id)},
                spans={k: _spans(r, content, offsets, where) for k, r in results.items()},
                classes={k: c for k, r in results.items() for c in [_classes(r, where)] if c},
            )


def _layers(
    task: dict[str, Any], where: str, annotators: bool
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The results by layer."""
    done = [
        an_object(made, where)
        for made in a_list(task.get("annotations") or [], where, "annotations")
        if not made.get("was_cancelled")
    ]
    if done:
        truth = [made for made in done if made.get("ground_truth")]
        yield "gold", _results((truth or done)[-1], where)
    if annotators:
        for made in done:
            yield f"annotator {_person(made.get('completed_by'))}", _results(made, where)
    predictions = a_list(task.get("predictions") or [], where, "predictions")
    # an export names predictions by their ids unless it is asked for more
    shown = [an_object(made, where) for made in predictions if not isinstance(made, int)]
    if shown:
        yield "predicted", _results(shown[-1], where)


def _person(completed_by: Any) -> Any:
    return completed_by.get("id") if isinstance(completed_by, dict) else completed_by


def _results(made: dict[str, Any], where: str) -> list[dict[str, Any]]:
    return [an_object(item, where) for item in a_list(made.get("result"), where, "result")]


def _spans(
    results: Sequence[dict[str, Any]], text: str, offsets: Offsets, where: str
) -> tuple[Annotation, ...]:
    spans = []
    for item in results:
        if item.get("type") == "hypertextlabels":
            raise InputError(
                f"{where}: HyperText offsets are XPaths and cannot be read; label with a Text tag"
            )
        if item.get("type") != "labels":
            continue
        value = an_object(item.get("value"), where)
        start, end = (offsets.inward(value.get(key, -1), where) for key in ("start", "end"))
        for label in label_list(value.get("labels"), "labels", where):
            spans.append(an_annotation(text, start, end, label, where))
    return sort_spans(spans)


def _classes(results: Sequence[dict[str, Any]], where: str) -> tuple[str, ...]:
    chosen: list[str] = []
    for item in results:
        if item.get("type") == "choices":
            value = an_object(item.get("value"), where)
            chosen += label_list(value.get("choices"), "choices", where)
    return tuple(chosen)


@writers.register("label_studio")
def write_label_studio(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    model_version: str = "weaklabel",
    config: bool = True,
) -> Written:
    """A JSON list of tasks with predictions; annotations where persons know the document in full.

    A prediction's score is that of its least certain label, so that Label Studio's order by
    score puts doubt first. config: the labelling set-up goes beside it, as PATH.config.xml.
    """
    check_labels(tasks.values())
    owner: dict[tuple[str, str], str] = {
        (task.kind, label): name for name, task in tasks.items() for label in task.labels
    }
    written = Written()

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            written.documents += 1
            written.spans += len(record.spans)
            offsets = Offsets(record.text, "utf-16")
            result = _write_spans(record, record.spans, owner, offsets)
            result += _write_classes(record.chosen, record.classes, owner)
            row: dict[str, Any] = {"data": {"text": record.text, "doc_id": record.id}}
            row["data"] |= {k: v for k, v in record.fields.items() if k not in row["data"]}
            score = round(record.least, 6)
            row["predictions"] = [
                {"model_version": model_version, "score": score, "result": result}
            ]
            if record.complete:
                decided = _write_spans(record, record.decided_spans or (), owner, offsets)
                decided += _write_classes(record.decided_classes or (), {}, owner)
                row["annotations"] = [{"result": decided, "ground_truth": True}]
            yield row

    write_json_list(path, rows())
    if config:
        write_text(f"{path}.config.xml", label_config(tasks))
    return written


def _write_spans(
    record: Record,
    spans: Iterable[RecordSpan],
    owner: Mapping[tuple[str, str], str],
    offsets: Offsets,
) -> list[dict[str, Any]]:
    return [
        {
            "id": f"s{i}",
            "from_name": owner["spans", span.label],
            "to_name": _OBJECT,
            "type": "labels",
            "score": round(span.probability, 6),
            "value": {
                "start": offsets.outward(span.start),
                "end": offsets.outward(span.end),
                "text": record.text[span.start : span.end],
                "labels": [span.label],
            },
        }
        for i, span in enumerate(spans)
    ]


def _write_classes(
    chosen: Iterable[str], sure: Mapping[str, float], owner: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    by_task: dict[str, list[str]] = {}
    for label in chosen:
        by_task.setdefault(owner["classes", label], []).append(label)
    return [
        {
            "id": f"c{i}",
            "from_name": name,
            "to_name": _OBJECT,
            "type": "choices",
            "score": round(min(sure.get(label, 1.0) for label in names), 6),
            "value": {"choices": names},
        }
        for i, (name, names) in enumerate(by_task.items())
    ]


def label_config(tasks: Mapping[str, Task]) -> str:
    """The labelling set-up of a project for these tasks, as XML."""
    lines = ["<View>"]
    for name, task in tasks.items():
        tag, item = ("Labels", "Label") if task.kind == "spans" else ("Choices", "Choice")
        choice = f' choice="{"multiple" if task.multi else "single"}"' if tag == "Choices" else ""
        lines.append(f'  <{tag} name={quoteattr(name)} toName="{_OBJECT}"{choice}>')
        lines += [f"    <{item} value={quoteattr(label)}/>" for label in task.labels]
        lines.append(f"  </{tag}>")
    lines += [f'  <Text name="{_OBJECT}" value="$text"/>', "</View>", ""]
    return "\n".join(lines)
