"""What the rules look at: a shard's tokens with flags, sentences, and the names' extents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard

from .lexicon import BIT, LONGEST, Lexicon, extend_hash, fold, has, lexicon, word_hash
from .stretches import name_words, stretches

Flags = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

_PUNCTUATION = {
    "(": "opening", "[": "opening", "-LRB-": "opening", ")": "closing", "]": "closing",
    "-RRB-": "closing", ",": "comma", ":": "colon", '"': "quote", "``": "quote", "''": "quote",
    "\u201c": "quote", "\u201d": "quote", "'s": "possessive", "'S": "possessive", "'": "possessive",
    "\u2019s": "possessive", "\u2019": "possessive", "-": "dash", "--": "dash", "\u2013": "dash",
    "\u2014": "dash", ".": "stop", "!": "stop", "?": "stop", "&": "ampersand",
}  # fmt: skip
_INITIAL = re.compile(r"[A-Z]\.?(?:-?[A-Z]\.)*$")
_SCORE = re.compile(r"\d{1,3}-\d{1,3}$")
_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d$")
_SENTENCE_END = re.compile(r"[.!?]$")


def _shape(word: str) -> int:
    flags = 0
    first = word[0]
    if first.isdigit() or (first in "+-.$" and word[1:2].isdigit()):
        flags |= int(BIT["digit"])
        if _SCORE.match(word):
            flags |= int(BIT["score"])
        elif _DATE.match(word):
            flags |= int(BIT["date"])
        return flags
    if word in _PUNCTUATION:
        return int(BIT[_PUNCTUATION[word]] | BIT["punctuation"])
    letters = any(map(str.isalpha, word))
    if not letters:
        return int(BIT["punctuation"])
    if first.isupper() or (first in "'`" and word[1:2].isupper()):
        if _INITIAL.match(word):
            flags |= int(BIT["initial"])
        if word.isupper() and len(word) > 1:
            flags |= int(BIT["upper"])
        else:
            flags |= int(BIT["cap"])
        if len(word) > 3 and word[-1] in "sS" and word[-2:].lower() != "ss":
            flags |= int(BIT["plural"])
    else:
        flags |= int(BIT["lower"])
        if word[1:].lower() != word[1:] and len(word) > 3:
            flags |= int(BIT["cap"])
    return flags


def _compound(word: str, words: dict[str, int]) -> int:
    """U.S.-led, German-born, ex-Yugoslav: an adjective made of a place or a people."""
    parts = [fold(part) for part in word.split("-")]
    known = int(BIT["country"] | BIT["place"] | BIT["city"] | BIT["demonyms"])
    if any(words.get(part, 0) & known for part in parts if len(part) > 1):
        return int(BIT["compound"])
    return 0


def word_flags(word: str, words: dict[str, int]) -> int:
    """Lists and shape of one word."""
    folded = fold(word)
    flags = words.get(folded, 0)
    flags |= _shape(word)
    if folded.endswith("s") and words.get(folded[:-1], 0) & int(BIT["demonyms"]):
        flags |= int(BIT["demonyms"])
    if "-" in word[1:-1] and not word[0].islower() or word.startswith(("ex-", "anti-", "pro-")):
        flags |= _compound(word, words)
    return flags


@dataclass(frozen=True, eq=False)
class Page:
    """T tokens of D documents, and C stretches of them that look like names.

    flags: (T,) lists and shapes of each token. folded: (T,) hash of its lower-case form.
    document: (T,) its document. low, high: (T,) its sentence is ``low:high``.
    initial: (T,) whether a capital says nothing there. shouting: (T,) whether it stands in a line
    of capitals. start, end: (C,) the stretches.
    """

    indptr: Index
    flags: Flags
    folded: Flags
    document: Index
    low: Index
    high: Index
    initial: Mask
    shouting: Mask
    start: Index
    end: Index
    lexicon: Lexicon

    def near(self, place: Index, within: Index) -> Index:
        """Places of tokens, -1 where they lie outside the sentence of the tokens ``within``."""
        inside = (place >= self.low[within]) & (place < self.high[within])
        return np.where(inside, place, -1)

    def flags_at(self, place: Index) -> Flags:
        """(n,) flags of the tokens at some places, 0 for -1."""
        if not len(self.flags):
            return np.zeros(len(place), np.uint64)
        return np.where(place >= 0, self.flags[place], np.uint64(0))

    def is_word(self, place: Index, *words: str) -> Mask:
        """(n,) whether the tokens at some places (-1: none) are one of these lower-case words."""
        if not len(self.flags):
            return np.zeros(len(place), bool)
        found = np.zeros(len(place), dtype=bool)
        folded = self.folded[place]
        for word in words:
            found |= folded == np.uint64(word_hash(word))
        return found & (place >= 0)

    @cached_property
    def length(self) -> Index:
        """(C,) tokens of each stretch."""
        return self.end - self.start

    @cached_property
    def before(self) -> Index:
        """(C,) the token before each stretch."""
        return self.near(self.start - 1, self.start)

    @cached_property
    def before2(self) -> Index:
        """(C,) the second token before each stretch."""
        return self.near(self.start - 2, self.start)

    @cached_property
    def after(self) -> Index:
        """(C,) the token after each stretch."""
        return self.near(self.end, self.start)

    @cached_property
    def after2(self) -> Index:
        """(C,) the second token after each stretch."""
        return self.near(self.end + 1, self.start)

    @cached_property
    def after3(self) -> Index:
        """(C,) the third token after each stretch."""
        return self.near(self.end + 2, self.start)

    @cached_property
    def first(self) -> Flags:
        """(C,) flags of the first word."""
        return self.flags_at(self.start)

    @cached_property
    def last(self) -> Flags:
        """(C,) flags of the last word."""
        return self.flags_at(self.end - 1)

    @cached_property
    def any(self) -> Flags:
        """(C,) flags that any word of the stretch has."""
        if not len(self.start):
            return np.zeros(0, np.uint64)
        edges = np.stack([self.start, self.end], axis=1).ravel()
        padded = np.append(self.flags, np.uint64(0))
        return np.bitwise_or.reduceat(padded, edges)[::2]

    @cached_property
    def known(self) -> Flags:
        """(C,) flags of the lists that hold the whole stretch."""
        flags = np.where(self.length == 1, self.first, np.uint64(0))
        for length in range(2, LONGEST + 1):
            rows = np.flatnonzero(self.length == length)
            flags[rows] = self.phrase(self.start[rows], length)
        return flags

    def phrase(self, start: Index, length: int) -> Flags:
        """(n,) flags of the lists that hold the phrases of a length from some tokens on."""
        hashes = self.folded[start]
        for step in range(1, length):
            hashes = extend_hash(hashes, self.folded[start + step])
        return self.lexicon.look_up(hashes)

    @cached_property
    def loud(self) -> Mask:
        """(C,) stretches in lines of capitals."""
        return self.shouting[self.start]

    @cached_property
    def sport(self) -> Mask:
        """(C,) stretches in documents about sport."""
        return self.kinds[self.document[self.start], 0]

    @cached_property
    def teams(self) -> Mask:
        """(C,) stretches in documents about a sport of teams."""
        return self.kinds[self.document[self.start], 1]

    @cached_property
    def kinds(self) -> Mask:
        """(D, 2) whether a document is about sport, and about a sport of teams."""
        size = len(self.indptr) - 1

        def count(name: str) -> Index:
            return np.bincount(self.document[has(self.flags, name)], minlength=size)

        sport = count("sport") >= np.maximum(3, 0.015 * np.diff(self.indptr))
        return np.stack([sport, sport & (count("teamsport") >= count("solosport"))], axis=1)


def sentence_bounds(shard: Shard, flags: Flags) -> Mask:
    """(T,) whether a token begins a sentence: as given, else by stops and line ends."""
    starts = shard.sentence_starts.copy()
    size = len(starts)
    given = np.zeros(size, dtype=bool)
    for d in range(len(shard)):
        low, high = shard.indptr[d], shard.indptr[d + 1]
        if low == high:
            continue
        given[low:high] = shard.sentence_starts[low:high].any()
        starts[low] = True
        if not given[low]:
            _lines(shard.texts[d], shard.starts[low:high], starts[low:high])
    if size and not given.all():
        stop = has(flags, "stop")
        quote = has(flags, "quote", "closing")
        after = np.zeros(size, dtype=bool)
        after[1:] = stop[:-1] & ~quote[1:]
        after[2:] |= stop[:-2] & quote[1:-1]
        starts |= after & ~given & ~has(flags, "lower", "stop")
    return starts


def _lines(text: str, offsets: NDArray[np.int32], starts: Mask) -> None:
    """Mark the tokens that begin a paragraph, or a line after a short one."""
    previous = -1
    for found in re.finditer(r"\n", text):
        cut = found.start()
        blank = text[cut + 1 : cut + 2] in {"\n", " ", "\t", "\r", ""}
        if blank or cut - previous < 60:
            at = int(np.searchsorted(offsets, cut))
            if at < len(starts):
                starts[at] = True
        previous = cut


@lru_cache(maxsize=2)
def page(shard: Shard, gazetteers: str | None) -> Page:
    """The page of a shard, made once for all rules that look at it."""
    known = lexicon(gazetteers)
    lexeme_flags = np.asarray(
        [word_flags(word, known.words) for word in shard.lexemes], dtype=np.uint64
    )
    lexeme_hash = np.asarray([word_hash(fold(word)) for word in shard.lexemes], dtype=np.uint64)
    flags = lexeme_flags[shard.token_ids] if len(shard.lexemes) else np.zeros(0, np.uint64)
    folded = lexeme_hash[shard.token_ids] if len(shard.lexemes) else np.zeros(0, np.uint64)
    starts = sentence_bounds(shard, flags)
    size = len(flags)
    first = np.flatnonzero(starts)
    lengths = np.diff(np.append(first, size))
    low = np.repeat(first, lengths)
    high = np.repeat(first + lengths, lengths)
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    initial, shouting = _initial(flags, low), _shouting(flags, first, lengths)
    names = name_words(flags, document, folded, initial, shouting)
    of = np.isin(folded, [word_hash("of"), word_hash("for")])
    the = np.isin(folded, [word_hash("the")])
    start, end = stretches(shard, flags, low, names, shouting, of, the)
    return Page(
        shard.indptr, flags, folded, document, low, high, initial, shouting, start, end, known
    )  # fmt: skip


def _initial(flags: Flags, low: Index) -> Mask:
    """The first word of a sentence, of a quotation, and after a colon or a bullet."""
    size = len(flags)
    wordy = has(flags, "cap", "upper", "lower", "initial")
    before = np.concatenate([[0], np.cumsum(wordy)])
    initial = before[:-1] == before[low] if size else np.zeros(0, bool)
    initial[1:] |= has(flags[:-1], "quote", "colon")
    return initial


def _shouting(flags: Flags, first: Index, lengths: Index) -> Mask:
    """Sentences in capitals: most of at least three words, and no proper lower-case word."""
    if not len(first):
        return np.zeros(0, dtype=bool)
    upper = np.add.reduceat((has(flags, "upper")).astype(np.int32), first)
    lower = np.add.reduceat((has(flags, "lower", "cap")).astype(np.int32), first)
    return np.repeat((upper >= 3) & (upper >= 4 * lower), lengths)
