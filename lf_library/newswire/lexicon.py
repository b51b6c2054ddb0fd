"""Which words and phrases the pack knows: its own lists, open data of packages, a user's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import folder, packages

_WORDS = Path(__file__).parent / "words"

OWN = (
    "function", "common", "titles", "pretitles", "roles", "speech", "org_tail", "org_head",
    "event_tail", "loc_tail", "loc_head", "compass", "loc_before", "particles", "months", "sport",
    "teamsport", "solosport", "demonyms", "misc_words", "abbreviated_states",
)  # fmt: skip
"""Lists of single words that the pack brings, a file each."""

NAMES = (
    "country", "place", "region", "city", "town", "organisation", "company", "team", "newspaper",
    "agency", "university", "athlete", "politician", "event", "product", "first", "last", "league",
)  # fmt: skip
"""Lists of names of one or more words."""

SHAPES = (
    "cap", "upper", "initial", "lower", "digit", "score", "date", "compound", "punctuation",
    "opening", "closing", "comma", "colon", "quote", "possessive", "dash", "stop", "ampersand",
    "plural",
)  # fmt: skip

BIT = {name: np.uint64(1 << i) for i, name in enumerate(OWN + NAMES + SHAPES)}
"""The bit of each list and shape in a word's flags."""

LONGEST = 6
"""Words of the longest phrase that is looked up."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Words and phrases with the lists that hold them.

    words: lower-case word -> flags. hashes: (P,) sorted hashes of phrases of two words and more;
    flags: (P,) their flags.
    """

    words: dict[str, int]
    hashes: NDArray[np.uint64]
    flags: NDArray[np.uint64]

    def look_up(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Flags of phrases, 0 for unknown ones; any shape."""
        if not len(self.hashes):
            return np.zeros(hashes.shape, dtype=np.uint64)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, self.flags[at], np.uint64(0))


def fold(word: str) -> str:
    """The form in which words are compared: lower case, without the stop of an abbreviation."""
    lower = word.lower()
    return lower.rstrip(".") if len(lower) > 1 and lower[0].isalpha() else lower


def has(flags: NDArray[np.uint64], *names: str) -> NDArray[np.bool_]:
    """Which flags have any of the named bits."""
    return (flags & np.bitwise_or.reduce([BIT[name] for name in names])) != 0


def word_hash(word: str) -> int:
    """A lower-case word's hash; only equal words of one process are ever compared."""
    return hash(word) & 0xFFFFFFFFFFFFFFFF


def extend_hash(
    hashes: NDArray[np.uint64], words: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Hashes of phrases, one word longer."""
    return hashes * np.uint64(0x9E3779B97F4A7C15) + words


@cache
def lexicon(gazetteers: str | None) -> Lexicon:
    """The words the pack knows, with a user's folder of gazetteers or without."""
    words: dict[str, int] = {}
    phrases = _Phrases()
    for name in OWN:
        for word in read_words(name):
            words[fold(word)] = words.get(fold(word), 0) | int(BIT[name])
    for name, names in _names(gazetteers):
        bit = int(BIT[name])
        text = "\n".join(names).lower().replace(". ", " ").replace(".\n", "\n").rstrip(".")
        for phrase in text.split("\n"):
            parts = phrase.split()
            if len(parts) == 1:
                words[parts[0]] = words.get(parts[0], 0) | bit
            elif 1 < len(parts) <= LONGEST:
                phrases.add(parts, bit)
    return Lexicon(words, *phrases.compile())


def read_words(name: str) -> list[str]:
    """One of the pack's own lists of words."""
    return " ".join(read_phrases(name)).split()


def read_phrases(name: str) -> list[str]:
    """One of the pack's own lists of names, a line each."""
    lines = (_WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _names(gazetteers: str | None) -> Iterator[tuple[str, list[str]]]:
    yield "place", read_phrases("places")
    yield "organisation", read_phrases("organisations")
    yield from packages.names()
    if gazetteers is not None:
        yield from folder.names(Path(gazetteers))


class _Phrases:
    """Phrases by their number of words, on their way to sorted hashes."""

    def __init__(self) -> None:
        self.words: dict[int, list[str]] = {n: [] for n in range(2, LONGEST + 1)}
        self.flags: dict[int, list[int]] = {n: [] for n in range(2, LONGEST + 1)}

    def add(self, parts: list[str], flag: int) -> None:
        self.words[len(parts)] += parts
        self.flags[len(parts)].append(flag)

    def compile(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(P,) sorted distinct hashes, and the flags of all phrases that have them."""
        hashes = np.concatenate([self._hash(n) for n in self.words])
        flags = np.concatenate([np.asarray(self.flags[n], np.uint64) for n in self.words])
        order = np.argsort(hashes, kind="stable")
        hashes, flags = hashes[order], flags[order]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))[: len(hashes)]
        return hashes[first], np.bitwise_or.reduceat(flags, first) if len(first) else flags

    def _hash(self, length: int) -> NDArray[np.uint64]:
        column = np.fromiter(map(hash, self.words[length]), np.int64, len(self.words[length]))
        table = column.view(np.uint64).reshape(-1, length)
        total = table[:, 0].copy() if len(table) else np.zeros(0, np.uint64)
        for word in table.T[1:]:
            total = extend_hash(total, word)
        return total
