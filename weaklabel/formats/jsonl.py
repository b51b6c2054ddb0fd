"""JSON lines: an object a line, offsets in characters, end exclusive. The format of our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..corpus import Document
from ..errors import InputError
from ..task import Task
from .checks import a_list, a_string, a_text, an_id, label_list, objects, span_layer, words
from .files import Source, input_files, output_file, spelled
from .record import Record, RecordSpan, Voted, Written, check_labels
from .registry import joinable, readers, writers


@readers.register("jsonl")
def read_jsonl(
    path: Source,
    *,
    text: str = "text",
    id: str = "id",
    spans: str = "spans",
    label: str = "label",
    tokens: str = "tokens",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from JSON lines (or one JSON list of objects).

    text, id, spans, label, tokens: the keys that hold them; all but the text may be missing.
        Spans are objects with start, end, label, or lists of the three; tokens are [start, end]
        pairs, or strings, which then also make the text if there is none. Spans or labels that
        are an object are layers: {"gold": [...], "BTC": [...]}.
    layer: the name of the layer that plain spans and labels go to.
    """
    known = {text, id, spans, label, tokens}
    for file in input_files(path, (".jsonl", ".json", ".ndjson")):
        for number, (where, record) in enumerate(objects(file)):
            name = an_id(record.get(id), f"{file.name}-{number}", where)
            if text not in record and _are_strings(record.get(tokens)):
                bare = Document.from_tokens(name, [words(record[tokens], where, tokens)])
                content, offsets = bare.text, bare.tokens
            else:
                content = a_text(record, text, where)
                offsets = _offsets(record.get(tokens), content, where)
            marked = _layers(record.get(spans), layer)
            classed = _layers(record.get(label), layer)
            yield Document(
                name,
                content,
                offsets,
                fields={k: v for k, v in record.items() if k not in known},
                spans={k: span_layer(v, content, where) for k, v in marked.items()},
                classes={k: label_list(v, label, where) for k, v in classed.items()},
            )


def _layers(value: Any, layer: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {} if value is None else {layer: value}


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(token, str) for token in value)


def _offsets(value: Any, text: str, where: str) -> tuple[tuple[int, int], ...] | None:
    if value is None:
        return None
    if _are_strings(value):
        return find_tokens(value, text, where)
    offsets = []
    last = 0
    for pair in a_list(value, where, "tokens"):
        ok = isinstance(pair, list) and len(pair) == 2 and all(type(x) is int for x in pair)
        if not ok or not last <= pair[0] < pair[1] <= len(text):
            raise InputError(
                f"{where}: tokens should be strings or [start, end] pairs in order, found {pair!r}"
            )
        offsets.append((pair[0], pair[1]))
        last = pair[1]
    return tuple(offsets)


def find_tokens(tokens: list[str], text: str, where: str) -> tuple[tuple[int, int], ...]:
    """The offsets of token strings, searched for in the text one after the other."""
    offsets, position = [], 0
    for token in tokens:
        start = text.find(a_string(token, "tokens", where), position)
        if start < 0 or not token:
            raise InputError(f"{where}: token {token!r} is not in the text after {position}")
        position = start + len(token)
        offsets.append((start, position))
    return tuple(offsets)


@writers.register("jsonl")
@joinable
def write_jsonl(
    path: Any,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    model_version: str = "",
    sources: bool = True,
    tokens: bool = False,
) -> Written:
    """One object a line: id, text, spans, label, probabilities, and the document's other fields.

    model_version: stands in every record. sources: who voted what, and how much it counted
    (nats). tokens: the offsets of the tokens as well.
    """
    check_labels(tasks.values())
    kinds = {task.kind for task in tasks.values()}
    class_tasks = [task for task in tasks.values() if task.kind == "classes"]
    several = len(class_tasks) > 1 or any(task.multi for task in class_tasks)
    written = Written()
    with output_file(path) as out:
        for record in records:
            row = {"id": spelled(record.id), "text": spelled(record.text)}
            if "spans" in kinds:
                row["spans"] = f"[{', '.join([_span(span, sources) for span in record.spans])}]"
            if "classes" in kinds:
                label = list(record.chosen) if several else next(iter(record.chosen), None)
                row["label"] = spelled(label)
                row["probabilities"] = spelled({k: round(p, 6) for k, p in record.classes.items()})
                if sources and record.sources:
                    row["sources"] = _voted(record.sources)
            if tokens:
                row["tokens"] = spelled(list(record.tokens))
            if model_version:
                row["model"] = spelled(model_version)
            line = ", ".join([f'"{key}": {value}' for key, value in row.items()])
            rest = {k: v for k, v in record.fields.items() if k not in row}
            line += f", {spelled(rest)[1:-1]}" if rest else ""
            out.write(f"{{{line}}}\n".encode())
            written.documents += 1
            written.spans += len(record.spans)
    return written


def _span(span: RecordSpan, sources: bool) -> str:
    start, end, label, probability, layer, votes = span
    deep = f', "layer": {layer}' if layer else ""
    voted = f', "sources": {_voted(votes)}' if sources and votes else ""
    return (
        f'{{"start": {start}, "end": {end}, "label": {_label(label)}, '
        f'"probability": {_probability(probability)}{deep}{voted}}}'
    )


_label = lru_cache(maxsize=1024)(spelled)


@lru_cache(maxsize=65_536)
def _probability(value: float) -> str:
    return spelled(round(value, 6))


@lru_cache(maxsize=65_536)
def _voted(sources: Voted) -> str:
    # 0.0 and -0.0 are one key of the cache, so they must be spelled alike
    return spelled([[source, label, round(weight + 0.0, 4)] for source, label, weight in sources])
