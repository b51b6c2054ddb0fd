"""A corpus of any size from CoNLL-2003 sentences: recombined, with new names at Heaps' rate.

Sentences alone would repeat a fixed vocabulary, and every cost that grows with distinct lexemes or
vote patterns would look constant. So rare words give way to new ones, spliced from the beginning
and the end of two rare words of the same shape, as often as real text brings new words: after n
tokens at the rate ``K beta n ** (beta - 1)`` (Heaps' law, K and beta fitted on the text itself).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from weaklabel.corpus import Document

SENTENCES_PER_DOCUMENT = 15
RARE = 2


@dataclass(frozen=True, eq=False)
class Generator:
    """sentences: token lists. rare: by shape, the rare words. heaps: K and beta."""

    sentences: list[list[str]]
    rare: dict[str, list[str]]
    rare_share: float
    heaps: tuple[float, float]
    seed: int = 0

    @classmethod
    def from_conll(cls, path: Path, seed: int = 0) -> Generator:
        """Learn from the tokens of a CoNLL file; its tags are not read."""
        blocks = path.read_text("utf-8").split("\n\n")
        lines = [[line.split(" ", 1)[0] for line in b.splitlines() if line] for b in blocks]
        sentences = [s for s in lines if s and s[0] != "-DOCSTART-"]
        counts = Counter(token for sentence in sentences for token in sentence)
        rare: dict[str, list[str]] = {}
        for word in sorted(w for w, n in counts.items() if n <= RARE and shape(w)):
            rare.setdefault(shape(word), []).append(word)
        total = sum(counts.values())
        share = sum(counts[word] for words in rare.values() for word in words) / total
        return cls(sentences, rare, share, _heaps(sentences), seed)

    def documents(self, first: int, last: int) -> Iterator[Document]:
        """The documents of some numbers; each depends on the seed and its own number only."""
        for number in range(first, last):
            yield Document(f"g{number:09d}", self.text(number))

    def text(self, number: int) -> str:
        """One document: lines of tokens."""
        rng = np.random.default_rng([self.seed, number])
        chosen = rng.integers(len(self.sentences), size=SENTENCES_PER_DOCUMENT)
        before = 1 + number * SENTENCES_PER_DOCUMENT * self.tokens_per_sentence
        k, beta = self.heaps
        new = min(1.0, k * beta * before ** (beta - 1) / self.rare_share)
        return "\n".join(self._line(self.sentences[i], new, rng) for i in chosen)

    @cached_property
    def tokens_per_sentence(self) -> float:
        """The mean."""
        return sum(map(len, self.sentences)) / len(self.sentences)

    @cached_property
    def _shape_of(self) -> dict[str, str]:
        return {word: form for form, words in self.rare.items() for word in words}

    def _line(self, sentence: list[str], new: float, rng: np.random.Generator) -> str:
        words = []
        for word, draw in zip(sentence, rng.random(len(sentence)), strict=True):
            form = self._shape_of.get(word) if draw < new else None
            words.append(word if form is None else self._new_word(form, rng))
        return " ".join(words)

    def _new_word(self, form: str, rng: np.random.Generator) -> str:
        words = self.rare[form]
        head, tail = (words[i] for i in rng.integers(len(words), size=2))
        return head[: (len(head) + 1) // 2] + tail[len(tail) // 2 :]


def shape(word: str) -> str:
    """The shape within which words are spliced; empty for what is not a plain word."""
    if not (word.isalpha() and len(word) > 3):
        return ""
    return "title" if word.istitle() else "upper" if word.isupper() else "lower"


def _heaps(sentences: list[list[str]]) -> tuple[float, float]:
    """K and beta of ``V = K n ** beta``, by least squares on logarithms."""
    seen: set[str] = set()
    tokens, sizes, n = [], [], 0
    for sentence in sentences:
        seen.update(sentence)
        n += len(sentence)
        tokens.append(n)
        sizes.append(len(seen))
    half = len(tokens) // 2
    beta, log_k = np.polyfit(np.log(tokens[half:]), np.log(sizes[half:]), 1)
    return float(np.exp(log_k)), float(beta)
