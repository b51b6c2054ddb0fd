"""``weaklabel init``: a small project that runs as it is, to be changed into one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..atomic import write_text
from ..errors import RunError

FILES = ("job.yaml", "my_sources.py", "documents.jsonl", "cities.txt")


def start(folder: Path) -> Iterator[Path]:
    """Write the project's files into a new or empty folder; yields what was written."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; a project needs a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder}: is not empty; a project starts in a new or empty folder")
    for name in FILES:
        template = Path(__file__).parent / f"{name}.txt"
        write_text(folder / name, template.read_text(encoding="utf-8"))
        yield folder / name
