"""``skweak-hmm``, ``skweak-nb``: skweak's models (Lison et al. 2021) on the same votes.

Votes become ``doc.spans`` of blank spaCy documents under the sources' own names, which skweak's
redundancy weights read ("..._cased" and "..._uncased" are one). Overlapping spans of the answer are
resolved by probability; skweak knows no spans inside one another.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtra, ModelError, NotFitted
from ..labels import SpanLabels
from ..task import Task
from ..votes import Votes
from .base import SourceQuality, VoteShards, load_state, registry, save_state, shards_of

_ANSWER = "weaklabel"
_BY_SOURCE = ("emit_probs", "emit_counts", "weights")


class _Skweak:
    """What both have in common."""

    name: ClassVar[str]
    learned: ClassVar[tuple[str, ...]]
    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    task_: Task
    model_: Any

    def __init__(self, *, n_iter: int = 4) -> None:
        self.n_iter = n_iter

    def _make(self, labels: list[str]) -> Any:
        raise NotImplementedError

    def fit(self, votes: VoteShards, *, texts: object = None, gold: object = None) -> Self:
        """Fit on the documents of all shards."""
        shards = shards_of(votes)
        self.task_ = shards[0].task
        if self.task_.kind != "spans":
            raise ModelError(f"{self.name} labels spans; this task is of kind 'classes'")
        self.model_ = self._make(list(self.task_.labels))
        docs = (doc for i in range(len(shards)) for doc in _docs(shards[i]))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.model_.fit(docs, n_iter=self.n_iter)
        self.history_, self.converged_, self.source_quality_ = [], True, []
        return self

    def predict(self, votes: Votes, *, texts: object = None, gold: object = None) -> SpanLabels:
        """Labels of one shard."""
        if not hasattr(self, "model_"):
            raise NotFitted(f"{self.name}: fit the model before predict")
        rows: list[tuple[int, int, int, int, float]] = []
        for d, doc in enumerate(self.model_.pipe(_docs(votes))):
            answer = doc.spans.get(_ANSWER, [])
            found = [
                (span.start, span.end, self.task_.label_id(span.label_), _p(doc, span))
                for span in answer
            ]
            rows += [(d, *span) for span in _apart(found)]
        table = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
        columns = table[:, :4].astype(np.int64).T
        probability = np.zeros((len(table), len(self.task_.labels)))
        probability[np.arange(len(table)), columns[3]] = table[:, 4]
        return SpanLabels(
            self.task_,
            votes.n_tokens,
            columns[0],
            columns[1].astype(np.int32),
            columns[2].astype(np.int32),
            probability,
            columns[3].astype(np.int16),
            np.zeros(len(table), dtype=np.int8),
        )

    def save(self, folder: Path) -> None:
        """Write what skweak learned as arrays."""
        if not hasattr(self, "model_"):
            raise NotFitted(f"{self.name}: fit the model before save")
        sources = sorted(self.model_.emit_probs)
        facts = {
            "model": self.name,
            "n_iter": self.n_iter,
            "task": self.task_.to_json(),
            "sources": sources,
        }
        arrays: dict[str, NDArray[Any]] = {}
        for part in _BY_SOURCE:
            stored = getattr(self.model_, part)
            for j, source in enumerate(sources):
                if source in stored:
                    arrays[f"{part}.{j}"] = np.asarray(stored[source])
        for path in self.learned:
            arrays[path] = np.asarray(_follow(self.model_, path))
        save_state(Path(folder), facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, arrays = load_state(Path(folder))
        if facts.get("model") != cls.name:
            raise ModelError(f"{folder}: holds a model {facts.get('model')!r}, not {cls.name!r}")
        model = cls(n_iter=facts["n_iter"])
        model.task_ = Task(**facts["task"])
        model.model_ = model._make(list(model.task_.labels))
        for part in _BY_SOURCE:
            stored = {
                source: arrays[f"{part}.{j}"]
                for j, source in enumerate(facts["sources"])
                if f"{part}.{j}" in arrays
            }
            setattr(model.model_, part, stored)
        for path in cls.learned:
            *owner, name = path.split(".")
            setattr(_follow(model.model_, ".".join(owner)), name, arrays[path])
        model.history_, model.converged_, model.source_quality_ = [], True, []
        return model


@registry.register("skweak-hmm")
class SkweakHMM(_Skweak):
    """skweak's token HMM behind our contract. n_iter: of EM, skweak's default is 4."""

    name: ClassVar[str] = "skweak-hmm"
    learned: ClassVar[tuple[str, ...]] = ("hmm.startprob_", "hmm.transmat_")

    def _make(self, labels: list[str]) -> Any:
        return _generative().HMM(_ANSWER, labels)


@registry.register("skweak-nb")
class SkweakNaiveBayes(_Skweak):
    """skweak's naive Bayes over distinct spans, behind our contract."""

    name: ClassVar[str] = "skweak-nb"
    learned: ClassVar[tuple[str, ...]] = ("prior_probs", "state_counts")

    def _make(self, labels: list[str]) -> Any:
        return _generative().NaiveBayes(_ANSWER, labels)


def _generative() -> Any:
    try:
        import skweak.generative
    except ImportError:
        raise MissingExtra("skweak", "skweak") from None
    return skweak.generative


def _follow(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name) if name else owner
    return owner


def _docs(votes: Votes) -> Iterator[Any]:
    from spacy.tokens import Doc, Span
    from spacy.vocab import Vocab

    vocab = Vocab()
    names, labels = votes.names, votes.task.vote_labels
    columns = (votes.source, votes.start, votes.end, votes.label)
    for d in range(votes.n_documents):
        doc = Doc(vocab, words=["x"] * int(votes.n_tokens[d]))
        groups: dict[str, list[Any]] = {}
        for i in range(int(votes.indptr[d]), int(votes.indptr[d + 1])):
            j, s, e, v = (int(column[i]) for column in columns)
            groups.setdefault(names[j], []).append(Span(doc, s, e, label=labels[v]))
        for j, name in enumerate(names):
            looked = votes.looked[j]
            if looked is None or name in groups or d in looked:
                doc.spans[name] = groups.get(name, [])
        yield doc


def _p(doc: Any, span: Any) -> float:
    """The probability skweak gives to a span: its own, or the least of its tokens'."""
    probs = doc.spans[_ANSWER].attrs["probs"]
    if (span.start, span.end) in probs:
        return float(probs[span.start, span.end].get(span.label_, 0.0))
    parts = [
        sum(p for tag, p in probs.get(t, {}).items() if tag.endswith("-" + span.label_))
        for t in range(span.start, span.end)
    ]
    return float(min(parts))


def _apart(
    spans: list[tuple[int, int, int, float]],
) -> list[tuple[int, int, int, float]]:
    """The likeliest spans that do not overlap, in order; of equal ones the longest, the first."""
    kept: list[tuple[int, int, int, float]] = []
    for span in sorted(spans, key=lambda s: (-s[3], s[0] - s[1], s[0], s[2])):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
    return sorted(kept)
