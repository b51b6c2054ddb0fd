"""Which words and phrases the pack knows: its own lists, open data of packages, a user's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaklabel.atoms import atomize

from . import folder, packages

Hashes = NDArray[np.uint64]
Flags = NDArray[np.uint64]

_WORDS = Path(__file__).parent / "words"

OWN = (
    "function", "common", "titles", "pretitles", "roles", "speech", "org_tail", "org_head",
    "event_tail", "institutions", "loc_tail", "loc_head", "compass", "particles", "months",
    "sport", "teamsport", "solosport", "demonyms", "misc_words", "abbreviated_states",
)  # fmt: skip
"""Lists of single words that the pack brings, a file each."""

NAMES = (
    "country", "place", "region", "city", "town", "organisation", "company", "team", "newspaper",
    "agency", "university", "athlete", "politician", "event", "first", "last", "league",
)  # fmt: skip
"""Lists of names of one or more words."""

SHAPES = (
    "cap", "upper", "initial", "lower", "digit", "score", "small", "date", "ordinal", "mixed",
    "plural", "compound",
    "punctuation", "opening", "closing", "comma", "colon", "quote", "possessive", "dash", "stop",
    "ampersand",
)  # fmt: skip

BIT = {name: np.uint64(1 << i) for i, name in enumerate(OWN + NAMES + SHAPES)}
"""The bit of each list and shape in a word's flags."""

LONGEST = 6
"""Tokens of the longest phrase that is looked up."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MOST_ATOMS = 12


class Keys:
    """U distinct hashes, sorted, to be found among many that mostly are none of them.

    A sieve of their low bits comes first: it costs a look at one byte, a search twenty.
    """

    def __init__(self, keys: Hashes) -> None:
        self.keys = keys
        self._mask = np.uint64((1 << max(12, len(keys).bit_length() + 3)) - 1)
        self._sieve = np.zeros(int(self._mask) + 1, dtype=bool)
        self._sieve[keys & self._mask] = True

    def find(self, wanted: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) which of the wanted are keys, and which keys they are."""
        rows = np.flatnonzero(self._sieve[wanted & self._mask])
        if not len(rows):
            return rows, rows
        some = wanted[rows]
        at = np.minimum(np.searchsorted(self.keys, some), len(self.keys) - 1)
        hit = self.keys[at] == some
        return rows[hit], at[hit]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """P words and phrases with the lists that hold them.

    hashes: (P,) sorted. flags: (P,).
    """

    hashes: Hashes
    flags: Flags

    @cached_property
    def fixed(self) -> Lexicon:
        """The phrases whose extent is sure wherever they stand."""
        keep = has(self.flags, "country", "place", "city", "organisation")
        return Lexicon(self.hashes[keep], self.flags[keep])

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self.hashes)

    def look_up(self, hashes: Hashes) -> Flags:
        """(n,) flags of words or phrases, 0 for unknown ones."""
        rows, at = self._keys.find(hashes)
        flags = np.zeros(len(hashes), dtype=np.uint64)
        flags[rows] = self.flags[at]
        return flags


def has(flags: Flags, *names: str) -> NDArray[np.bool_]:
    """Which flags have any of the named bits."""
    found: NDArray[np.bool_] = (flags & _bits(names)) != 0
    return found


@cache
def _bits(names: tuple[str, ...]) -> np.uint64:
    return np.uint64(np.bitwise_or.reduce([BIT[name] for name in names]))


def hash_strings(strings: Sequence[str]) -> tuple[Hashes, Hashes]:
    """(n,) hashes of strings, and by how much each shifts the hash of what stands before it.

    Case, stops and the cut into tokens make no difference: the hash runs over the atoms. A string
    of too many atoms has the hash 0.
    """
    atoms = atomize(strings, fold=True)
    keep = ~atoms.dots
    indptr = np.concatenate([[0], np.cumsum(keep)])[atoms.indptr]
    keys = atoms.keys[atoms.ids[keep]]
    length = np.diff(indptr)
    hashes = np.zeros(len(length), dtype=np.uint64)
    shift = np.ones(len(length), dtype=np.uint64)
    for step in range(_MOST_ATOMS):
        rows = np.flatnonzero(length > step)
        hashes[rows] = hashes[rows] * _BASE + keys[indptr[rows] + step]
        shift[rows] *= _BASE
    hashes[length > _MOST_ATOMS] = 0
    return hashes, shift


@cache
def word_hash(word: str) -> np.uint64:
    """The hash of one word."""
    return np.uint64(hash_strings([word])[0][0])


@cache
def lexicon(gazetteers: str | None) -> Lexicon:
    """The words the pack knows, with a user's folder of gazetteers or without."""
    hashes, flags = [], []
    for name, names in _lists(gazetteers):
        distinct = np.unique(hash_strings([n.replace("\n", " ") for n in names])[0])
        hashes.append(distinct)
        flags.append(np.full(len(distinct), BIT[name]))
    every = np.concatenate(hashes)
    order = np.argsort(every, kind="stable")
    every = every[order]
    first = np.flatnonzero(np.append(True, every[1:] != every[:-1]))
    joined = np.bitwise_or.reduceat(np.concatenate(flags)[order], first)
    known = every[first] != 0
    return Lexicon(every[first][known], joined[known])


def read_words(name: str) -> list[str]:
    """One of the pack's own lists of words."""
    return " ".join(read_names(name)).split()


def read_names(name: str) -> list[str]:
    """One of the pack's own lists of names, a line each."""
    lines = (_WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _lists(gazetteers: str | None) -> Iterator[tuple[str, list[str]]]:
    for name in OWN:
        yield name, read_words(name)
    yield "demonyms", [f"{word}s" for word in read_words("demonyms")]
    yield "place", read_names("places")
    yield "organisation", read_names("organisations")
    yield "team", read_names("teams")
    yield "event", read_names("events")
    yield "first", read_words("first_names")
    yield from packages.names()
    if gazetteers is not None:
        yield from folder.names(Path(gazetteers))
