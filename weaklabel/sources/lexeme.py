"""Rules on single words, evaluated once per distinct lexeme and broadcast over the shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import SourceError, nearest
from ..votes import SourceKind
from .base import Cast, registry
from .lists import read_names
from .patterns import compiled, whole
from .runs import bridge, runs

Predicate = Callable[[str], bool]

FORMS: dict[str, Predicate] = {
    "title": str.istitle,
    "upper": str.isupper,
    "lower": str.islower,
    "capitalized": lambda word: word[:1].isupper(),
    "alpha": str.isalpha,
    "digit": str.isdigit,
    "alnum": str.isalnum,
    "punct": lambda word: not any(character.isalnum() for character in word),
}


@registry.register("lexeme")
class LexemeRule:
    """Votes for words that meet every condition given; consecutive ones are one span if ``merge``.

    where: a predicate on the word (Python only). pattern: a regular expression for the whole
    word. shape: spaCy word shapes, such as "Xxxxx" or "dd". words, file: a list of words.
    lower: compare with the list in lower case. form: one or several of title, upper, lower,
    capitalized, alpha, digit, alnum, punct; "not title" and so on for the opposite.
    length, tokens: [least, most] characters of the word, words of the span; None for no limit.
    gap: words that may stand, one at a time, inside a merged span ("-", "of").
    sentence_start: False leaves out spans that begin a sentence (where the documents say so),
    True keeps only those.
    """

    def __init__(
        self,
        name: str,
        label: str,
        *,
        where: Predicate | None = None,
        pattern: str | None = None,
        shape: str | Sequence[str] = (),
        words: Iterable[str] = (),
        file: str | Path | None = None,
        lower: bool = False,
        form: str | Sequence[str] = (),
        length: Sequence[int | None] = (None, None),
        tokens: Sequence[int | None] = (None, None),
        merge: bool = True,
        gap: Iterable[str] = (),
        sentence_start: bool | None = None,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.labels, self.kind, self.group = name, (label,), kind, group
        self.where, self.pattern = where, pattern
        self.shape = (shape,) if isinstance(shape, str) else tuple(shape)
        listed = set(words)
        if file is not None:
            listed.update(word.strip() for _, word in read_names(Path(file)))
        self.words = frozenset(word.lower() if lower else word for word in listed)
        self.lower, self.form = lower, (form,) if isinstance(form, str) else tuple(form)
        self.length, self.tokens = _bounds(name, "length", length), _bounds(name, "tokens", tokens)
        self.merge, self.gap, self.sentence_start = merge, frozenset(gap), sentence_start
        if not self.conditions:
            raise SourceError(f"source {name!r} has no condition; give pattern, words, form, ...")

    @cached_property
    def conditions(self) -> tuple[Predicate, ...]:
        """The tests that a word must pass, cheap ones first."""
        return tuple(self._conditions())

    def _conditions(self) -> Iterator[Predicate]:
        low, high = self.length
        if (low, high) != (0, np.inf):
            yield lambda word: low <= len(word) <= high
        for wanted in self.form:
            yield _form(self.name, wanted)
        if self.words and self.lower:
            yield lambda word: word.lower() in self.words
        elif self.words:
            yield self.words.__contains__
        if self.shape:
            from spacy.lang.lex_attrs import word_shape

            yield lambda word: word_shape(word) in self.shape
        if self.pattern is not None:
            yield whole(compiled(self.name, self.pattern))
        if self.where is not None:
            yield self.where

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "conditions"}

    def __call__(self, shard: Shard) -> Cast:
        """The words, or runs of words, that meet the conditions."""
        meets, errors = self._evaluate(shard.lexemes)
        hit = meets[shard.token_ids]
        if self.gap and self.merge:
            gaps = np.asarray([word in self.gap for word in shard.lexemes], dtype=bool)
            hit = bridge(hit, gaps[shard.token_ids], shard.indptr)
        document, start, end = runs(hit, shard.indptr, merge=self.merge)
        low, high = self.tokens
        keep = (end - start >= low) & (end - start <= high)
        if self.sentence_start is not None:
            first = shard.sentence_starts[shard.indptr[document] + start]
            keep &= first == self.sentence_start
        failed = _documents_with(shard, errors)
        return Cast.of(self.labels, document[keep], start[keep], end[keep], failed=failed)

    def _evaluate(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], dict[int, str]]:
        """(L,) which words pass, and why the tests failed on some of them."""
        meets = np.zeros(len(words), dtype=bool)
        errors: dict[int, str] = {}
        for i, word in enumerate(words):
            try:
                meets[i] = all(holds(word) for holds in self.conditions)
            except Exception as error:
                errors[i] = f"{type(error).__name__}: {error} (on the word {word!r})"
        return meets, errors


def _documents_with(shard: Shard, errors: dict[int, str]) -> dict[int, str]:
    if not errors:
        return {}
    at = np.flatnonzero(np.isin(shard.token_ids, list(errors)))
    document = np.searchsorted(shard.indptr, at, side="right") - 1
    return {
        int(d): errors[int(word)] for d, word in zip(document, shard.token_ids[at], strict=True)
    }


def _form(name: str, wanted: str) -> Predicate:
    known = wanted.removeprefix("not ")
    if known not in FORMS:
        raise SourceError(f"source {name!r}: no form {known!r}; {nearest(known, FORMS)}")
    test = FORMS[known]
    return (lambda word: not test(word)) if wanted.startswith("not ") else test


def _bounds(name: str, key: str, given: Sequence[int | None]) -> tuple[float, float]:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise SourceError(f"source {name!r}: {key} must be [least, most], got {given!r}")
    low, high = given
    return (0 if low is None else low), (np.inf if high is None else high)
