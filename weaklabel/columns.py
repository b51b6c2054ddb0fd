"""Shards and labels as Parquet files: the same columns come back, equal data give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atomic import atomic_path
from .corpus import Annotation, Shard
from .errors import RunError
from .labels import ClassLabels, Labels, Reasons, SpanLabels
from .task import Task


def save_shard(path: Path, shard: Shard) -> None:
    """Write a shard: one row per document, tokens as lists.

    ``token`` numbers the lexemes in the order of their first occurrence; each stands, as
    ``lexeme``, with the document where it occurs first.
    """
    import pyarrow as pa

    tokens, lexemes = _first_seen_first(shard.token_ids, shard.lexemes)
    seen = np.concatenate([[0], np.maximum.accumulate(tokens) + 1])
    columns = {
        "id": pa.array(shard.ids, pa.string()),
        "text": pa.array(shard.texts, pa.string()),
        "token": _lists(shard.indptr, pa.array(tokens)),
        "lexeme": _lists(seen[shard.indptr], pa.array(lexemes, pa.string())),
        "start": _lists(shard.indptr, pa.array(shard.starts)),
        "end": _lists(shard.indptr, pa.array(shard.ends)),
        "sentence_start": _lists(shard.indptr, pa.array(shard.sentence_starts)),
        "fields": _jsons(shard.fields),
        "spans": _jsons(_plain_spans(layers) for layers in shard.spans),
        "classes": _jsons(shard.classes),
    }
    rising = dict.fromkeys(["token", "start", "end"], "DELTA_BINARY_PACKED")
    _write(
        path,
        columns,
        {"lang": shard.lang},
        use_dictionary=["fields", "spans", "classes"],
        column_encoding={f"{name}.list.element": kind for name, kind in rising.items()},
    )


def load_shard(path: Path) -> Shard:
    """Read what ``save_shard`` wrote."""
    table, facts = _read(path)
    return Shard(
        tuple(table["id"].to_pylist()),
        tuple(table["text"].to_pylist()),
        table["token"].offsets.to_numpy().astype(np.int64),
        _flat(table["start"]),
        _flat(table["end"]),
        _flat(table["token"]).copy(),
        tuple(table["lexeme"].flatten().to_pylist()),
        _flat(table["sentence_start"]),
        _parsed(table["fields"], dict),
        _parsed(table["spans"], _annotations),
        _parsed(table["classes"], _layers),
        facts["lang"],
    )


def save_labels(path: Path, labels: Labels, shard: Shard) -> None:
    """Write labels; beside the columns that are read back stand ids and character offsets."""
    import pyarrow as pa

    probability = {
        f"p_{label}": pa.array(labels.probability[:, k])
        for k, label in enumerate(labels.task.labels)
    }
    if isinstance(labels, SpanLabels):
        start, end = shard.characters(labels.document, labels.start, labels.end)
        columns = {
            "id": pa.array(shard.ids, pa.string()).take(pa.array(labels.document)),
            "start_char": pa.array(start),
            "end_char": pa.array(end),
            "document": pa.array(labels.document),
            "start": pa.array(labels.start),
            "end": pa.array(labels.end),
            "chosen": pa.array(labels.chosen),
            "layer": pa.array(labels.layer),
        }
        facts: dict[str, Any] = {"n_tokens": labels.n_tokens.tolist()}
    else:
        columns = {"id": pa.array(shard.ids, pa.string()), "covered": pa.array(labels.covered)}
        facts = {}
    facts["task"] = labels.task.to_json()
    columns |= probability
    if labels.reasons is not None:
        facts["sources"] = list(labels.reasons.sources)
        columns["reasons"] = _reasons(labels.reasons)
    _write(path, columns, facts)


def load_labels(path: Path) -> Labels:
    """Read what ``save_labels`` wrote."""
    table, facts = _read(path, unread=("id", "start_char", "end_char"))
    task = Task(**facts["task"])
    probability = np.stack([table[f"p_{label}"].to_numpy() for label in task.labels], axis=1)
    reasons = _load_reasons(table["reasons"], facts["sources"]) if "sources" in facts else None
    if task.kind == "classes":
        covered = table["covered"].to_numpy(zero_copy_only=False)
        return ClassLabels(task, probability, covered, reasons)
    return SpanLabels(
        task,
        np.asarray(facts["n_tokens"], dtype=np.int32),
        table["document"].to_numpy().astype(np.int64),
        table["start"].to_numpy().astype(np.int32),
        table["end"].to_numpy().astype(np.int32),
        probability,
        table["chosen"].to_numpy().astype(np.int16),
        table["layer"].to_numpy().astype(np.int8),
        reasons,
    )


def _write(path: Path, columns: dict[str, Any], facts: dict[str, Any], **settings: Any) -> None:
    """Write columns without nulls; a shard is read often, so lz4, which is the fastest to read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
        {"weaklabel": json.dumps(facts)},
    )
    table = pa.Table.from_arrays(list(columns.values()), schema=schema)
    rows = max(len(table), 1)
    with atomic_path(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="lz4",
            write_statistics=False,
            row_group_size=rows,
            **settings,
        )


def _read(path: Path, unread: Iterable[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            wanted = [name for name in file.schema_arrow.names if name not in unread]
            table = file.read(wanted, use_threads=False)
        facts = json.loads(table.schema.metadata[b"weaklabel"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: no file that weaklabel wrote ({error})") from None
    columns = {name: _whole(table[name]) for name in table.column_names}
    return columns, facts


def _whole(column: Any) -> Any:
    import pyarrow as pa

    if column.num_chunks == 0:
        return pa.array([], column.type)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _lists(indptr: NDArray[np.int64], values: Any) -> Any:
    import pyarrow as pa

    kind = pa.list_(pa.field("element", values.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(indptr.astype(np.int32)), values, type=kind)


def _flat(lists: Any) -> NDArray[Any]:
    values: NDArray[Any] = lists.flatten().to_numpy(zero_copy_only=False)
    return values


def _first_seen_first(
    ids: NDArray[np.int32], lexemes: tuple[str, ...]
) -> tuple[NDArray[np.int32], Sequence[str]]:
    """Token ids and lexemes; lexemes in the order of first occurrence, as the tokenizer has them.

    Shards of chosen documents have them in another order, and more than occur.
    """
    first = np.full(len(lexemes), len(ids), dtype=np.int64)
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # of equal indices, the last assignment stays
    if (np.diff(first) > 0).all() and (first < len(ids)).all():
        return ids, lexemes
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(ids))]
    rank = np.zeros(len(lexemes), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[ids], [lexemes[i] for i in order]


def _jsons(rows: Iterable[Mapping[str, Any]]) -> Any:
    import pyarrow as pa

    texts = [json.dumps(dict(row), ensure_ascii=False) if row else "{}" for row in rows]
    return pa.array(texts, pa.string())


def _parsed(column: Any, made: Callable[[dict[str, Any]], Any]) -> tuple[Any, ...]:
    """What is made of the JSON object of each row, most of which are the same."""
    rows = column.to_pylist()
    known = {row: made(json.loads(row)) for row in set(rows)}
    return tuple([known[row] for row in rows])


def _plain_spans(layers: Mapping[str, tuple[Annotation, ...]]) -> dict[str, list[list[Any]]]:
    return {name: [[a.start, a.end, a.label] for a in spans] for name, spans in layers.items()}


def _annotations(layers: dict[str, list[Any]]) -> dict[str, tuple[Annotation, ...]]:
    return {name: tuple(Annotation(*row) for row in rows) for name, rows in layers.items()}


def _layers(layers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(labels) for name, labels in layers.items()}


def _reasons(reasons: Reasons) -> Any:
    import pyarrow as pa

    columns = {name: pa.array(getattr(reasons, name)) for name in _REASON_COLUMNS}
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    rows = pa.StructArray.from_arrays(list(columns.values()), fields=fields)
    return _lists(reasons.indptr, rows)


_REASON_COLUMNS = {
    "source": np.int32,
    "label": np.int16,
    "relation": np.int8,
    "weight": np.float32,
}


def _load_reasons(lists: Any, sources: list[str]) -> Reasons:
    rows = lists.flatten()
    columns = {
        name: rows.field(name).to_numpy().astype(dtype) for name, dtype in _REASON_COLUMNS.items()
    }
    return Reasons(tuple(sources), lists.offsets.to_numpy().astype(np.int64), **columns)
