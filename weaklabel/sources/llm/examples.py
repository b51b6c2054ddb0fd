"""Few-shot examples: a fixed few, or those most like the document at hand.

A file has one JSON object a line: ``{"text": ..., "spans": [[start, end, label], ...]}``,
``{"text": ..., "spans": [{"start": 0, "end": 4, "label": "PER"}]}`` or
``{"text": ..., "label": "spam"}`` (``labels`` for several, ``answer`` for a question).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...corpus import Shard
from ...errors import JobError

Choose = Literal["first", "similar"]


@dataclass(frozen=True)
class Example:
    """A text with its solution: spans as (start, end, label) in characters, or labels."""

    text: str
    spans: tuple[tuple[int, int, str], ...] = ()
    labels: tuple[str, ...] = ()


def read_examples(path: Path | str, known: Sequence[str], where: str) -> list[Example]:
    """The examples of a file; a wrong line is named."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"{where}: {path}: {getattr(error, 'strerror', None) or error}") from None
    examples = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            example = _example(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            reason = f"needs {error}" if isinstance(error, KeyError) else str(error)
            raise JobError(f"{where}: {path}, line {number}: no example: {reason}") from None
        for label in (*example.labels, *(span[2] for span in example.spans)):
            if label not in known:
                raise JobError(
                    f"{where}: {path}, line {number}: {label!r} is none of {', '.join(known)}"
                )
        examples.append(example)
    if not examples:
        raise JobError(f"{where}: {path}: no examples")
    return examples


def _example(record: dict[str, Any]) -> Example:
    text = record["text"]
    if not isinstance(text, str):
        raise TypeError("text is no string")
    spans = []
    for span in record.get("spans", ()):
        start, end, label = (
            (span["start"], span["end"], span["label"]) if isinstance(span, dict) else span
        )
        if not 0 <= start < end <= len(text):
            raise ValueError(f"span {start} to {end} lies outside the text")
        spans.append((int(start), int(end), str(label)))
    labels = record.get("labels", record.get("label", record.get("answer", ())))
    labels = [labels] if isinstance(labels, str) else labels
    return Example(text, tuple(sorted(spans)), tuple(str(label) for label in labels))


def from_layer(shards: Iterable[Shard], layer: str, known: Sequence[str]) -> list[Example]:
    """The documents that have an annotation layer (gold, or reviewed), as examples."""
    examples = []
    for shard in shards:
        for d, text in enumerate(shard.texts):
            if layer in shard.spans[d] or layer in shard.classes[d]:
                spans = [(a.start, a.end, a.label) for a in shard.spans[d].get(layer, ())]
                kept = tuple(sorted(span for span in spans if span[2] in known))
                labels = tuple(x for x in shard.classes[d].get(layer, ()) if x in known)
                examples.append(Example(text, kept, labels))
    return examples


class ExamplePool:
    """Gives each text its examples, never the text itself.

    choose: "first" takes them in order; "similar" by the cosine of TF-IDF vectors of words,
    the most similar last, next to the document; ties in order.
    """

    def __init__(self, examples: Sequence[Example], shots: int, choose: Choose) -> None:
        self.examples = list(examples)
        self.shots = shots
        self.choose = choose
        self._index: tuple[Any, Any] | None = None

    def __call__(self, text: str) -> list[Example]:
        """The examples for a text."""
        if self.choose == "first" or len(self.examples) <= self.shots:
            return [e for e in self.examples if e.text != text][: self.shots]
        if self._index is None:
            self._index = self._fit()
        vectorizer, matrix = self._index
        scores = (matrix @ vectorizer.transform([text]).T).toarray()[:, 0]
        ranked = [self.examples[i] for i in (-scores).argsort(kind="stable")]
        return [e for e in ranked if e.text != text][: self.shots][::-1]

    def _fit(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", sublinear_tf=True)
        try:
            return vectorizer, vectorizer.fit_transform(e.text for e in self.examples)
        except ValueError:
            raise JobError("examples: none of them has a word to compare by") from None
