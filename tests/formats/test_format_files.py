"""Globs, folders, compression and URLs; what is broken is one clear line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from weaklabel.errors import InputError
from weaklabel.formats import read, write
from weaklabel.formats.files import input_files, output_file
from weaklabel.formats.record import Record
from weaklabel.task import Task

LINES = "".join(json.dumps({"id": f"d{i}", "text": f"text {i} é"}) + "\n" for i in range(500))


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_input(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(COMPRESS[suffix](LINES.encode()))
    documents = list(read("jsonl", path))
    assert [d.id for d in documents] == [f"d{i}" for i in range(500)]
    assert documents[499].text == "text 499 é"


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("damage", ["truncated", "garbled"])
def test_damaged_compressed_input(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    packed = COMPRESS[suffix](LINES.encode())
    half = len(packed) // 2
    path.write_bytes(packed[:half] if damage == "truncated" else b"\x00\x01" + packed[2:])
    with pytest.raises(InputError) as caught:
        list(read("jsonl", path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "end too early" in message or "damaged (" in message
    assert "\n" not in message


def test_folder_glob_and_list_give_sorted_files_with_distinct_ids(tmp_path: Path) -> None:
    for name in ("b/x.txt", "a/x.txt", "a/y.txt", "a/.hidden.txt", "a/z.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [d.id for d in read("text", tmp_path)] == ["a/x", "a/y", "b/x"]
    assert [d.id for d in read("text", tmp_path / "a")] == ["x", "y"]
    assert [d.id for d in read("text", f"{tmp_path}/*/x.txt")] == ["a/x", "b/x"]
    assert [d.text for d in read("text", tmp_path / "a/x.txt")] == ["a/x.txt"]
    both = [tmp_path / "b", tmp_path / "a/y.txt"]
    assert [d.id for d in read("text", both)] == ["x", "y"]


def test_urls_of_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/corpus/a.jsonl", LINES.encode())
    memory.pipe("/corpus/b.jsonl.gz", gzip.compress(LINES.replace('"d', '"e').encode()))
    assert len(list(read("jsonl", "memory://corpus"))) == 1000
    assert len(list(read("jsonl", "memory://corpus/a.jsonl"))) == 500
    assert len(list(read("jsonl", "memory://corpus/*.jsonl"))) == 500


def test_a_path_with_magic_characters_that_exists_is_no_glob(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text("one")
    assert [d.text for d in read("text", tmp_path / "a[1].txt")] == ["one"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing.jsonl", "no such file or folder"),
        ("*.jsonl", "no file matches"),
        ("empty", "the folder holds no file ending in .jsonl or .json"),
        ("empty.jsonl", "no documents in it"),
        ("unknown://x", "Protocol not known"),
    ],
)
def test_no_input(path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/empty.jsonl").write_text("")
    where = path if "://" in path else tmp_path / ("sub" if path == "empty.jsonl" else "") / path
    with pytest.raises(InputError, match=message):
        list(read("jsonl", where))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ok line\nbad \xff line\n", r"a.txt: byte 12 \(0xff\) is not UTF-8"),
        (b"\xef\xbb\xbfab\xc3", r"a.txt: byte 5 \(0xc3\)"),
        ("text".encode("utf-16"), r"a.txt: byte 0 \(0xff\)"),
        (b"\xed\xa0\x80", r"a.txt: byte 0 \(0xed\)"),
    ],
)
def test_broken_utf8_names_the_byte(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read("text", tmp_path / "a.txt"))
    if b"\n" in content:
        with pytest.raises(InputError, match=r"a.txt, line 2: byte 12 \(0xff\)"):
            list(read("text", tmp_path / "a.txt", documents="line"))


def test_text_keeps_its_line_ends_and_lines_end_only_where_files_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa\r\nb\u2028c\x85d\x0c\r\n\r\n".encode())
    [whole] = read("text", tmp_path / "a.txt")
    assert whole.text == "a\r\nb\u2028c\x85d\x0c\r\n\r\n"
    lines = list(read("text", tmp_path / "a.txt", documents="line"))
    assert [d.text for d in lines] == ["a", "b\u2028c\x85d\x0c"]
    assert [d.id for d in lines] == ["a-1", "a-2"]


def test_a_document_of_50_mb(tmp_path: Path) -> None:
    text = "Anna Berg 🙂 in Oslo.\n" * 2_200_000
    record = Record("big", text)
    for name in ("jsonl", "csv"):
        write(name, tmp_path / f"big.{name}", [record], {"spans": Task("spans", ("PER",))})
        [document] = read(name, tmp_path / f"big.{name}")
        assert document.text == text
    assert (tmp_path / "big.jsonl").stat().st_size > 50_000_000


def test_compressed_output_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with output_file(tmp_path / name) as out:
            out.write(b"content")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"content"


def test_names_lose_their_suffixes(tmp_path: Path) -> None:
    (tmp_path / "v1.2.jsonl.gz").write_bytes(b"")
    assert [file.name for file in input_files(tmp_path / "v1.2.jsonl.gz")] == ["v1.2"]
