"""Plain text: a file a document, or a line a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ..corpus import Document
from ..errors import InputError
from .files import Source, input_files
from .registry import readers


@readers.register("text")
def read_text(path: Source, *, documents: Literal["file", "line"] = "file") -> Iterator[Document]:
    """Documents from text files (.txt, .md in folders).

    documents: "file": a file is one, line ends and all; "line": each line that is not blank.
    """
    if documents not in ("file", "line"):
        raise InputError(f"documents: {documents!r} should be file or line")
    for file in input_files(path, (".txt", ".text", ".md")):
        if documents == "file":
            yield Document(file.name, file.text())
            continue
        for number, line in file.lines():
            if line.strip():
                yield Document(f"{file.name}-{number}", line)
