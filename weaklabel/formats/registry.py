"""The formats by name. Readers and writers register here; plugins come by entry points."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..corpus import Document
from ..registry import Registry
from .record import Written

Writer = TypeVar("Writer", bound=Callable[..., Written])


def _load_builtins() -> None:
    package = importlib.import_module("weaklabel.formats")
    for module in pkgutil.iter_modules(package.__path__, "weaklabel.formats."):
        importlib.import_module(module.name)


readers: Registry[Iterator[Document]] = Registry("reader", _load_builtins)
"""``reader(path, **settings)`` yields documents; annotations come back as their "gold" layer."""

writers: Registry[Written] = Registry("writer", _load_builtins)
"""``writer(path, records, tasks, **settings)`` writes an iterable of records in one pass."""


def joinable(writer: Writer) -> Writer:
    """Decorator of a writer: its files one after the other are the file of all their records."""
    marked: Any = writer
    marked.joinable = True
    return writer


def is_joinable(name: str) -> bool:
    """Whether files of that format may be written in parts."""
    return getattr(writers.factory(name), "joinable", False) is True
