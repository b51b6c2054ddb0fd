"""Labels of a run -> a file in some format, or one for each split."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .atomic import SUFFIX
from .columns import load_labels, load_shard
from .engine_local import Engine
from .errors import JobError, nearest
from .formats.files import output_file
from .formats.record import Record, Written, records
from .formats.registry import writers
from .in_turn import in_turn
from .job import Use
from .run import Run
from .splits import split
from .task import Task

_PIECE = 1 << 20

GIVEN = ("path", "records", "tasks")
"""What a writer is given by us, not by settings."""


def export_to(
    folder: Path | str,
    format: str,
    path: Path,
    tasks: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    fractions: Mapping[str, float] | None = None,
) -> dict[Path, Written]:
    """Write the labels of a run folder in a format; of all its tasks, or of some.

    fractions: by split; each has a file, its name before the suffix of ``path``. None: one file.
    """
    if format not in writers.names():
        raise JobError(f"no format {format!r}; {nearest(format, writers.names())}")
    run = Run.open(folder)
    output = Use(use=format, **(settings or {}))
    chosen = tasks or list(run.tasks)
    if fractions is None:
        return {path: export(run, chosen, output, path)}
    sides = _sides(run, fractions)
    return {
        split_path(path, name): export(run, chosen, output, split_path(path, name), sides, name)
        for name in fractions
    }


def export(
    run: Run,
    tasks: Sequence[str],
    output: Use,
    path: Path | str,
    sides: Sequence[str] = (),
    side: str = "",
) -> Written:
    """Write the labels of tasks in a format, one shard in memory at a time.

    sides: the split of each document of the corpus; only those on ``side`` are written.
    """
    from .review.decided import decided_gold

    labels = {task: run.labels(task) for task in tasks}
    found = {task: decided_gold(run.folder, run.tasks[task], run.shards) for task in tasks}
    decided = {task: gold for task, gold in found.items() if gold is not None}

    def stream() -> Iterator[Record]:
        for i, shard in enumerate(run.shards):
            gold = {task: shards[i] for task, shards in decided.items()}
            yield from records(shard, {task: labels[task][i] for task in tasks}, gold)

    def chosen() -> Iterator[Record]:
        return (one for one, where in zip(stream(), sides, strict=True) if where == side)

    wanted = {task: run.tasks[task] for task in tasks}
    rows = chosen() if sides else stream()
    return writers.factory(output.use)(path, rows, wanted, **output.settings)


def export_in_parts(
    engine: Engine,
    run: Run,
    tasks: Sequence[str],
    output: Use,
    path: Path,
    watch: Callable[[int], None] = lambda done: None,
) -> Written:
    """``export`` for a joinable format: the engine writes the parts, here they are joined.

    A part is removed as soon as it is in the file; those of a killed run are swept by the next.
    """
    wanted = {task: run.tasks[task] for task in tasks}
    make = partial(export_part, run.folder, wanted, output, path)
    total = Written()
    with output_file(path) as out:
        results = in_turn(engine.map(make, range(run.n_shards)), f"part of {path.name}")
        for shard, written in enumerate(results):
            part = part_path(path, shard)
            with part.open("rb") as content:
                shutil.copyfileobj(content, out, _PIECE)
            part.unlink()
            total += written
            watch(shard + 1)
    return total


def export_part(
    folder: Path, tasks: Mapping[str, Task], output: Use, path: Path, index: int
) -> Written:
    """One shard's part of a file, in whichever process."""
    from .review.decided import decided_gold

    run = Run(folder)
    shard = load_shard(run.shard_path(index))
    labels = {name: load_labels(run.labels_path(name, index)) for name in tasks}
    found = {name: decided_gold(folder, task, [shard]) for name, task in tasks.items()}
    decided = {name: gold[0] for name, gold in found.items() if gold is not None}
    rows = records(shard, labels, decided)
    return writers.factory(output.use)(part_path(path, index), rows, tasks, **output.settings)


def part_path(path: Path, shard: int) -> Path:
    """Where a part lies: a temporary file beside the whole one."""
    return path.with_name(f".{path.name}.{shard:05d}{SUFFIX}")


def _sides(run: Run, fractions: Mapping[str, float]) -> list[str]:
    texts = [text for shard in run.shards for text in shard.texts]
    return split(texts, fractions=fractions, seed=run.job.seed)


def split_path(path: Path, name: str) -> Path:
    """The file of a split: data.jsonl.gz -> data-train.jsonl.gz."""
    stem, dot, suffix = path.name.partition(".")
    return path.with_name(f"{stem}-{name}{dot}{suffix}")


def fractions_of(text: str) -> dict[str, float]:
    """``train=0.8,dev=0.2`` as a mapping."""
    fractions: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            fractions[name] = float(share)
        except ValueError:
            raise JobError(f"--split {part!r}: expected NAME=SHARE, such as train=0.8") from None
        if not name.replace("_", "").replace("-", "").isalnum():
            raise JobError(f"--split {part!r}: a split's name is letters, digits, '-' and '_'")
    return fractions


def settings_of(format: str, pairs: Sequence[str]) -> dict[str, Any]:
    """``key=value`` pairs as settings of a writer; values are YAML scalars, checked by type."""
    import yaml

    if format not in writers.names():
        raise JobError(f"no format {format!r}; {nearest(format, writers.names())}")
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise JobError(f"--set {pair!r}: expected KEY=VALUE")
        try:
            settings[key] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            raise JobError(f"--set {pair!r}: the value is no YAML scalar; quote it") from None
    _check(format, settings)
    return settings


def _check(format: str, settings: Mapping[str, Any]) -> None:
    import inspect
    from typing import get_type_hints

    from pydantic import TypeAdapter, ValidationError

    factory = writers.factory(format)
    hints = get_type_hints(factory)
    parameters = inspect.signature(factory).parameters
    known = [key for key in parameters if key not in GIVEN]
    for key, value in settings.items():
        if key not in known:
            hint = nearest(key, known) if known else "it has none"
            raise JobError(f"format {format!r} has no setting {key!r}; {hint}")
        try:
            TypeAdapter(hints.get(key, Any)).validate_python(value, strict=True)
        except ValidationError as error:
            raise JobError(f"format {format!r}, {key}: {error.errors()[0]['msg']}") from None
