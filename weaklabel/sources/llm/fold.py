"""Text folded for comparing, with a map back: which characters of the original each came from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_CLUSTER = re.compile(
    r"[^\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff"
    r"\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]"
    r"[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff"
    r"\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]*|.",
    re.DOTALL,
)
_SINGLE = "‘’‚‛′ʼ´`＇"
_DOUBLE = "“”„‟″«»＂"
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f"
_SAME = str.maketrans(
    dict.fromkeys(_SINGLE, "'")
    | dict.fromkeys(_DOUBLE, '"')
    | dict.fromkeys(_INVISIBLE, "")
    | dict.fromkeys("‐‑‒–—―−﹣－", "-")
    | {"…": "..."}
)


@dataclass(frozen=True)
class Folded:
    """``text`` with, for each of its characters, the [start, end) it stands for in the original."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """A span of the folded text as one of the original."""
        return self.starts[start], self.ends[end - 1]


@lru_cache(maxsize=4096)
def fold_string(text: str) -> str:
    """A string folded, spaces left out."""
    return "".join(_fold_cluster(c) for c in _CLUSTER.findall(text))


def fold(text: str) -> Folded:
    """A text folded: composed, case, dashes, quotes and compatibility forms unified, invisible
    characters and white space left out."""
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _CLUSTER.finditer(text):
        folded = _fold_cluster(match.group())
        characters.append(folded)
        starts += [match.start()] * len(folded)
        ends += [match.end()] * len(folded)
    return Folded("".join(characters), tuple(starts), tuple(ends))


@lru_cache(maxsize=65536)
def _fold_cluster(cluster: str) -> str:
    # TeX and PTB quotes ('' and ``) become single quotes twice; a double quote must meet them.
    folded = unicodedata.normalize("NFKC", cluster).casefold().translate(_SAME)
    composed = unicodedata.normalize("NFC", "".join(folded.split()))
    return composed.replace('"', "''")
