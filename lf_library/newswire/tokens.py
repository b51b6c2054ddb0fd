"""The tokens of a shard as the pack sees them: flags, hashes, sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard

from .lexicon import Flags, Hashes, Lexicon, has, hash_strings, lexicon, word_hash
from .shapes import word_flags

Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

_SHORT_LINE = 60
"""Characters under which a line is no part of a wrapped paragraph."""

_BREAK = ord("\n")
_BLANKS = [ord(c) for c in "\n \t\r"]


@dataclass(frozen=True, eq=False)
class Tokens:
    """T tokens of D documents.

    flags: (T,) lists and shapes of each. hashed, shift: (T,) see ``hash_strings``.
    document: (T,) its document. low, high: (T,) its sentence is ``low:high``.
    same: (T,) whether the token before is of the same sentence. glued: (T,) and touches it.
    initial: (T,) whether a capital says nothing there. shouting: (T,) whether it stands in a line
    of capitals.
    """

    indptr: Index
    flags: Flags
    hashed: Hashes
    shift: Hashes
    document: Index
    low: Index
    high: Index
    same: Mask
    glued: Mask
    initial: Mask
    shouting: Mask
    lexicon: Lexicon

    def has(self, *names: str) -> Mask:
        """(T,) which tokens are in any of the lists, or of the shapes."""
        return has(self.flags, *names)

    def is_word(self, *words: str) -> Mask:
        """(T,) which tokens are one of these words."""
        return np.isin(self.hashed, [word_hash(word) for word in words])

    def next(self, mask: Mask, k: int = 1) -> Mask:
        """(T,) whether the k-th next token of the same sentence is in the mask."""
        out = np.zeros_like(mask)
        if k < len(mask):
            out[:-k] = mask[k:] & (self.low[k:] == self.low[:-k])
        return out

    def previous(self, mask: Mask, k: int = 1) -> Mask:
        """(T,) whether the k-th previous token of the same sentence is in the mask."""
        out = np.zeros_like(mask)
        if k < len(mask):
            out[k:] = mask[:-k] & (self.low[k:] == self.low[:-k])
        return out

    def phrase_hashes(self, start: Index, length: int) -> Hashes:
        """(n,) hashes of the phrases of so many tokens that begin at some places."""
        hashes = self.hashed[start]
        for step in range(1, length):
            hashes = hashes * self.shift[start + step] + self.hashed[start + step]
        return hashes


def read(shard: Shard, gazetteers: str | None) -> Tokens:
    """The tokens of a shard."""
    known = lexicon(gazetteers)
    hashes, shifts = hash_strings(shard.lexemes)
    flags = word_flags(shard.lexemes, hashes, known)[shard.token_ids]
    first = np.flatnonzero(_sentence_starts(shard, flags))
    lengths = np.diff(np.append(first, len(flags)))
    low = np.repeat(first, lengths)
    same = np.zeros(len(flags), dtype=bool)
    same[1:] = low[1:] == low[:-1]
    glued = same.copy()
    glued[1:] &= shard.starts[1:] == shard.ends[:-1]
    return Tokens(
        shard.indptr,
        flags,
        hashes[shard.token_ids],
        shifts[shard.token_ids],
        np.repeat(np.arange(len(shard)), shard.n_tokens),
        low,
        np.repeat(first + lengths, lengths),
        same,
        glued,
        _initial(flags, low),
        _shouting(flags, first, lengths),
        known,
    )


def _sentence_starts(shard: Shard, flags: Flags) -> Mask:
    """(T,) whether a token begins a sentence: as given, else by stops and ends of lines."""
    starts = shard.sentence_starts.copy()
    total = np.concatenate([[0], np.cumsum(starts)])[shard.indptr]
    given = np.repeat(total[1:] > total[:-1], shard.n_tokens)
    starts[shard.indptr[:-1][shard.n_tokens > 0]] = True
    if given.all():
        return starts
    lines = _line_starts(shard)
    starts[lines[~given[lines]]] = True
    stop, quote = has(flags, "stop"), has(flags, "quote", "closing")
    after = np.zeros(len(starts), dtype=bool)
    after[1:] = stop[:-1] & ~quote[1:]
    after[2:] |= stop[:-2] & quote[1:-1]
    return starts | (after & ~given & ~has(flags, "lower", "stop"))


def _line_starts(shard: Shard) -> Index:
    """The tokens that begin a paragraph, or a line after a short one."""
    bounds = np.cumsum([0, *(len(text) for text in shard.texts)])
    text = "".join([*shard.texts, "\n"]).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(text, dtype=np.uint32)
    cuts = np.flatnonzero(codes[:-1] == _BREAK)
    document = np.searchsorted(bounds, cuts, side="right") - 1
    begin = bounds[document]
    previous = np.maximum(np.append(-1, cuts)[:-1], begin - 1)
    blank = np.isin(codes[cuts + 1], _BLANKS) | (cuts + 1 == bounds[document + 1])
    cuts, document = (x[blank | (cuts - previous < _SHORT_LINE)] for x in (cuts, document))
    places = np.repeat(bounds[:-1], shard.n_tokens) + shard.starts
    at = np.searchsorted(places, cuts)
    lines: Index = at[at < shard.indptr[document + 1]]
    return lines


def _initial(flags: Flags, low: Index) -> Mask:
    """The first word of a sentence, of a quotation, and after a colon."""
    words = np.concatenate([[0], np.cumsum(has(flags, "cap", "upper", "lower", "initial"))])
    initial = words[:-1] == words[low]
    initial[1:] |= has(flags[:-1], "quote", "colon")
    return initial


def _shouting(flags: Flags, first: Index, lengths: Index) -> Mask:
    """Sentences whose capitals say nothing: all in capitals, or headlines Written Like This."""
    if not len(first):
        return np.zeros(0, dtype=bool)

    bounds = np.append(first, len(flags))

    def count(mask: Mask) -> Index:
        total = np.zeros(len(flags) + 1, dtype=np.int64)
        np.cumsum(mask, out=total[1:])
        return np.diff(total[bounds])

    upper, capital, lower = (has(flags, name) for name in ("upper", "cap", "lower"))
    ordinary, function = has(flags, "common"), has(flags, "function")
    shouted = (count(upper) >= 3) & (count(upper) >= 4 * count(lower | capital))
    titled = (count(capital) >= 4) & (count(lower & ~function) == 0)
    titled &= 2 * count(capital & ordinary) >= count(capital)
    return np.repeat(shouted | titled, lengths)
