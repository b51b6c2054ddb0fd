"""Offsets in other units than Python's characters; they never leave the formats.

| tool | unit | end |
|---|---|---|
| spaCy, Prodigy, Hugging Face, JSONL, CSV, SageMaker | character (code point) | exclusive |
| Prodigy's token_start, token_end | token | inclusive |
| Label Studio | UTF-16 code unit | exclusive |
| doccano | character, or grapheme if the project counts so | exclusive |
| Argilla, Kili | character; a setting, for their pages may count UTF-16 | exclusive |
| Labelbox | character | inclusive; a setting, for the tool does not say |
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

from ..errors import InputError

CodeUnit = Literal["character", "utf-16"]
"""Units whose boundaries are a superset of the characters', so that every span has a place."""

Unit = CodeUnit | Literal["grapheme"]


class Offsets:
    """The boundaries of one text, in characters and in another unit."""

    def __init__(self, text: str, unit: Unit) -> None:
        self.unit = unit
        self.starts: list[int] | None = None
        if unit == "utf-16":
            self.starts = _utf16(text)
        elif unit == "grapheme":
            self.starts = _graphemes(text)
        elif unit != "character":
            raise InputError(f"no unit {unit!r}; known: character, utf-16, grapheme")

    def outward(self, character: int) -> int | None:
        """A character offset in the unit; None where no boundary of the unit lies."""
        if self.starts is None:
            return character
        found = bisect_left(self.starts, character)
        exact = found < len(self.starts) and self.starts[found] == character
        return found if exact else None

    def outward_span(self, start: int, end: int) -> tuple[int, int] | None:
        """A span in the unit; None where it begins or ends within a unit."""
        first, last = self.outward(start), self.outward(end)
        return None if first is None or last is None else (first, last)

    def inward(self, offset: int, where: str) -> int:
        """An offset in the unit as a character offset."""
        if self.starts is None:
            return offset
        starts = self.starts
        inside = type(offset) is int and 0 <= offset < len(starts)
        if not inside or (offset and starts[offset - 1] == starts[offset]):
            raise InputError(
                f"{where}: offset {offset} in {self.unit} units is not in the text or halves a "
                f"character; the text has {len(starts) - 1} such units"
            )
        return starts[offset]


def _utf16(text: str) -> list[int] | None:
    """The character that begins at each code unit; both halves of a pair have the same."""
    if not text or ord(max(text)) < 0x10000:
        return None
    starts: list[int] = []
    for position, character in enumerate(text):
        starts.append(position)
        if ord(character) > 0xFFFF:
            starts.append(position)
    return [*starts, len(text)]


def _graphemes(text: str) -> list[int]:
    import regex

    return [match.start() for match in regex.finditer(r"\X", text)] + [len(text)]
