"""What the rules look at: the stretches of a shard that may be names, and what is around them."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np

from weaklabel.corpus import Shard

from .lexicon import LONGEST, Flags, word_hash
from .stretches import stretches
from .tokens import Index, Mask, Tokens, read


@lru_cache(maxsize=2)
def page(shard: Shard, gazetteers: str | None) -> Page:
    """The page of a shard, made once for all rules that look at it."""
    return Page(read(shard, gazetteers))


class Page:
    """C stretches of a shard's tokens.

    start, end: (C,) their first and past-the-last tokens, counted through the shard. Places beside
    a stretch are -1 where its sentence has none.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.start, self.end = stretches(tokens)
        self.length = self.end - self.start

    def near(self, place: Index) -> Index:
        """(C,) the places, -1 where they lie outside the stretch's sentence."""
        inside = (place >= self.tokens.low[self.start]) & (place < self.tokens.high[self.start])
        return np.where(inside, place, -1)

    def flags_at(self, place: Index) -> Flags:
        """(n,) flags of the tokens at some places, 0 for -1."""
        if not len(place):
            return np.zeros(0, np.uint64)
        return np.where(place >= 0, self.tokens.flags[place], np.uint64(0))

    def is_word(self, place: Index, *words: str) -> Mask:
        """(n,) whether the tokens at some places are one of these words."""
        found = np.zeros(len(place), dtype=bool)
        if len(place):
            hashed = self.tokens.hashed[place]
            for word in words:
                found |= hashed == word_hash(word)
        return found & (place >= 0)

    def word(self, position: int) -> Index:
        """(C,) the place of a word inside each stretch, counted from 0; -1 where it has none."""
        return np.where(self.length > position, self.start + position, -1)

    @cached_property
    def before(self) -> Index:
        """(C,) the place before each stretch."""
        return self.near(self.start - 1)

    @cached_property
    def before2(self) -> Index:
        """(C,) the second place before each stretch."""
        return self.near(self.start - 2)

    @cached_property
    def after(self) -> Index:
        """(C,) the place behind each stretch."""
        return self.near(self.end)

    @cached_property
    def after2(self) -> Index:
        """(C,) the second place behind each stretch."""
        return self.near(self.end + 1)

    @cached_property
    def after3(self) -> Index:
        """(C,) the third place behind each stretch."""
        return self.near(self.end + 2)

    @cached_property
    def at_start(self) -> Mask:
        """(C,) stretches that begin their sentence."""
        return self.start == self.tokens.low[self.start]

    @cached_property
    def sentence_length(self) -> Index:
        """(C,) tokens of the stretch's sentence."""
        return self.tokens.high[self.start] - self.tokens.low[self.start]

    @cached_property
    def before_flags(self) -> Flags:
        """(C,) flags of the token before."""
        return self.flags_at(self.before)

    @cached_property
    def after_flags(self) -> Flags:
        """(C,) flags of the token behind."""
        return self.flags_at(self.after)

    @cached_property
    def after2_flags(self) -> Flags:
        """(C,) flags of the second token behind."""
        return self.flags_at(self.after2)

    @cached_property
    def after3_flags(self) -> Flags:
        """(C,) flags of the third token behind."""
        return self.flags_at(self.after3)

    @cached_property
    def first(self) -> Flags:
        """(C,) flags of the first word."""
        return self.tokens.flags[self.start]

    @cached_property
    def last(self) -> Flags:
        """(C,) flags of the last word."""
        return self.tokens.flags[self.end - 1]

    def contains(self, mask: Mask) -> Mask:
        """(C,) stretches with a token of the mask."""
        if not len(self.start):
            return np.zeros(0, bool)
        total = np.concatenate([[0], np.cumsum(mask)])
        return total[self.end] > total[self.start]

    @cached_property
    def any(self) -> Flags:
        """(C,) flags that any word of the stretch has."""
        if not len(self.start):
            return np.zeros(0, np.uint64)
        edges = np.stack([self.start, self.end], axis=1).ravel()
        padded = np.append(self.tokens.flags, np.uint64(0))
        every: Flags = np.bitwise_or.reduceat(padded, edges)[::2]
        return every

    @cached_property
    def known(self) -> Flags:
        """(C,) flags of the lists that hold the whole stretch; its shape, if it is one word."""
        flags = np.where(self.length == 1, self.first, np.uint64(0))
        for length in range(2, LONGEST + 1):
            rows = np.flatnonzero(self.length == length)
            hashes = self.tokens.phrase_hashes(self.start[rows], length)
            flags[rows] = self.tokens.lexicon.look_up(hashes)
        return flags

    @cached_property
    def loud(self) -> Mask:
        """(C,) stretches in lines of capitals."""
        return self.tokens.shouting[self.start]

    @cached_property
    def sport(self) -> Mask:
        """(C,) stretches in documents about sport."""
        return self._kinds[self.tokens.document[self.start], 0]

    @cached_property
    def teams(self) -> Mask:
        """(C,) stretches in documents about a sport of teams."""
        return self._kinds[self.tokens.document[self.start], 1]

    @cached_property
    def _kinds(self) -> Mask:
        """(D, 2) whether a document is about sport, and about a sport of teams."""
        tokens = self.tokens
        size = len(tokens.indptr) - 1

        def count(mask: Mask) -> Index:
            return np.bincount(tokens.document[mask], minlength=size)

        digit = tokens.has("small")
        name = tokens.has("cap", "upper")
        rows = name & tokens.previous(digit) & tokens.next(digit)
        rows |= (
            name & ~tokens.same & tokens.next(digit & tokens.next(digit, 1) & tokens.next(digit, 2))
        )
        results = count(rows)
        sport = count(tokens.has("sport")) + results >= np.maximum(
            3, 0.015 * np.diff(tokens.indptr)
        )
        team = count(tokens.has("teamsport")) + results
        return np.stack([sport, sport & (team >= count(tokens.has("solosport")))], axis=1)
