"""CoNLL columns: a token a line, its tag in the last column, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from ..corpus import Annotation, Document
from ..errors import InputError
from ..tags import Scheme, decode, split_tag
from ..task import Task
from .files import InputFile, Source, input_files, output_file
from .placing import flat_on_tokens, sentences, tags_of
from .record import Record, Written
from .registry import joinable, readers, writers

_BOUNDARY = "-DOCSTART-"

Rows = list[tuple[str, str]]
"""The (token, tag) pairs of a sentence."""


@readers.register("conll")
def read_conll(
    path: Source,
    *,
    documents: Literal["auto", "docstart", "sentence"] = "auto",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from 2 to 4 (or more) columns: the token first, the tag last.

    Columns are parted by tabs where a line has one, else by spaces. Tags may be IOB1, IOB2,
    BIOES or BILOU: one rule reads them all (``weaklabel.tags.decode``).
    documents: "docstart": -DOCSTART- lines part them, and a file without one is one document;
        "sentence": each sentence is one; "auto": "docstart" for a file that begins with such a
        line, else "sentence".
    layer: the layer that the tags go to.
    """
    if documents not in ("auto", "docstart", "sentence"):
        raise InputError(f"documents: {documents!r} should be auto, docstart or sentence")
    for file in input_files(path, (".conll", ".txt", ".tsv", ".bio", ".iob")):
        for number, block in enumerate(_documents(_sentences(file), documents)):
            yield document_of(f"{file.name}-{number}", block, layer)


def document_of(name: str, block: list[Rows], layer: str) -> Document:
    """A document from sentences of (token, tag) pairs."""
    bare = Document.from_tokens(name, [[token for token, _ in rows] for rows in block])
    offsets = bare.tokens or ()
    spans: list[Annotation] = []
    base = 0
    for rows in block:
        for first, end, label in decode([tag for _, tag in rows]):
            spans.append(Annotation(offsets[base + first][0], offsets[base + end - 1][1], label))
        base += len(rows)
    return Document(name, bare.text, offsets, bare.sentence_starts, spans={layer: tuple(spans)})


def _documents(sentences: Iterator[Rows | None], mode: str) -> Iterator[list[Rows]]:
    block: list[Rows] = []
    first, parted = True, False
    for rows in sentences:
        if first and mode == "auto":
            mode = "docstart" if rows is None else "sentence"
        first = False
        if rows is None:
            if mode == "docstart" and (block or parted):
                yield block
            block, parted = [], True
        elif mode == "sentence":
            yield [rows]
        else:
            block.append(rows)
    if mode == "docstart" and (block or parted):
        yield block


def _sentences(file: InputFile) -> Iterator[Rows | None]:
    """The sentences of a file, and None for each -DOCSTART- line."""
    rows: Rows = []
    width, tabs = 0, False
    for number, line in file.lines():
        stripped = line.strip(" \t")
        if not stripped:
            if rows:
                yield rows
                rows = []
            continue
        columns = re.split(r"\t+" if "\t" in stripped else " +", stripped)
        if columns[0] == _BOUNDARY:
            if rows:
                yield rows
                rows = []
            yield None
            continue
        where = f"{file.path}, line {number}"
        if not width:
            width, tabs = len(columns), "\t" in stripped
        if len(columns) != width or width < 2:
            expected = f"{width}, as in the lines before" if width > 1 else "2 or more"
            kind = "tabs" if tabs else "spaces"
            raise InputError(
                f"{where}: {len(columns)} columns parted by {kind}, expected {expected}: "
                f"{line[:60]!r}"
            )
        _check_tag(columns[-1], where)
        rows.append((columns[0], columns[-1]))
    if rows:
        yield rows


def _check_tag(tag: str, where: str) -> None:
    try:
        split_tag(tag)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@writers.register("conll")
@joinable
def write_conll(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    scheme: Scheme = "IOB2",
    columns: int = 4,
) -> Written:
    """CoNLL-2003: "token -X- _ TAG" lines, a -DOCSTART- line before each document.

    Offsets, ids, probabilities and inner layers of nested spans have no room here. Spaces within
    a token are written as "_". A sentence break within a span is left out.
    columns: 2 (token and tag) or 4.
    """
    if columns not in (2, 4):
        raise InputError(f"columns: {columns} should be 2 or 4")
    filler = " -X- _ " if columns == 4 else " "
    start = f"{_BOUNDARY} -X- -X- O\n\n" if columns == 4 else f"{_BOUNDARY} O\n\n"
    written = Written()
    with output_file(path) as out:
        for record in records:
            spans = flat_on_tokens(record, written)
            tags = tags_of(record, spans, scheme)
            lines = [start]
            for low, high in sentences(record, spans):
                for i in range(low, high):
                    a, b = record.tokens[i]
                    token = re.sub(r"[ \t\r\n]+", "_", record.text[a:b])
                    lines.append(f"{token}{filler}{tags[i]}\n")
                lines.append("\n")
            out.write("".join(lines).encode())
            written.documents += 1
    return written
