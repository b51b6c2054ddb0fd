"""How words are written: capitals, numbers, punctuation; once for each distinct word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .lexicon import BIT, Flags, Hashes, Lexicon, has, hash_strings

_PUNCTUATION = {
    "(": "opening", "[": "opening", "-LRB-": "opening", ")": "closing", "]": "closing",
    "-RRB-": "closing", ",": "comma", ":": "colon", '"': "quote", "``": "quote", "''": "quote",
    "\u201c": "quote", "\u201d": "quote", "'s": "possessive", "'S": "possessive", "'": "possessive",
    "\u2019s": "possessive", "\u2019": "possessive", "-": "dash", "--": "dash", "\u2013": "dash",
    "\u2014": "dash", ".": "stop", "!": "stop", "?": "stop", "&": "ampersand",
}  # fmt: skip
_KNOWN = {mark: int(BIT[name] | BIT["punctuation"]) for mark, name in _PUNCTUATION.items()}
_CAP, _UPPER, _LOWER, _PLURAL, _MIXED, _INITIAL_BIT, _PUNCTUATION_BIT = (
    int(BIT[name])
    for name in ("cap", "upper", "lower", "plural", "mixed", "initial", "punctuation")
)
_INITIAL = re.compile(r"[A-Z]\.(?:-?[A-Z]\.)*$")
_NUMBERS = {
    "score": re.compile(r"\d{1,3}-\d{1,3}$"),
    "date": re.compile(r"(?:19|20)\d\d-\d\d-\d\d$"),
    "small": re.compile(r"[12]?\d$"),
    "ordinal": re.compile(r"\d+(?:st|nd|rd|th)$"),
}
_PREFIXES = frozenset(
    ["ex", "anti", "pro", "non", "neo", "pan", "Ex", "Anti", "Pro", "Non", "Neo", "Pan"]
)


def word_flags(words: Sequence[str], hashes: Hashes, lexicon: Lexicon) -> Flags:
    """(L,) lists and shapes of distinct words."""
    shapes, plain = _plain_shapes(words)
    others = [(i, words[i]) for i in np.flatnonzero(~plain).tolist()]
    shapes[~plain] = np.fromiter((_shape(word) for _, word in others), np.uint64, len(others))
    flags = lexicon.look_up(hashes) | shapes
    hyphened = [i for i, word in others if "-" in word[1:-1]]
    if hyphened:
        flags[hyphened] |= _compounds([words[i] for i in hyphened], lexicon)
    return flags


def _plain_shapes(words: Sequence[str]) -> tuple[Flags, NDArray[np.bool_]]:
    """(L,) what ``_letters`` says of words of ASCII letters, and which these are."""
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    ends = np.cumsum(lengths)
    starts = ends - lengths
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    capital = (codes >= ord("A")) & (codes <= ord("Z"))
    small = (codes >= ord("a")) & (codes <= ord("z"))
    capitals, letters = (
        np.diff(np.concatenate([[0], np.cumsum(mask)])[np.append(starts, len(codes))])
        for mask in (capital, capital | small)
    )
    plain = letters == lengths
    if not len(words):
        return np.zeros(0, np.uint64), plain
    first, long = capital[starts], lengths > 3
    one, every = lengths == 1, capitals == lengths
    s = (codes == ord("s")) | (codes == ord("S"))
    plural = long & s[ends - 1] & ~s[np.maximum(ends - 2, 0)]
    lower = np.where(long & (capitals > 0), _LOWER | _CAP, _LOWER)
    upper = np.where(every, _UPPER, _CAP) | np.where(plural, _PLURAL, 0)
    upper = np.where(one, _CAP | _INITIAL_BIT, upper)
    return np.where(first, upper, lower).astype(np.uint64), plain


@lru_cache(maxsize=50_000)
def _shape(word: str) -> int:
    if word.isalpha():
        return _letters(word)
    if word in _PUNCTUATION:
        return _KNOWN[word]
    first = word[0]
    if first.isdigit() or (first in "+-.$" and word[1:2].isdigit()):
        return _number(word)
    if not any(map(str.isalpha, word)):
        return _PUNCTUATION_BIT
    if first in "'`" and word[1:2].isupper():
        return _CAP
    flags = _letters(word)
    if not flags & _LOWER:
        if any(map(str.isdigit, word)):
            flags |= _MIXED
        if _INITIAL.match(word):
            flags |= _INITIAL_BIT
    return flags


def _letters(word: str) -> int:
    if not word[0].isupper():
        inner = len(word) > 3 and word[1:].lower() != word[1:]
        return _LOWER | _CAP if inner else _LOWER
    if len(word) == 1:
        return _CAP | _INITIAL_BIT
    flags = _UPPER if word.isupper() else _CAP
    if len(word) > 3 and word[-1] in "sS" and word[-2] not in "sS":
        flags |= _PLURAL
    return flags


def _number(word: str) -> int:
    flags = int(BIT["digit"])
    for name, pattern in _NUMBERS.items():
        if pattern.match(word):
            flags |= int(BIT[name])
    return flags


def _compounds(words: Sequence[str], lexicon: Lexicon) -> Flags:
    """The bit of U.S.-led, German-born, ex-Yugoslav: adjectives made of a place or a people."""
    heads = [word[: word.rindex("-")] for word in words]
    tails = [word[word.rindex("-") + 1 :] for word in words]
    head, tail = (lexicon.look_up(hash_strings(side)[0]) for side in (heads, tails))
    small = np.asarray([part[:1].islower() for part in tails], dtype=bool)
    prefixed = np.asarray([part in _PREFIXES for part in heads], dtype=bool)
    place = ("country", "place", "city", "demonyms")
    peoples = has(head, "demonyms") & has(tail, "demonyms")
    found = (has(head, *place) & small) | (has(tail, *place) & prefixed) | peoples
    return np.where(found, BIT["compound"], np.uint64(0))
