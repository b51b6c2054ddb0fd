"""Words and phrases that speak for a class: keyword lists, and lexicons with weights."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atoms import atomize
from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .gazetteer.trie import Trie
from .lists import decode, read_bytes, read_names


@registry.register("keywords")
class Keywords:
    """Votes for the class whose words and phrases come most often; of equal ones for none.

    keywords: label -> words and phrases; or files: label -> paths of lists.
    least: so many hits at least. several: vote for every class with enough hits.
    cased: upper and lower case count.
    """

    def __init__(
        self,
        name: str,
        keywords: Mapping[str, Iterable[str]] | None = None,
        *,
        files: Mapping[str, str | Path] | None = None,
        least: int = 1,
        several: bool = False,
        cased: bool = False,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.least, self.several, self.cased = least, several, cased
        lists = {label: list(words) for label, words in (keywords or {}).items()}
        for label, path in (files or {}).items():
            lists.setdefault(label, []).extend(word for _, word in read_names(Path(path)))
        self.labels = tuple(lists)
        self.phrases = [(word, k) for k, words in enumerate(lists.values()) for word in words]
        if not self.phrases:
            raise SourceError(f"source {name!r} has no keywords; give keywords or files")

    @cached_property
    def _trie(self) -> Trie:
        return phrase_trie([word for word, _ in self.phrases], cased=self.cased)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_trie"}

    def __call__(self, shard: Shard) -> Cast:
        """The winning class of every document."""
        document, _, _, phrase = self._trie.find(shard, fold=not self.cased)
        hits = np.zeros((len(shard), len(self.labels)), dtype=np.int64)
        classes = np.asarray([k for _, k in self.phrases])[phrase]
        np.add.at(hits, (document, classes), 1)
        enough = hits >= self.least
        if not self.several:
            enough &= hits == hits.max(axis=1, keepdims=True)
            enough &= enough.sum(axis=1, keepdims=True) == 1
        documents, label = np.nonzero(enough)
        return Cast.of(self.labels, documents, label=label)


@registry.register("lexicon")
class Lexicon:
    """Adds the weights of the words and phrases in a document: a soft vote for its class.

    weights: label -> {phrase: weight}. file: JSON of that form, or CSV or TSV with the columns
        phrase, label, weight. With scores s over the labels the confidence in each is softmax(s),
        an unnamed alternative having score 0 if there is one label only.
    threshold: confidences below it are no vote; documents without hits get none.
    """

    def __init__(
        self,
        name: str,
        weights: Mapping[str, Mapping[str, float]] | None = None,
        *,
        file: str | Path | None = None,
        threshold: float = 0.05,
        cased: bool = False,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.threshold, self.cased = threshold, cased
        lists = dict(weights or {}) | (_read_weights(Path(file)) if file is not None else {})
        self.labels = tuple(lists)
        self.phrases = [
            (phrase, k, _weight(name, phrase, weight))
            for k, items in enumerate(lists.values())
            for phrase, weight in items.items()
        ]
        if not self.phrases:
            raise SourceError(f"source {name!r} has no words; give weights or file")

    @cached_property
    def _trie(self) -> Trie:
        return phrase_trie([phrase for phrase, _, _ in self.phrases], cased=self.cased)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_trie"}

    def __call__(self, shard: Shard) -> Cast:
        """The classes that each document's words speak for."""
        document, _, _, phrase = self._trie.find(shard, fold=not self.cased)
        label = np.asarray([k for _, k, _ in self.phrases])[phrase]
        weight = np.asarray([w for _, _, w in self.phrases])[phrase]
        scores = np.zeros((len(shard), max(2, len(self.labels))))
        np.add.at(scores, (document, label), weight)
        confidence = softmax(scores)[:, : len(self.labels)]
        heard = np.zeros(len(shard), dtype=bool)
        heard[document] = True
        documents, labels = np.nonzero((confidence >= self.threshold) & heard[:, None])
        sure = confidence[documents, labels].astype(np.float32)
        return Cast.of(self.labels, documents, label=labels, confidence=sure)


def phrase_trie(phrases: Sequence[str], *, cased: bool) -> Trie:
    """A trie in memory whose label ids are the positions of the phrases."""
    plain = [" ".join(phrase.split()) for phrase in phrases]
    return Trie.build((), atomize(plain, fold=not cased), np.arange(len(plain), dtype=np.int32))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows as probabilities."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _weight(name: str, phrase: str, weight: Any) -> float:
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise SourceError(f"source {name!r}: the weight of {phrase!r} is {weight!r}, no number")
    return value


def _read_weights(path: Path) -> dict[str, dict[str, float]]:
    text = decode(read_bytes(path), None, path)
    if path.suffix == ".json":
        try:
            table: dict[str, dict[str, float]] = json.loads(text)
        except ValueError as error:
            raise SourceError(f"{path}: not JSON: {error}") from None
        if not isinstance(table, dict) or not all(isinstance(v, dict) for v in table.values()):
            raise SourceError(f"{path}: expected label -> phrase -> weight")
        return table
    lists: dict[str, dict[str, float]] = {}
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",")
    missing = {"phrase", "label", "weight"} - set(rows.fieldnames or ())
    if missing:
        raise SourceError(f"{path}: no column {', '.join(sorted(missing))}")
    for row in rows:
        lists.setdefault(row["label"], {})[row["phrase"]] = row["weight"]  # type: ignore[assignment]
    return lists
