"""Text -> tokens: spaCy's rules for a language, or the tokens that came with a document.

spaCy cuts at white space first and looks at each piece by itself, so it gets every distinct piece
once, unless its rules cannot touch a run of letters; the rest is numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .language import bare, blank, glue, whole_words

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from .corpus import Document, Shard

_PIECE = 500_000
"""Characters that spaCy gets at once."""

_REMEMBERED = 200_000
"""Distinct pieces to remember the tokens of, per process and language."""

_LONGEST = 64
"""Pieces of more characters are not remembered: they hardly come again."""

Offsets = bytes
"""Start and end of each token as int32: small to keep, and nothing for the garbage collector."""

_ROW = 8
"""Bytes of a start and an end."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """D documents' tokens: bounds (D+1,), then character offsets and lexeme of each token (T,).

    Lexemes stand in the order of their first occurrence.
    """

    indptr: NDArray[np.int64]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    ids: NDArray[np.int32]
    lexemes: tuple[str, ...]


def tokenize(documents: Sequence[Document], lang: str) -> Tokens:
    """The tokens that documents came with, of the others by the rules of the language."""
    raw = [document for document in documents if document.tokens is None]
    text = _Text.of(raw)
    rules = glue(lang)
    by_rule = _by_documents(raw, lang) if rules is None else _by_pieces(text, lang, *rules)
    if len(raw) == len(documents):
        return by_rule
    return _numbered(documents, _all_offsets(documents, by_rule))


@dataclass(frozen=True, eq=False)
class _Text:
    """Texts in a row: as a string, as code points, and the bounds of each (D+1,)."""

    joined: str
    codes: NDArray[np.uint32]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, documents: Sequence[Document]) -> _Text:
        joined = "".join(document.text for document in documents)
        try:
            codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
        except UnicodeEncodeError:
            raise InputError(_surrogate(documents)) from None
        lengths = [len(document.text) for document in documents]
        return cls(joined, codes, np.cumsum([0, *lengths]).astype(np.int64))

    def slices(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[str]:
        """(n,) strings of these bounds."""
        joined = self.joined
        return [joined[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def _surrogate(documents: Sequence[Document]) -> str:
    for document in documents:
        found = re.search("[\ud800-\udfff]", document.text)
        if found:
            return (
                f"document {document.id!r}: character {found.start()} is half of a surrogate "
                "pair; the text was decoded wrongly"
            )
    return "a text was decoded wrongly"


def _by_pieces(
    text: _Text, lang: str, classes: NDArray[np.uint8], glued: NDArray[np.bool_]
) -> Tokens:
    from .kernels import chunks

    bounds, starts, ends = chunks.split(text.codes, text.bounds, classes, glued)
    ids, first = chunks.number(text.codes, starts, ends)
    low, high = starts[first], ends[first]
    whole = chunks.consist_of(text.codes, low, high, whole_words(lang).letters)
    indptr, begin, end = _piece_tokens(text.slices(low, high), whole, lang)
    base = np.repeat(low, np.diff(indptr))
    tokens, seen = chunks.number(text.codes, base + begin, base + end)
    lexemes = text.slices((base + begin)[seen], (base + end)[seen])
    origin = np.repeat(text.bounds[:-1], np.diff(bounds))
    token_bounds, begin, end, token_ids = chunks.expand(
        ids, starts - origin, indptr, begin, end, tokens
    )
    return Tokens(token_bounds[bounds], begin, end, token_ids, tuple(lexemes))


def _piece_tokens(
    pieces: Sequence[str], whole: NDArray[np.bool_], lang: str
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Distinct pieces -> bounds of their tokens, start and end of each.

    whole: the pieces that are one token unless a rule is made for them.
    """
    rules = whole_words(lang).rules
    odd = ~whole | np.fromiter((piece in rules for piece in pieces), dtype=bool, count=len(pieces))
    offsets = _offsets([pieces[i] for i in np.flatnonzero(odd).tolist()], lang)
    counts = np.ones(len(pieces), dtype=np.int64)
    counts[odd] = [len(rows) // _ROW for rows in offsets]
    starts = np.zeros(counts.sum(), dtype=np.int32)
    ends = np.repeat([len(piece) for piece in pieces], counts).astype(np.int32)
    rows = np.repeat(odd, counts)
    flat = np.frombuffer(b"".join(offsets), dtype=np.int32).reshape(-1, 2)
    starts[rows], ends[rows] = flat[:, 0], flat[:, 1]
    return np.cumsum(np.concatenate([[0], counts])).astype(np.int64), starts, ends


def _offsets(pieces: Sequence[str], lang: str) -> list[Offsets]:
    """The tokens of distinct pieces, by spaCy unless they are remembered."""
    known = _known_pieces(lang)
    if len(known) > _REMEMBERED:
        known.clear()
        bare.cache_clear()  # it remembers what it has seen, too
    fresh = dict(_tokenized([piece for piece in pieces if piece not in known], lang))
    known.update({piece: spans for piece, spans in fresh.items() if len(piece) <= _LONGEST})
    return [fresh.get(piece) or known[piece] for piece in pieces]


@cache
def _known_pieces(lang: str) -> dict[str, Offsets]:
    return {}


def _tokenized(pieces: Sequence[str], lang: str) -> Iterator[tuple[str, Offsets]]:
    """Pieces, a line each so that none meets its neighbour, through spaCy."""
    low = 0
    while low < len(pieces):
        high, size = low, 0
        while high < len(pieces) and (high == low or size + len(pieces[high]) < _PIECE):
            size += len(pieces[high]) + 1
            high += 1
        batch = pieces[low:high]
        spans = _spacy_tokens(bare(lang), "\n".join(batch))
        lines = np.cumsum([0, *(len(piece) + 1 for piece in batch)])
        bounds = np.searchsorted(spans[:, 0], lines)
        spans -= np.repeat(lines[:-1], np.diff(bounds)).astype(np.int32)[:, None]
        rows, cuts = spans.tobytes(), (bounds * _ROW).tolist()
        for piece, (first, last) in zip(batch, pairwise(cuts), strict=True):
            yield piece, rows[first:last]
        low = high


def _by_documents(documents: Sequence[Document], lang: str) -> Tokens:
    """Tokenizers that look further than to the next space (Chinese, Japanese, ...)."""
    parts = [_whole_text(blank(lang), document.text) for document in documents]
    return _numbered(documents, parts)


def _whole_text(nlp: Language, text: str) -> NDArray[np.int32]:
    parts = [_spacy_tokens(nlp.make_doc, piece) + offset for offset, piece in _pieces(text)]
    return np.concatenate([np.zeros((0, 2), dtype=np.int32), *parts])


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        cut = re.compile(r"\s").search(text, min(start + _PIECE, len(text)))
        stop = cut.end() if cut else len(text)
        yield start, text[start:stop]
        start = stop


def _spacy_tokens(tokenizer: Callable[[str], Doc], text: str) -> NDArray[np.int32]:
    """Character offsets (n, 2) of what is not white space."""
    from spacy.attrs import IDX, LENGTH

    table = tokenizer(text).to_array([IDX, LENGTH]).astype(np.int32)
    inked = [not text[start].isspace() for start in table[:, 0].tolist()]
    table = table[np.asarray(inked, dtype=bool)]
    return np.stack([table[:, 0], table[:, 0] + table[:, 1]], axis=1)


def _all_offsets(documents: Sequence[Document], by_rule: Tokens) -> list[NDArray[np.int32]]:
    """The offsets (n, 2) of every document's tokens, given ones and those by rule."""
    raw = 0
    offsets = []
    for document in documents:
        if document.tokens is not None:
            offsets.append(_given(document))
        else:
            rows = slice(by_rule.indptr[raw], by_rule.indptr[raw + 1])
            offsets.append(np.stack([by_rule.starts[rows], by_rule.ends[rows]], axis=1))
            raw += 1
    return offsets


def _given(document: Document) -> NDArray[np.int32]:
    offsets = np.asarray(document.tokens, dtype=np.int32).reshape(-1, 2)
    bounds = np.concatenate([[0], offsets.ravel(), [len(document.text)]])
    wrong = np.flatnonzero(np.diff(bounds) < 0) // 2
    wrong = np.concatenate([wrong, np.flatnonzero(offsets[:, 0] == offsets[:, 1])])
    if len(wrong):
        at = min(int(wrong.min()), len(offsets) - 1)
        raise InputError(
            f"document {document.id!r}: token {at} has characters {offsets[at, 0]} to "
            f"{offsets[at, 1]}; tokens must be in order, not empty, and within the text's "
            f"{len(document.text)} characters"
        )
    return offsets


def _numbered(documents: Sequence[Document], offsets: Sequence[NDArray[np.int32]]) -> Tokens:
    """Number the tokens by what they say."""
    from .kernels import chunks

    text = _Text.of(documents)
    lengths = np.asarray([len(rows) for rows in offsets], dtype=np.int64)
    flat = np.concatenate([np.zeros((0, 2), dtype=np.int32), *offsets])
    origin = np.repeat(text.bounds[:-1], lengths)
    starts, ends = origin + flat[:, 0], origin + flat[:, 1]
    ids, first = chunks.number(text.codes, starts, ends)
    lexemes = tuple(text.slices(starts[first], ends[first]))
    indptr = np.cumsum(np.concatenate([[0], lengths])).astype(np.int64)
    return Tokens(
        indptr, flat[:, 0].astype(np.int32).copy(), flat[:, 1].astype(np.int32).copy(), ids, lexemes
    )


def make_doc(shard: Shard, document: int) -> Doc:
    """A spaCy ``Doc`` with one token for each token of the shard's document.

    Its text has single spaces where the original has any white space, so positions are tokens.
    """
    from spacy.tokens import Doc

    low, high = int(shard.indptr[document]), int(shard.indptr[document + 1])
    words = shard.tokens(document)
    spaces = np.zeros(high - low, dtype=bool)
    spaces[:-1] = shard.starts[low + 1 : high] > shard.ends[low : max(low, high - 1)]
    sentences: list[bool | int | None] | None = None
    if shard.sentence_starts[low:high].any():
        sentences = shard.sentence_starts[low:high].tolist()
    return Doc(blank(shard.lang).vocab, words=words, spaces=spaces.tolist(), sent_starts=sentences)
