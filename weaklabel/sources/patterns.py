"""Regular expressions that cannot hang: the third-party ``regex`` module, which knows a timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ..errors import SourceError


@cache
def _compile(pattern: str, flags: int) -> Any:
    import regex

    return regex.compile(pattern, flags)


def compiled(name: str, pattern: str, *, ignore_case: bool = False) -> Any:
    """The pattern, compiled; a wrong one is an error that names the source."""
    import regex

    if not isinstance(pattern, str):
        raise SourceError(f"source {name!r}: pattern must be a string, got {pattern!r}")
    try:
        return _compile(pattern, regex.VERSION0 | (regex.IGNORECASE if ignore_case else 0))
    except regex.error as error:
        raise SourceError(f"source {name!r}: pattern {pattern!r}: {error}") from None


def whole(pattern: Any, *, seconds: float = 1.0) -> Callable[[str], bool]:
    """A predicate: does the pattern match the whole of a string?"""
    return lambda text: pattern.fullmatch(text, timeout=seconds) is not None


def matches(
    pattern: Any, text: str, group: int | str = 0, *, seconds: float
) -> Iterator[tuple[int, int]]:
    """(start, end) of a group in every match as ``re.finditer`` finds them; empty ones left out.

    Raises TimeoutError after that many seconds.
    """
    for match in pattern.finditer(text, timeout=seconds):
        start, end = match.span(group)
        if end > start:
            yield start, end
