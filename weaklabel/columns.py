"""Shards and labels as Parquet files: the same columns come back, equal data give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
    """Write a shard: one row per document, tokens as lists."""
    import pyarrow as pa

    names = pa.array(shard.lexemes, pa.string())
    lexemes = pa.DictionaryArray.from_arrays(pa.array(shard.token_ids), names)
    columns = {
        "id": pa.array(shard.ids, pa.string()),
        "text": pa.array(shard.texts, pa.string()),
        "token": _lists(shard.indptr, lexemes),
        "start": _lists(shard.indptr, pa.array(shard.starts)),
        "end": _lists(shard.indptr, pa.array(shard.ends)),
        "sentence_start": _lists(shard.indptr, pa.array(shard.sentence_starts)),
        "fields": _jsons(shard.fields),
        "spans": _jsons(_plain_spans(layers) for layers in shard.spans),
        "classes": _jsons(shard.classes),
    }
    _write(path, columns, {"lang": shard.lang})


def load_shard(path: Path) -> Shard:
    """Read what ``save_shard`` wrote."""
    table, facts = _read(path)
    tokens = table["token"]
    token_ids, lexemes = _first_seen_first(tokens.flatten())
    return Shard(
        tuple(table["id"].to_pylist()),
        tuple(table["text"].to_pylist()),
        tokens.offsets.to_numpy().astype(np.int64),
        _flat(table["start"]),
        _flat(table["end"]),
        token_ids,
        lexemes,
        _flat(table["sentence_start"]),
        tuple(json.loads(row) for row in table["fields"].to_pylist()),
        tuple(_annotations(json.loads(row)) for row in table["spans"].to_pylist()),
        tuple(
            {layer: tuple(labels) for layer, labels in json.loads(row).items()}
            for row in table["classes"].to_pylist()
        ),
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
            "id": pa.array([shard.ids[d] for d in labels.document], pa.string()),
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
    table, facts = _read(path)
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


def _write(path: Path, columns: dict[str, Any], facts: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns).replace_schema_metadata({"weaklabel": json.dumps(facts)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=max(len(table), 1))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            table = file.read(use_threads=False).unify_dictionaries()
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

    return pa.ListArray.from_arrays(pa.array(indptr.astype(np.int32)), values)


def _flat(lists: Any) -> NDArray[Any]:
    values: NDArray[Any] = lists.flatten().to_numpy(zero_copy_only=False)
    return values


def _first_seen_first(tokens: Any) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Token ids and lexemes; lexemes in the order of first occurrence, as the tokenizer has them.

    Parquet may hand a dictionary back in another order than it was given.
    """
    ids = tokens.indices.to_numpy().astype(np.int32)
    lexemes = tokens.dictionary.to_pylist()
    first = np.full(len(lexemes), len(ids), dtype=np.int64)
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # of equal indices, the last assignment stays
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(ids))]
    rank = np.zeros(len(lexemes), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[ids] if len(ids) else ids, tuple(lexemes[i] for i in order)


def _jsons(rows: Iterable[Mapping[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.array([json.dumps(dict(row), ensure_ascii=False) for row in rows], pa.string())


def _plain_spans(layers: Mapping[str, tuple[Annotation, ...]]) -> dict[str, list[list[Any]]]:
    return {name: [[a.start, a.end, a.label] for a in spans] for name, spans in layers.items()}


def _annotations(layers: dict[str, list[Any]]) -> dict[str, tuple[Annotation, ...]]:
    return {name: tuple(Annotation(*row) for row in rows) for name, rows in layers.items()}


def _reasons(reasons: Reasons) -> Any:
    import pyarrow as pa

    columns = {name: pa.array(getattr(reasons, name)) for name in _REASON_COLUMNS}
    rows = pa.StructArray.from_arrays(list(columns.values()), list(columns))
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
