"""Values that come from outside: what is wrong with one is told with its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..corpus import Annotation
from ..errors import InputError, nearest
from .files import InputFile


def parse(line: str, where: str) -> Any:
    """A JSON value."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: no JSON ({error or 'nested too deeply'})") from None
    if "\\ud" in line or "\\uD" in line:
        _check_surrogates(value, where)
    return value


def _check_surrogates(value: Any, where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise InputError(
            f"{where}: \\u{code:04x} is half of a surrogate pair; write the character in full"
        ) from None


def objects(file: InputFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of a file with their places: JSON lines, or one JSON list of objects."""
    first = True
    for number, line in file.lines():
        if first and line.lstrip().startswith("["):
            yield from _listed(file)
            return
        if not line.strip():
            continue
        first = False
        where = f"{file.path}, line {number}"
        yield where, an_object(parse(line, where), where)


def _listed(file: InputFile) -> Iterator[tuple[str, dict[str, Any]]]:
    items = parse(file.text(), file.path)
    for number, item in enumerate(items):
        where = f"{file.path}, record {number}"
        yield where, an_object(item, where)


def an_object(value: Any, where: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, found {_kind(value)}")
    return value


def a_list(value: Any, where: str, key: str) -> list[Any]:
    """A JSON list."""
    if not isinstance(value, list):
        raise InputError(f"{where}: {key!r} should be a list, found {_kind(value)}")
    return value


def a_text(record: dict[str, Any], key: str, where: str) -> str:
    """The text under a key of a record."""
    if key not in record:
        raise InputError(f"{where}: no key {key!r}; {nearest(key, record) if record else 'empty'}")
    return a_string(record[key], key, where)


def a_string(value: Any, key: str, where: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {key!r} should be a string, found {_kind(value)}")
    return value


def words(value: Any, where: str, key: str) -> list[str]:
    """A list of tokens: strings, none of them empty."""
    for position, word in enumerate(a_list(value, where, key)):
        if not a_string(word, key, where):
            raise InputError(f"{where}: {key!r} has an empty string at {position}; leave it out")
    return list(value)


def an_id(value: Any, default: str, where: str) -> str:
    """An id: a string or a number; the default where there is none."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{where}: an id should be a string or a number, found {_kind(value)}")
    return str(value)


def an_annotation(text: str, start: Any, end: Any, label: Any, where: str) -> Annotation:
    """A span, checked to lie in the text."""
    for value in (start, end):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{where}: span offsets should be integers, found {_kind(value)}")
    if not isinstance(label, str) or not label:
        raise InputError(
            f"{where}: span {start} to {end} should have a label, found {_kind(label)}"
        )
    if start < 0 or end > len(text):
        raise InputError(
            f"{where}: span {start} to {end} ({label}) lies outside the text, which has "
            f"{len(text)} characters"
        )
    if end <= start:
        raise InputError(f"{where}: span {start} to {end} ({label}) is empty; its end is exclusive")
    return Annotation(start, end, label)


def span_layer(value: Any, text: str, where: str) -> tuple[Annotation, ...]:
    """Spans as objects (start, end, label) or as lists of three."""
    found = []
    for item in a_list(value, where, "spans"):
        if isinstance(item, list) and len(item) == 3:
            start, end, label = item
        elif isinstance(item, dict):
            start, end, label = item.get("start"), item.get("end"), item.get("label")
        else:
            raise InputError(
                f"{where}: a span should be an object with start, end, label, "
                f"or a list of the three, found {_kind(item)}"
            )
        found.append(an_annotation(text, start, end, label, where))
    return tuple(found)


def label_list(value: Any, key: str, where: str) -> tuple[str, ...]:
    """Class labels: one string, or a list of them."""
    many = value if isinstance(value, list) else [value]
    for label in many:
        if not isinstance(label, str) or not label:
            raise InputError(
                f"{where}: {key!r} should be a label or a list of labels, found {_kind(label)}"
            )
    return tuple(many)


def sort_spans(spans: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Spans in the order of the text."""
    return tuple(sorted(spans, key=lambda s: (s.start, s.end, s.label)))


def _kind(value: Any) -> str:
    names = {str: "a string", dict: "an object", list: "a list", bool: "true or false"}
    if value is None:
        return "nothing"
    if value == "":
        return "an empty string"
    return names.get(type(value), f"the number {value}")
