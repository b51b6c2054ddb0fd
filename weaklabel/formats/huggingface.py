"""Parquet as Hugging Face's ``datasets`` has it: names of tags and classes in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..atomic import atomic_path
from ..corpus import Annotation, Document
from ..errors import InputError, WeaklabelError
from ..tags import Scheme, decode
from ..task import Task
from .checks import a_text, an_annotation, an_id, words
from .files import InputFile, Source, input_files
from .parquet import need_columns, open_parquet, plain, rows
from .placing import Placed, flat_on_tokens, tags_of
from .record import Record, Written, check_labels
from .registry import readers, writers

_ROWS = 1024


@readers.register("huggingface")
def read_huggingface(
    path: Source,
    *,
    tokens: str = "tokens",
    tags: str = "ner_tags",
    text: str = "text",
    label: str = "label",
    id: str = "id",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from Parquet files with tokens and tags, or with text and a class.

    Tags and classes are numbers whose names stand in the schema (ClassLabel), or strings. Class
    -1 is unknown. Beside tokens, "text", "starts" and "ends" (our export has them) give the
    original text; else there is a space between any two tokens.
    """
    for file in input_files(path, (".parquet",)):
        with open_parquet(file) as parquet:
            columns = parquet.schema_arrow.names
            names = class_names(parquet.schema_arrow, file)
            need_columns(columns, (tokens,) if tokens in columns else (text,), file)
            for number, row in enumerate(rows(parquet)):
                where = f"{file.path}, row {number}"
                name = an_id(row.get(id), f"{file.name}-{number}", where)
                if tokens in row:
                    document = _of_tokens(row, name, tokens, text, where)
                else:
                    document = Document(name, a_text(row, text, where))
                offsets = document.tokens or ()
                spans = {}
                if row.get(tags) is not None:
                    spans[layer] = _spans(_named(row[tags], names.get(tags), where), offsets, where)
                classes = _classes(row.get(label), names.get(label), where)
                known = {tokens, tags, text, label, id, "starts", "ends"}
                yield Document(
                    document.id,
                    document.text,
                    document.tokens,
                    document.sentence_starts,
                    plain(row, known),
                    spans,
                    {layer: classes} if classes else {},
                )


def class_names(schema: Any, file: InputFile) -> dict[str, list[str]]:
    """The names of each column that holds ClassLabel numbers, or lists of them."""
    facts = (schema.metadata or {}).get(b"huggingface")
    if facts is None:
        return {}
    try:
        features = json.loads(facts)["info"]["features"]
        return {k: v for k, f in features.items() for v in [_names(f)] if v is not None}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file.path}: the schema's 'huggingface' facts are broken ({error})"
        ) from None


def _names(feature: Any) -> list[str] | None:
    if isinstance(feature, list):
        return _names(feature[0])
    if feature.get("_type") == "ClassLabel":
        return list(feature["names"])
    return _names(feature["feature"]) if isinstance(feature.get("feature"), dict) else None


def _of_tokens(row: dict[str, Any], name: str, tokens: str, text: str, where: str) -> Document:
    found = words(row[tokens], where, tokens)
    starts, ends = row.get("starts"), row.get("ends")
    if row.get(text) is None or starts is None or ends is None:
        return Document.from_tokens(name, [found] if found else [])
    content = a_text(row, text, where)
    if not len(starts) == len(ends) == len(found):
        raise InputError(f"{where}: {len(found)} tokens, {len(starts)} starts, {len(ends)} ends")
    for start, end in zip(starts, ends, strict=True):
        an_annotation(content, start, end, "token", where)
    return Document(name, content, tuple(zip(starts, ends, strict=True)))


def _named(values: Sequence[Any], names: list[str] | None, where: str) -> list[str]:
    named = []
    for value in values:
        if isinstance(value, str):
            named.append(value)
        elif names is None:
            raise InputError(
                f"{where}: tag {value!r} has no name: the schema has no ClassLabel; "
                "write tags as strings, or the file with `datasets`"
            )
        elif type(value) is not int or not 0 <= value < len(names):
            raise InputError(f"{where}: tag {value!r} should be 0 to {len(names) - 1}")
        else:
            named.append(names[value])
    return named


def _spans(
    tags: list[str], offsets: tuple[tuple[int, int], ...], where: str
) -> tuple[Annotation, ...]:
    if len(tags) != len(offsets):
        raise InputError(f"{where}: {len(offsets)} tokens, but {len(tags)} tags")
    try:
        return tuple(Annotation(offsets[a][0], offsets[b - 1][1], k) for a, b, k in decode(tags))
    except WeaklabelError as error:
        raise InputError(f"{where}: {error}") from None


def _classes(value: Any, names: list[str] | None, where: str) -> tuple[str, ...]:
    many = value if isinstance(value, list) else [value]
    return tuple(_named([v for v in many if v is not None and v != -1], names, where))


@writers.register("huggingface")
def write_huggingface(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    scheme: Scheme = "IOB2",
    soft: bool = True,
) -> Written:
    """Parquet that ``datasets.load_dataset("parquet", ...)`` reads with its ClassLabel features.

    Columns: id, text; for spans tokens, starts, ends, ner_tags; for classes label (a list if
    several may hold; -1 where nothing is known).
    soft: also ner_probs, (tokens, tags): the probability of a span stands at its tags and the
    rest at O; and label_probs, of every class in the order of the names.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_labels(tasks.values())
    columns = _Columns(tasks, scheme, soft)
    written = Written()
    walk = iter(records)
    with atomic_path(path) as temporary:
        schema = columns.schema(pa)
        with pq.ParquetWriter(temporary, schema, compression="zstd") as out:
            while batch := list(islice(walk, _ROWS)):
                made = [columns.row(record, written) for record in batch]
                out.write_table(pa.Table.from_pylist(made, schema=schema))
                written.documents += len(batch)
    return written


class _Columns:
    """The columns of an export and the names of its tags and classes."""

    def __init__(self, tasks: Mapping[str, Task], scheme: Scheme, soft: bool) -> None:
        labels = [k for task in tasks.values() if task.kind == "spans" for k in task.labels]
        prefixes = {"BIOES": "BIES", "BILOU": "BILU"}.get(scheme, "BI")
        self.tags = ["O", *(f"{p}-{k}" for k in labels for p in prefixes)] if labels else []
        classes = [task for task in tasks.values() if task.kind == "classes"]
        self.classes = [k for task in classes for k in task.labels]
        self.several = len(classes) > 1 or any(task.multi for task in classes)
        self.scheme, self.soft = scheme, soft

    def schema(self, pa: Any) -> Any:
        """The Arrow schema with the features of ``datasets`` in its metadata."""
        string = {"dtype": "string", "_type": "Value"}
        fields: list[tuple[str, Any, Any]] = [
            ("id", pa.string(), string),
            ("text", pa.string(), string),
        ]
        if self.tags:
            offsets = pa.list_(pa.int32())
            fields += [
                ("tokens", pa.list_(pa.string()), _many(string)),
                ("starts", offsets, _many(_value("int32"))),
                ("ends", offsets, _many(_value("int32"))),
                ("ner_tags", pa.list_(pa.int64()), _many(_named_class(self.tags))),
            ]
            if self.soft:
                probs = pa.list_(pa.list_(pa.float32()))
                fields.append(("ner_probs", probs, _many(_many(_value("float32")))))
        if self.classes:
            one = _named_class(self.classes)
            kind = pa.list_(pa.int64()) if self.several else pa.int64()
            fields.append(("label", kind, _many(one) if self.several else one))
            if self.soft:
                fields.append(("label_probs", pa.list_(pa.float32()), _many(_value("float32"))))
        features = {name: feature for name, _, feature in fields}
        facts = json.dumps({"info": {"features": features}})
        return pa.schema([(n, kind) for n, kind, _ in fields], metadata={"huggingface": facts})

    def row(self, record: Record, written: Written) -> dict[str, Any]:
        """One record as a row."""
        row: dict[str, Any] = {"id": record.id, "text": record.text}
        if self.tags:
            spans = flat_on_tokens(record, written)
            ids = {tag: i for i, tag in enumerate(self.tags)}
            tags = [ids[tag] for tag in tags_of(record, spans, self.scheme)]
            row["tokens"] = [record.text[a:b] for a, b in record.tokens]
            row["starts"] = [a for a, _ in record.tokens]
            row["ends"] = [b for _, b in record.tokens]
            row["ner_tags"] = tags
            if self.soft:
                row["ner_probs"] = self._tag_probabilities(spans, tags)
        if self.classes:
            chosen = [self.classes.index(label) for label in record.chosen]
            row["label"] = chosen if self.several else next(iter(chosen), -1)
            row["label_probs"] = [record.classes.get(label, 0.0) for label in self.classes]
        return row

    def _tag_probabilities(self, spans: list[Placed], tags: list[int]) -> list[list[float]]:
        outside = [1.0] + [0.0] * (len(self.tags) - 1)
        table = [outside] * len(tags)
        for first, end, span in spans:
            for i in range(first, end):
                table[i] = [1 - span.probability, *outside[1:]]
                table[i][tags[i]] = span.probability
        return table


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def _named_class(names: list[str]) -> dict[str, Any]:
    return {"names": names, "_type": "ClassLabel"}


def _many(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "List"}
