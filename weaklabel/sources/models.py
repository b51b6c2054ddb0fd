"""Trained models as sources: spaCy pipelines, spaCy text classifiers, scikit-learn classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..corpus import Shard
from ..errors import SourceError
from ..votes import SourceKind
from .base import Cast, registry
from .imported import imported


class _Pipeline:
    """What the two spaCy sources share: a pipeline by name, path or object, loaded when needed."""

    part = ""

    def __init__(
        self,
        name: str,
        model: Any,
        *,
        labels: Mapping[str, str] | None = None,
        batch: int = 64,
        kind: SourceKind = "exhaustive",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.model, self.batch, self._map = model, batch, labels

    @cached_property
    def nlp(self) -> Any:
        """The pipeline."""
        if not isinstance(self.model, str):
            return self.model
        import spacy

        try:
            return spacy.load(self.model)
        except OSError:
            raise SourceError(
                f"source {self.name!r}: no spaCy pipeline {self.model!r}; "
                f"python -m spacy download {self.model}, or give the path of one"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "nlp"}

    @cached_property
    def map(self) -> dict[str, str]:
        """The pipeline's labels and what they are called in the task."""
        if self._map is not None:
            return dict(self._map)
        for part in (self.part, f"{self.part}_multilabel"):
            if part in self.nlp.pipe_labels:
                return {label: label for label in self.nlp.pipe_labels[part]}
        raise SourceError(f"source {self.name!r}: the pipeline has no part {self.part!r}")

    @property
    def labels(self) -> tuple[str, ...]:
        """What it may cast."""
        return tuple(dict.fromkeys(self.map.values()))

    def docs(self, shard: Shard) -> Iterator[tuple[int, Any]]:
        """(document, its ``Doc``) of the texts that are not too long for the pipeline."""
        fits = [d for d, text in enumerate(shard.texts) if len(text) <= self.nlp.max_length]
        texts = (shard.texts[d] for d in fits)
        yield from zip(fits, self.nlp.pipe(texts, batch_size=self.batch), strict=True)

    def too_long(self, shard: Shard) -> dict[int, str]:
        """The others, and why they failed."""
        limit = self.nlp.max_length
        return {
            d: f"{len(text)} characters, over the pipeline's max_length of {limit}"
            for d, text in enumerate(shard.texts)
            if len(text) > limit
        }


@registry.register("spacy_model")
class SpacyModel(_Pipeline):
    """The entities of a trained spaCy pipeline.

    model: its name, path, or the object. labels: {its label: ours}; entities of other labels are
    left out; None: its own labels.
    """

    part = "ner"

    def __call__(self, shard: Shard) -> Cast:
        """Run the pipeline over the texts; spans in characters."""
        ids = {label: k for k, label in enumerate(self.labels)}
        rows = [
            (d, entity.start_char, entity.end_char, ids[self.map[entity.label_]])
            for d, doc in self.docs(shard)
            for entity in doc.ents
            if entity.label_ in self.map
        ]
        columns = list(zip(*rows, strict=True)) or [()] * 4
        return Cast.of(self.labels, *columns, unit="character", failed=self.too_long(shard))


@registry.register("spacy_textcat")
class SpacyTextcat(_Pipeline):
    """The categories of a trained spaCy pipeline as soft votes.

    model, labels: as for ``spacy_model``. threshold: confidences below it are no vote.
    """

    part = "textcat"

    def __init__(
        self,
        name: str,
        model: Any,
        *,
        labels: Mapping[str, str] | None = None,
        threshold: float = 0.05,
        batch: int = 64,
        kind: SourceKind = "exhaustive",
        group: str | None = None,
    ) -> None:
        super().__init__(name, model, labels=labels, batch=batch, kind=kind, group=group)
        self.threshold = threshold

    def __call__(self, shard: Shard) -> Cast:
        """Run the pipeline over the texts."""
        ids = {label: k for k, label in enumerate(self.labels)}
        rows = [
            (d, ids[self.map[label]], score)
            for d, doc in self.docs(shard)
            for label, score in doc.cats.items()
            if label in self.map and score >= max(self.threshold, 1e-6)
        ]
        documents, labels, scores = list(zip(*rows, strict=True)) or [()] * 3
        sure = np.minimum(np.asarray(scores, dtype=np.float32), 1)
        late = self.too_long(shard)
        return Cast.of(self.labels, documents, label=labels, confidence=sure, failed=late)


@registry.register("sklearn")
class SklearnClassifier:
    """A fitted scikit-learn classifier (a pipeline that takes texts) as soft votes.

    estimator: the object, or "module:object" in a job; nothing is ever unpickled.
    labels: {its class: our label}; None: its classes as they read in text.
    threshold: confidences below it are no vote.
    """

    def __init__(
        self,
        name: str,
        estimator: Any,
        *,
        labels: Mapping[Any, str] | None = None,
        threshold: float = 0.05,
        kind: SourceKind = "exhaustive",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.estimator, self.threshold = imported(name, estimator), threshold
        if not hasattr(self.estimator, "classes_") or not hasattr(self.estimator, "predict"):
            raise SourceError(f"source {name!r}: {estimator!r} is no fitted classifier")
        own = [str(value) for value in self.estimator.classes_]
        given = {str(value): label for value, label in (labels or {v: v for v in own}).items()}
        self.columns = [(i, given[value]) for i, value in enumerate(own) if value in given]
        self.labels = tuple(dict.fromkeys(label for _, label in self.columns))
        if not self.labels:
            raise SourceError(f"source {name!r}: labels has none of its classes {', '.join(own)}")

    def __call__(self, shard: Shard) -> Cast:
        """Run the classifier over the texts."""
        texts = list(shard.texts)
        if not texts:
            return Cast.of(self.labels)
        if hasattr(self.estimator, "predict_proba"):
            probability = np.asarray(self.estimator.predict_proba(texts))
        else:
            said = self.estimator.predict(texts)
            probability = np.asarray(said)[:, None] == np.asarray(self.estimator.classes_)
        sums = np.zeros((len(texts), len(self.labels)))
        for i, label in self.columns:
            sums[:, self.labels.index(label)] += probability[:, i]
        documents, labels = np.nonzero(sums >= max(self.threshold, 1e-6))
        sure = np.minimum(sums[documents, labels], 1).astype(np.float32)
        return Cast.of(self.labels, documents, label=labels, confidence=sure)
