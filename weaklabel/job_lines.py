"""A YAML file with the line of every key, so that an error can say where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from .errors import JobError

Place = Sequence[str | int]
"""The keys and positions that lead to a value: ("sources", 0, "pattern")."""


class JobFile:
    """A parsed YAML mapping that knows its lines.

    path: what errors call the file. text: its content. data: plain values.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            loader = yaml.SafeLoader(text)
            self.data: Any = None if root is None else loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f":{mark.line + 1}" if mark else ""
            raise JobError(f"{path}{where}: no valid YAML: {error.problem}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise JobError(f"{path}: no valid YAML: {_one_line(str(error))}") from None
        self._root = root
        if root is None or not isinstance(self.data, dict):
            raise JobError(f"{path}: a job is a mapping of keys to values, see 'weaklabel init'")
        self._check_twice(root)

    @classmethod
    def read(cls, path: Path) -> JobFile:
        """Read a file; a missing or undecodable one is a ``JobError``."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise JobError(f"{path}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise JobError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None

    def line(self, place: Place) -> int:
        """The line (from 1) of a value, or of the nearest thing around it that exists."""
        node, line = self._root, 0
        for part in place:
            key, node = _step(node, part)
            if node is None:
                break
            line = (key or node).start_mark.line
        return line + 1

    def fail(self, place: Place, message: str) -> NoReturn:
        """Raise a ``JobError`` that names file and line."""
        raise JobError(f"{self.path}:{self.line(place)}: {message}")

    def _check_twice(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                self._check_twice(child)
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key, child in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise JobError(f"{self.path}:{line}: the key {key.value!r} stands here twice")
            seen.add(key.value)
            self._check_twice(child)


def _step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None, None


def _one_line(text: str) -> str:
    return " ".join(text.split())
