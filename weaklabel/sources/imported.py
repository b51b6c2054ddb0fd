"""Objects that a job names as ``module:object``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import SourceError


def imported(name: str, given: Any) -> Any:
    """The object itself, or what the string ``module:object`` names."""
    if not isinstance(given, str):
        return given
    module, _, path = given.partition(":")
    if not path:
        raise SourceError(f"source {name!r}: {given!r} is no 'module:object'")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {name!r}: cannot import {given!r}: {error}") from None
    return found
