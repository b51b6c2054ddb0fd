"""Text -> tokens: spaCy's rules for a language, or the tokens that came with a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from .corpus import Document, Shard

_PIECE = 500_000
"""Characters that are tokenized at once; spaCy splits at white space first, so cutting there
changes no token."""


@cache
def blank(lang: str) -> Language:
    """spaCy's blank pipeline of a language, made once per process."""
    import spacy

    try:
        nlp = spacy.blank(lang)
    except ImportError:
        raise InputError(
            f"language {lang!r}: spaCy has no tokenizer of that code, or needs a package for it; "
            "'xx' is the multi-language one"
        ) from None
    nlp.max_length = 2**62
    return nlp


def tokenize(
    documents: Sequence[Document], lang: str
) -> tuple[list[NDArray[np.int32]], NDArray[np.int32], tuple[str, ...]]:
    """Character offsets (n, 2) per document, lexeme ids of all tokens (T,), and the lexemes.

    Lexemes stand in the order of their first occurrence.
    """
    nlp = blank(lang)
    strings = nlp.vocab.strings
    offsets: list[NDArray[np.int32]] = []
    hashes: list[NDArray[np.uint64]] = []
    for document in documents:
        if document.tokens is None:
            spans, keys = _by_rule(nlp, document.text)
        else:
            spans = np.asarray(document.tokens, dtype=np.int32).reshape(-1, 2)
            keys = np.asarray(
                [strings.add(document.text[a:b]) for a, b in document.tokens], dtype=np.uint64
            )
        offsets.append(spans)
        hashes.append(keys)
    flat = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
    distinct, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    lexemes = tuple(strings[int(key)] for key in distinct[order])
    return offsets, rank[inverse].astype(np.int32), lexemes


def _by_rule(nlp: Language, text: str) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    parts = [_piece(nlp, piece, offset) for offset, piece in _pieces(text)]
    if len(parts) == 1:
        return parts[0]
    spans = [part[0] for part in parts] or [np.zeros((0, 2), dtype=np.int32)]
    keys = [part[1] for part in parts] or [np.zeros(0, dtype=np.uint64)]
    return np.concatenate(spans), np.concatenate(keys)


def _pieces(text: str) -> list[tuple[int, str]]:
    if len(text) <= _PIECE:
        return [(0, text)] if text else []
    pieces, start = [], 0
    while start < len(text):
        cut = re.compile(r"\s").search(text, min(start + _PIECE, len(text)))
        stop = cut.end() if cut else len(text)
        pieces.append((start, text[start:stop]))
        start = stop
    return pieces


def _piece(nlp: Language, text: str, offset: int) -> tuple[NDArray[Any], NDArray[Any]]:
    from spacy.attrs import IDX, IS_SPACE, LENGTH, ORTH

    table = nlp.make_doc(text).to_array([IDX, LENGTH, IS_SPACE, ORTH])
    table = table[table[:, 2] == 0]
    start = table[:, 0].astype(np.int32) + offset
    return np.stack([start, start + table[:, 1].astype(np.int32)], axis=1), table[:, 3]


def make_doc(shard: Shard, document: int) -> Doc:
    """A spaCy ``Doc`` with one token for each token of the shard's document.

    Its text has single spaces where the original has any white space, so positions are tokens.
    """
    from spacy.tokens import Doc

    low, high = int(shard.indptr[document]), int(shard.indptr[document + 1])
    words = shard.tokens(document)
    spaces = np.zeros(high - low, dtype=bool)
    spaces[:-1] = shard.starts[low + 1 : high] > shard.ends[low : high - 1]
    sentences: list[bool | int | None] | None = None
    if shard.sentence_starts[low:high].any():
        sentences = shard.sentence_starts[low:high].tolist()
    return Doc(blank(shard.lang).vocab, words=words, spaces=spaces.tolist(), sent_starts=sentences)
