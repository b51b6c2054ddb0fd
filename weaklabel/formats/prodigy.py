"""Prodigy's JSON lines. ``token_end`` is inclusive, unlike everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus import Annotation, Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_text, an_annotation, an_id, an_object, label_list, objects, sort_spans
from .files import Source, input_files, json_line, output_file
from .placing import on_tokens
from .record import Record, Written
from .registry import joinable, readers, writers

_OWN = ("text", "tokens", "spans", "meta", "options", "accept", "answer", "label")


@readers.register("prodigy")
def read_prodigy(path: Source) -> Iterator[Document]:
    """Documents from ``prodigy db-out``.

    Accepted examples are layer "gold"; rejected and ignored ones have no layer, for they do not
    say what is right; those without an answer are layer "predicted". A rejected example of one
    label (binary classification) says "not this", which a layer cannot hold either.
    """
    for file in input_files(path, (".jsonl", ".json")):
        for number, (where, record) in enumerate(objects(file)):
            text = a_text(record, "text", where)
            meta = record.get("meta") or {}
            answer = record.get("answer")
            if answer not in (None, "accept", "reject", "ignore"):
                raise InputError(
                    f"{where}: answer {answer!r} should be accept, reject or ignore, or missing"
                )
            layer = {None: "predicted", "accept": "gold"}.get(answer)
            tokens = _tokens(record, text, where)
            spans, classes = _labels(record, text, tokens, where)
            yield Document(
                an_id(an_object(meta, where).get("id"), f"{file.name}-{number}", where),
                text,
                tokens,
                fields={k: v for k, v in record.items() if k not in _OWN and k[:1] != "_"},
                spans={layer: spans} if layer and spans is not None else {},
                classes={layer: classes} if layer and classes else {},
            )


def _tokens(record: dict[str, Any], text: str, where: str) -> tuple[tuple[int, int], ...] | None:
    """The tokens that are no white space (Prodigy has spaCy's white space tokens too)."""
    if "tokens" not in record:
        return None
    found = []
    for item in a_list(record["tokens"], where, "tokens"):
        token = an_object(item, where)
        span = an_annotation(text, token.get("start"), token.get("end"), "token", where)
        if not text[span.start : span.end].isspace():
            found.append((span.start, span.end))
    return tuple(found)


def _labels(
    record: dict[str, Any], text: str, tokens: Any, where: str
) -> tuple[tuple[Annotation, ...] | None, tuple[str, ...]]:
    spans = None
    if "spans" in record:
        items = [an_object(item, where) for item in a_list(record["spans"], where, "spans")]
        spans = sort_spans(
            an_annotation(text, item.get("start"), item.get("end"), item.get("label"), where)
            for item in items
        )
    classes: tuple[str, ...] = ()
    if "accept" in record:
        classes = label_list(a_list(record["accept"], where, "accept"), "accept", where)
    elif "label" in record:
        classes = label_list(record["label"], "label", where)
    return spans, classes


@writers.register("prodigy")
@joinable
def write_prodigy(
    path: Path | str, records: Iterable[Record], tasks: Mapping[str, Task]
) -> Written:
    """Examples with tokens and spans (``ner.manual``, ``spans.manual``), classes as options.

    meta holds the id and the probability of the least certain label.
    """
    kinds = {task.kind for task in tasks.values()}
    options = [k for task in tasks.values() if task.kind == "classes" for k in task.labels]
    written = Written()
    with output_file(path) as out:
        for record in records:
            row: dict[str, Any] = {"text": record.text}
            if "spans" in kinds:
                row["tokens"] = _write_tokens(record)
                row["spans"] = [
                    {
                        "start": span.start,
                        "end": span.end,
                        "token_start": first,
                        "token_end": end - 1,
                        "label": span.label,
                    }
                    for first, end, span in on_tokens(record, written)
                ]
                written.spans += len(row["spans"])
            if "classes" in kinds:
                row["options"] = [{"id": label, "text": label} for label in options]
                row["accept"] = list(record.chosen)
            row["meta"] = {"id": record.id, "score": round(record.least, 6)}
            row |= {k: v for k, v in record.fields.items() if k not in row and k not in _OWN}
            out.write(json_line(row))
            written.documents += 1
    return written


def _write_tokens(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "text": record.text[start:end],
            "start": start,
            "end": end,
            "id": i,
            "ws": record.text[end : end + 1] == " ",
        }
        for i, (start, end) in enumerate(record.tokens)
    ]
