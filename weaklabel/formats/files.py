"""Bytes in and out: globs, folders, compression, fsspec paths; what is broken is told by place."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ..atomic import atomic_path, is_temporary
from ..errors import InputError

Source = str | Path | Sequence[str | Path]
"""One path, glob, folder or fsspec URL, or several."""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class InputFile:
    """One file to read. name: differs between the files of one input, without suffixes."""

    path: str
    name: str
    filesystem: Any

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, decompressed; a damaged or truncated file is one ``InputError``."""
        try:
            with self.filesystem.open(self.path, "rb") as raw:
                yield _decompressed(raw, self.path)
        except EOFError:
            raise InputError(
                f"{self.path}: the compressed data end too early; copy or make the file again"
            ) from None
        except (OSError, zlib.error, lzma.LZMAError) as error:
            damaged = f"damaged ({' '.join(str(error).split())})"
            reason = getattr(error, "strerror", None) or damaged
            raise InputError(f"{self.path}: {reason}") from None

    def lines(self, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
        """Its lines, numbered from 1. Only "\\n" and "\\r\\n" end a line."""
        position = 0
        with self.open() as stream:
            for number, raw in enumerate(stream, 1):
                text = self._decode(raw, position, f", line {number}")
                position += len(raw)
                if not keep_ends:
                    text = text.removesuffix("\n").removesuffix("\r")
                yield number, text

    def text(self) -> str:
        """Its whole text, line ends as they are."""
        return self._decode(self.content(), 0, "")

    def content(self) -> bytes:
        """All its bytes."""
        with self.open() as stream:
            return stream.read()

    def _decode(self, raw: bytes, position: int, where: str) -> str:
        try:
            return raw.decode("utf-8-sig" if position == 0 else "utf-8")
        except UnicodeDecodeError as error:
            bom = 3 if position == 0 and raw.startswith(b"\xef\xbb\xbf") else 0
            at = error.start + bom
            raise InputError(
                f"{self.path}{where}: byte {position + at} (0x{raw[at]:02x}) is not UTF-8; "
                "convert the file to UTF-8"
            ) from None


def input_files(source: Source, suffixes: tuple[str, ...] = ()) -> list[InputFile]:
    """The files of a path, glob, folder or URL, sorted; folders give those with the suffixes."""
    if not isinstance(source, (str, Path)):
        return [file for one in source for file in input_files(one, suffixes)]
    from fsspec.core import url_to_fs

    path = str(source)
    try:
        filesystem, root = url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    if filesystem.isfile(root):
        local = "://" not in path
        return [InputFile(path if local else root, _stem(Path(root).name), filesystem)]
    if filesystem.isdir(root):
        found = [p for p in sorted(filesystem.find(root)) if _wanted(p, root, suffixes)]
        expected = f" ending in {' or '.join(suffixes)}" if suffixes else ""
        problem = f"the folder holds no file{expected}"
    elif any(c in path for c in "*?["):
        found = [p for p in sorted(filesystem.glob(root)) if filesystem.isfile(p)]
        problem = "no file matches"
    else:
        found, problem = [], "no such file or folder"
    if not found:
        raise InputError(f"{path}: {problem}")
    base = root.rstrip("/") if filesystem.isdir(root) else _fixed_part(root)
    return [InputFile(p, _stem(p[len(base) :].lstrip("/")), filesystem) for p in found]


def _fixed_part(pattern: str) -> str:
    magic = min(pattern.index(c) for c in "*?[" if c in pattern)
    return pattern[: pattern.rindex("/", 0, magic) + 1] if "/" in pattern[:magic] else ""


def _wanted(path: str, root: str, suffixes: tuple[str, ...]) -> bool:
    relative = path[len(root) :].lstrip("/")
    hidden = any(part.startswith(".") for part in relative.split("/"))
    plain = path.removesuffix(Path(path).suffix) if path.endswith(_COMPRESSED) else path
    return not hidden and (not suffixes or plain.endswith(suffixes))


def _stem(name: str) -> str:
    if name.endswith(_COMPRESSED):
        name = name[: name.rindex(".")]
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last[: last.rindex(".")] if "." in last[1:] else last)


def _decompressed(raw: IO[bytes], path: str) -> BinaryIO:
    stream: Any = raw
    if path.endswith(".gz"):
        stream = gzip.GzipFile(fileobj=raw)
    elif path.endswith(".bz2"):
        stream = bz2.BZ2File(raw)
    elif path.endswith(".xz"):
        stream = lzma.LZMAFile(raw)  # noqa: SIM115
    elif path.endswith(".zst"):
        import pyarrow as pa

        stream = io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw), "zstd"))
    return cast(BinaryIO, stream)


@contextmanager
def output_file(path: Path | str) -> Iterator[IO[bytes]]:
    """A file to write bytes to, there whole or not at all; ".gz" compresses, same bytes always.

    A temporary file is written in place: whoever made it up knows when it is whole.
    """
    whole = nullcontext(Path(path)) if is_temporary(path) else atomic_path(path)
    with whole as place, place.open("wb") as raw:
        if str(path).endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
                yield cast(IO[bytes], packed)
        else:
            yield raw


spelled = json.JSONEncoder(ensure_ascii=False).encode
"""A JSON value as text."""


def json_line(value: Any) -> bytes:
    """A JSON value as a line of UTF-8."""
    return spelled(value).encode() + b"\n"


def write_json_list(path: Path | str, rows: Iterable[Any]) -> None:
    """Write one JSON list, a row a line, as the rows come."""
    with output_file(path) as out:
        before = b"[\n"
        for row in rows:
            out.write(before + json_line(row).rstrip(b"\n"))
            before = b",\n"
        out.write(b"\n]\n" if before == b",\n" else b"[]\n")
