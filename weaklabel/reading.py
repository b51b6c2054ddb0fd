"""Documents -> shards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .atomic import write_text
from .context import Context, Step
from .corpus import Corpus, Document
from .engine_local import Engine, Failed
from .errors import InputError, RunError, WeaklabelError
from .keys import digest, file_digest
from .manifest import manifest, same_beginning
from .prepare import documents, resolve
from .stages import tokenize


def read_documents(context: Context, engine: Engine) -> None:
    """Lay out the input as shards, unless they are there; then the manifest names them."""
    key = input_key(context)
    run, job = context.run, context.prepared.job
    if run.manifest.get("input_key") == key and _all_there(context):
        count = run.n_shards
    else:
        write_text(run.folder / "job.yaml", job.file.text)
        with _unchanged(context):
            count = _tokenize(context, engine, key)
        _drop_beyond(run.folder, count)
    notes = [context.stamps.read(run.shard_path(i)) for i in range(count)]
    content = manifest(context.prepared, key, [note for note in notes if note], context.limit)
    _check_layers(context, content)
    write_text(run.folder / "job.yaml", job.file.text)
    if not same_beginning(run.manifest, content):
        run.write_manifest(content)
    _drop_unknown(context)


def input_key(context: Context) -> str:
    """The key of all shards: the content of the input, and how it is read."""
    job = context.prepared.job
    facts = [job.input.model_dump(), job.lang, job.shard_documents, context.limit]
    path = resolve(job.folder, job.input.path)
    return digest([facts, input_digests(path, context.run.folder)])


def input_digests(path: str, run_folder: Path) -> list[tuple[str, str]]:
    """Name and digest of every file of an input: a path, a folder, a glob or a URL."""
    from .formats.files import input_files

    if "://" not in path and Path(path).exists():
        files = _below(Path(path), run_folder)
        return [(str(file.relative_to(Path(path).parent)), file_digest(file)) for file in files]
    found = input_files(path)
    return [(file.path, digest(str(file.filesystem.checksum(file.path)))) for file in found]


def _below(path: Path, run_folder: Path) -> list[Path]:
    """A file, or all files of a folder, but for those that the run itself writes there."""
    if not path.is_dir():
        return [path]
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in files if not file.absolute().is_relative_to(run_folder))


@contextmanager
def _unchanged(context: Context) -> Iterator[None]:
    """Whatever is laid out of an input that changes meanwhile is not to be trusted."""
    path = resolve(context.prepared.job.folder, context.prepared.job.input.path)
    folder = context.run.folder
    before = _state(path, folder)
    try:
        yield
    finally:
        if _state(path, folder) != before:
            for note in (folder / ".done" / "shards").glob("*.json"):
                note.unlink()
            raise InputError(f"{path}: changed or vanished while it was read; run again") from None


def _state(path: str, run_folder: Path) -> list[tuple[object, ...]]:
    """What differs once a file of an input was written to, replaced or removed."""
    from .formats.files import input_files

    try:
        if "://" in path:
            return list(input_digests(path, run_folder))
        there = Path(path).exists()
        files = [Path(file.path) for file in input_files(path)] if not there else []
        paths = files or _below(Path(path), run_folder)
        stats = [(str(file), file.stat()) for file in paths]
    except (OSError, WeaklabelError):
        return []
    return [(name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats]


def _all_there(context: Context) -> bool:
    paths = [context.run.shard_path(i) for i in range(context.run.n_shards)]
    return bool(paths) and all(context.stamps.read(path) for path in paths)


def _tokenize(context: Context, engine: Engine, key: str) -> int:
    job = context.prepared.job
    corpus = Corpus(
        documents(job, context.limit), lang=job.lang, shard_documents=job.shard_documents
    )
    trouble: list[WeaklabelError] = []

    def items() -> Iterator[tuple[int, str, list[Document]]]:
        """As far as the input can be read; what was read before is finished first."""
        try:
            for i, batch in enumerate(corpus.batches()):
                yield i, digest([key, i]), batch
        except WeaklabelError as error:
            trouble.append(error)

    count = 0
    for item, result in engine.map(partial(tokenize, context.work, job.lang), items()):
        if isinstance(result, Failed):
            raise RunError(f"shard {item[0]} cannot be tokenized: {result.reason}")
        count += 1
        context.made("read", result)
        context.watch(Step("read", count, None))
    for error in trouble:
        raise error
    return count


def _check_layers(context: Context, content: dict[str, object]) -> None:
    job = context.prepared.job
    shards: list[dict[str, dict[str, list[str]]]] = content["shards"]  # type: ignore[assignment]
    known = {name for shard in shards for names in shard["layers"].values() for name in names}
    for key in ("gold", "anchors"):
        layer = getattr(job, key)
        if layer is not None and layer not in known:
            there = ", ".join(sorted(known)) or "none"
            job.fail((key,), f"no document has an annotation layer {layer!r}; there are: {there}")


def _drop_beyond(folder: Path, count: int) -> None:
    """Shards of an earlier, longer input go, and all that was made of them."""
    for path in folder.glob("**/[0-9]*.parquet*"):
        if int(path.name.partition(".")[0]) >= count:
            path.unlink()


def _drop_unknown(context: Context) -> None:
    """Tasks that the job no longer has go."""
    run = context.run
    known = {run.task_folder(task).name for task in context.prepared.tasks}
    for folder in _folders(run.folder / "tasks"):
        if folder.name not in known:
            shutil.rmtree(run.folder / ".done" / "tasks" / folder.name, ignore_errors=True)
            shutil.rmtree(folder)


def _folders(folder: Path) -> Iterator[Path]:
    return iter([path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else [])
