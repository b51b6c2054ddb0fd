"""What the class packs are made of: lists of patterns, words weighed, lengths counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard
from weaklabel.sources.base import AnySource, Cast
from weaklabel.sources.class_regex import ClassRegex
from weaklabel.votes import SourceKind

Lists = dict[str, dict[str, list[str]]]

NEGATIONS = frozenset(
    ("not", "n't", "no", "never", "nor", "without", "hardly", "barely", "nothing", "neither")
)


def read_lists(name: str) -> Lists:
    """A pack's lists: class -> what they are about -> words or regular expressions."""
    import yaml

    path = Path(__file__).parent / "words" / f"{name}.yaml"
    lists: Lists = yaml.safe_load(path.read_text(encoding="utf-8"))
    return lists


def patterns(
    lists: Lists, called: Mapping[str, str], prefix: str, *, whole_words: bool = False
) -> list[AnySource]:
    """A source for each list, named by class and subject. called: the task's name of each class."""
    made: list[AnySource] = []
    for side, subjects in lists.items():
        for subject, parts in subjects.items():
            joined = "|".join(parts)
            text = rf"\b(?:{joined})\b" if whole_words else joined
            name = f"{prefix}{side}_{subject}"
            made.append(ClassRegex(name, text, called[side], ignore_case=True))
    return made


@dataclass(eq=False)
class Length:
    """Casts a label on documents of some number of tokens: at least ``low``, at most ``high``."""

    name: str
    labels: tuple[str, ...]
    low: int = 0
    high: int = 2**31 - 1
    kind: SourceKind = "spotter"
    group: str | None = None

    def __call__(self, shard: Shard) -> Cast:
        """Count tokens."""
        fits = (shard.n_tokens >= self.low) & (shard.n_tokens <= self.high)
        return Cast.of(self.labels, np.flatnonzero(fits))


@dataclass(eq=False)
class Balance:
    """Weighs the words of two labels against each other.

    words: lower-case word -> weight, below 0 for the first label, above 0 for the second. A word
    within three tokens after a negation counts for the other label. The vote falls when the sum
    is ``margin`` or more away from 0.
    """

    name: str
    labels: tuple[str, ...]
    words: Mapping[str, float]
    margin: float = 1.0
    kind: SourceKind = "spotter"
    group: str | None = None

    def __call__(self, shard: Shard) -> Cast:
        """Sum the weights of each document's words."""
        lower = [lexeme.lower() for lexeme in shard.lexemes]
        weights = np.asarray([self.words.get(word, 0.0) for word in lower] or [0.0])
        if not len(shard.token_ids):
            return Cast.of(self.labels)
        values = weights[shard.token_ids]
        negation = np.asarray([word in NEGATIONS for word in lower])[shard.token_ids]
        document = np.repeat(np.arange(len(shard)), shard.n_tokens)
        values = np.where(_just_after(negation, document), -values, values)
        total = np.bincount(document, values, minlength=len(shard))
        chosen = np.flatnonzero(np.abs(total) >= self.margin)
        return Cast.of(self.labels, chosen, label=(total[chosen] > 0).astype(np.int64))


def _just_after(mask: NDArray[np.bool_], document: NDArray[np.int64]) -> NDArray[np.bool_]:
    after = np.zeros_like(mask)
    for k in (1, 2, 3):
        after[k:] |= mask[:-k] & (document[k:] == document[:-k])
    return after
