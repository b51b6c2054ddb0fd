"""Regular expressions that cannot hang: the third-party ``regex`` module, which knows a timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    try:
        for match in pattern.finditer(text, timeout=seconds):
            start, end = match.span(group)
            if end > start:
                yield start, end
    except TimeoutError:
        raise TimeoutError(f"pattern {pattern.pattern!r} took more than {seconds:g} s") from None


def labelled_patterns(
    name: str, pattern: str | Sequence[str] | Mapping[str, Any], label: str | None
) -> list[tuple[str, str]]:
    """(label, pattern) pairs from the ways to write them."""
    if isinstance(pattern, Mapping):
        return [pair for k, v in pattern.items() for pair in labelled_patterns(name, v, k)]
    if label is None:
        raise SourceError(f"source {name!r}: the pattern has no label; set 'label'")
    return [(label, text) for text in ([pattern] if isinstance(pattern, str) else pattern)]
