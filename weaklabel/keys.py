"""Content keys: what a file was made from. Same key, same bytes, so it need not be made again."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atomic import write_text
from .errors import RunError
from .votes import COLUMNS, Gold, Votes


def digest(value: Any) -> str:
    """The key of plain values; the order of mappings does not count."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """The key of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None


def content_digest(path: Path) -> str:
    """The key of a file, or of all files of a folder with their names."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest([(str(file.relative_to(path)), file_digest(file)) for file in files])
    return file_digest(path)


def gold_digest(gold: Gold) -> str:
    """The key of what is known of one shard."""
    return _arrays_digest(gold.document, gold.start, gold.end, gold.label, gold.complete)


def votes_digest(votes: Votes) -> str:
    """The key of what was said about one shard."""
    columns = [getattr(votes, name) for name in COLUMNS]
    looked = [documents for documents in votes.looked if documents is not None]
    voters = [vars(voter) for voter in votes.voters]
    everywhere = [documents is None for documents in votes.looked]
    return digest([voters, everywhere, _arrays_digest(votes.n_tokens, *columns, *looked)])


def _arrays_digest(*arrays: NDArray[Any]) -> str:
    return digest([hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in arrays])


def code_digest(path: Path, name: str, others: set[str]) -> str:
    """The key of one function of a Python file: its code and all it could call.

    others: the other sources of the file. They are left out unless something kept refers to them,
    so that a change to one source is no change to the next. Comments do not count.
    """
    tree = ast.parse(path.read_bytes())
    parts = {node: {_name(node)} & others for node in tree.body}
    kept = [node for node in tree.body if not parts[node]]
    mentioned = {n.id for node in kept for n in ast.walk(node) if isinstance(n, ast.Name)}
    back = [node for node in tree.body if parts[node] & mentioned]
    return digest([name, [ast.dump(node) for node in kept + back]])


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""


class Stamps:
    """A note per finished file of a run folder: the key it was made from, and its own digest.

    The note goes before the file is replaced and comes back after, so that it never vouches for
    another content, whenever the process dies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _note(self, path: Path) -> Path:
        relative = path.relative_to(self.folder)
        return self.folder / ".done" / relative.parent / (relative.name + ".json")

    def read(self, path: Path, key: str | None = None) -> dict[str, Any] | None:
        """The note of a file made from that key (None: any); None if it has to be made."""
        try:
            note: dict[str, Any] = json.loads(self._note(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note if key in (None, note["key"]) and path.exists() else None

    def clear(self, path: Path) -> None:
        """Forget a file, before it is replaced."""
        self._note(path).unlink(missing_ok=True)

    def write(self, path: Path, key: str, **facts: Any) -> dict[str, Any]:
        """Note that a file is finished."""
        note = {"key": key, "sha256": content_digest(path), **facts}
        write_text(self._note(path), json.dumps(note, sort_keys=True, ensure_ascii=False) + "\n")
        return note
