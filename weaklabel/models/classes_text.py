"""``classes-text``: the class model, and a text classifier that learns from its soft labels.

The classifier sees each document only out of fold: a text's fold follows from its hash, so that
also later, ``predict`` never scores a text by a classifier that was trained on it. What the text
says of each source then corrects how far the source is trusted, and text and votes are combined.
Documents on which nobody voted get the text's opinion. Where the text cannot predict the labels
better than the class balance can, it is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import LabelModelWarning, ModelError, NotFitted
from ..kernels.confusion import FULL
from ..labels import ClassLabels
from ..votes import Gold, Votes
from .base import (
    GoldShards,
    SourceQuality,
    TextShards,
    VoteShards,
    load_state,
    registry,
    save_state,
    shards_of,
)
from .classes import ClassModel
from .guard import temperature
from .pattern_model import gold_shards
from .patterns import document_rows
from .text_features import (
    FOLDS,
    Floats,
    Vocabulary,
    digests,
    fit_softmax,
    folds_of,
    hashed,
    softmax,
)

VOTE_WEIGHT = 0.75
"""A vote counts less beside the text, which has learned from the same votes."""
SUREST = 0.9
"""No text classifier is taken to be right more often than this."""


@dataclass(frozen=True, eq=False)
class Reader:
    """One class question as the text answers it.

    coefficients: (FOLDS, F + 1, K). raw: (S,) symbols, emission: (S, K) log P(y | vote) / P(y).
    useful: whether the text predicts the labels at all. heat: exponent that calibrates.
    """

    coefficients: NDArray[np.float32]
    raw: NDArray[np.int64]
    emission: Floats
    useful: bool
    heat: float

    def opinion(self, features: Any, fold: NDArray[np.int64]) -> Floats:
        """(D, K) what the text says, by the classifier that has not seen it."""
        result = np.empty((features.shape[0], self.coefficients.shape[2]))
        for f in range(FOLDS):
            mine = np.flatnonzero(fold == f)
            table = self.coefficients[f].astype(np.float64)
            result[mine] = softmax(features[mine] @ table[:-1] + table[-1])
        return result


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the readers learn from: documents with votes, in an order that nothing changes.

    features: (n, F). fold: (n,). answers: of each question (n, K) soft labels. owner, raw, level:
    of each question the votes: which row, which symbol, how sure.
    """

    features: Any
    fold: NDArray[np.int64]
    answers: list[Floats]
    votes: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]]


@registry.register("classes-text")
class TextClassModel:
    """Class probabilities from votes and texts.

    balance, guard: as in ``ClassModel``. strength: inverse regularization of the text classifier.
    rounds: how often it is trained, the second time on what votes and text say together.
    max_documents: of more documents with votes, a sample by hash trains it. max_features: likewise.

    votes_: the fitted ``ClassModel``. useful_: whether the text is used, of each question.
    """

    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    votes_: ClassModel
    readers_: tuple[Reader, ...]
    vocabulary_: Vocabulary

    def __init__(
        self,
        *,
        balance: Mapping[str, float] | Sequence[float] | None = None,
        guard: bool = True,
        strength: float = 3.0,
        rounds: int = 2,
        max_documents: int = 100_000,
        max_features: int = 60_000,
    ) -> None:
        self.balance = balance
        self.guard = guard
        self.strength = strength
        self.rounds = rounds
        self.max_documents = max_documents
        self.max_features = max_features

    def fit(
        self, votes: VoteShards, *, texts: TextShards | None = None, gold: GoldShards | None = None
    ) -> Self:
        """Learn from votes, then from texts; without texts this is the model ``classes``."""
        shards = shards_of(votes)
        self.votes_ = ClassModel(balance=self.balance, guard=self.guard).fit(shards, gold=gold)
        self.history_, self.converged_ = self.votes_.history_, self.votes_.converged_
        self.source_quality_ = self.votes_.source_quality_
        self.readers_ = ()
        self.vocabulary_ = Vocabulary(np.empty(0, np.int64), np.empty(0))
        if texts is None:
            warnings.warn(
                "no texts were given to 'classes-text': it labels by votes alone",
                LabelModelWarning,
                stacklevel=2,
            )
            return self
        documents = [texts] if isinstance(texts, Shard) else texts
        if len(documents) != len(shards):
            raise ModelError(f"{len(documents)} shards of texts for {len(shards)} shards of votes")
        lesson = self._lesson(shards, documents, gold_shards(gold, len(shards)))
        if lesson is not None:
            self.readers_ = tuple(
                self._learn(lesson, question) for question in range(len(lesson.answers))
            )
        return self

    def predict(
        self, votes: Votes, *, texts: Shard | None = None, gold: Gold | None = None
    ) -> ClassLabels:
        """Labels of one shard, by votes and texts."""
        if not hasattr(self, "votes_"):
            raise NotFitted("the model 'classes-text' was not fitted: call fit(votes, texts=...)")
        labels = self.votes_.predict(votes, gold=gold)
        if texts is None or not any(reader.useful for reader in self.readers_):
            return labels
        features = self.vocabulary_.weigh(hashed(texts.texts))
        fold = folds_of(digests(texts.texts))
        known = np.zeros(votes.n_documents, dtype=bool)
        if gold is not None:
            known[gold.complete] = True
        probability = labels.probability.copy()
        for question, reader in enumerate(self.readers_):
            if not reader.useful:
                continue
            owner, raw, level = self._cast(votes, question)
            both = combine(reader, reader.opinion(features, fold), owner, raw, level)
            if self.votes_.task_.multi:
                probability[~known, question] = both[~known, 1]
            else:
                probability[~known] = both[~known]
        spoken = labels.covered | (np.diff(features.indptr) > 0)
        return ClassLabels(labels.task, probability, spoken, labels.reasons)

    def save(self, folder: Path) -> None:
        """Write the model to a folder; the vote model goes to ``votes`` inside it."""
        if not hasattr(self, "votes_"):
            raise NotFitted("the model 'classes-text' was not fitted: nothing to save")
        self.votes_.save(Path(folder) / "votes")
        settings = {k: v for k, v in vars(self).items() if not k.endswith("_")}
        balance = settings["balance"]
        settings["balance"] = dict(balance) if isinstance(balance, Mapping) else balance
        facts = {
            "model": "classes-text",
            "settings": settings,
            "readers": [{"useful": r.useful, "heat": r.heat} for r in self.readers_],
        }
        arrays: dict[str, NDArray[Any]] = {
            "columns": self.vocabulary_.columns,
            "idf": self.vocabulary_.idf,
        }
        for i, reader in enumerate(self.readers_):
            for name in ("coefficients", "raw", "emission"):
                arrays[f"{i}.{name}"] = getattr(reader, name)
        save_state(folder, facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, stored = load_state(folder)
        arrays: dict[str, Any] = dict(stored)
        if facts.get("model") != "classes-text":
            raise ModelError(f"{folder}: holds a model {facts.get('model')!r}, not 'classes-text'")
        model = cls(**facts["settings"])
        model.votes_ = ClassModel.load(Path(folder) / "votes")
        model.history_, model.converged_ = model.votes_.history_, model.votes_.converged_
        model.source_quality_ = model.votes_.source_quality_
        model.vocabulary_ = Vocabulary(arrays["columns"], arrays["idf"])
        names = ("coefficients", "raw", "emission")
        model.readers_ = tuple(
            Reader(**({name: arrays[f"{i}.{name}"] for name in names} | reader))
            for i, reader in enumerate(facts["readers"])
        )
        return model

    @property
    def useful_(self) -> tuple[bool, ...]:
        """Of each question, whether the text is used."""
        return tuple(reader.useful for reader in self.readers_)

    def _cast(
        self, votes: Votes, question: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        label = question if self.votes_.task_.multi else None
        rows = document_rows(votes, None, self.votes_.sources_, label)
        owner = np.repeat(np.arange(votes.n_documents), np.diff(rows.indptr))
        return owner, rows.raw, rows.levels / FULL

    def _lesson(
        self, shards: Sequence[Votes], texts: Sequence[Shard], gold: Sequence[Gold | None]
    ) -> Lesson | None:
        """Features and soft labels of the documents with votes; shards are read twice."""
        n_documents, limit = 0, self._share(shards)
        frequency = np.zeros(1 << 20, dtype=np.int64)
        for documents in texts:
            counts = hashed(documents.texts)
            frequency += np.bincount(counts.indices, minlength=len(frequency))
            n_documents += len(documents)
        self.vocabulary_ = Vocabulary.of(frequency, n_documents, self.max_features)
        if len(self.vocabulary_.columns) == 0:
            return None
        parts = [
            self._part(votes, documents, known, limit)
            for votes, documents, known in zip(shards, texts, gold, strict=True)
        ]
        return _together(parts)

    def _share(self, shards: Sequence[Votes]) -> np.uint64:
        """Digests up to here train the classifier."""
        covered = sum(len(np.unique(shard.document)) for shard in shards)
        share = min(1.0, self.max_documents / max(covered, 1))
        return np.uint64(min(share * 2.0**64, 2.0**64 - 2048))

    def _part(
        self, votes: Votes, documents: Shard, gold: Gold | None, limit: np.uint64
    ) -> tuple[NDArray[np.uint64], Lesson]:
        digest = digests(documents.texts)
        probability, covered = self.votes_.posterior(votes, gold)
        chosen = np.flatnonzero(covered & (digest <= limit))
        place = np.full(votes.n_documents, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        answers, cast = [], []
        columns = range(probability.shape[1]) if self.votes_.task_.multi else [None]
        for question, column in enumerate(columns):
            mine = probability if column is None else _no_yes(probability[:, column])
            answers.append(mine[chosen])
            owner, raw, level = self._cast(votes, question)
            kept = place[owner] >= 0
            cast.append((place[owner[kept]], raw[kept], level[kept]))
        texts = [documents.texts[i] for i in chosen]
        features = self.vocabulary_.weigh(hashed(texts)) if texts else None
        lesson = Lesson(features, folds_of(digest[chosen]), answers, cast)
        return digest[chosen], lesson

    def _learn(self, lesson: Lesson, question: int) -> Reader:
        first = lesson.answers[question]
        owner, raw, level = lesson.votes[question]
        symbols, answer = np.unique(raw), first
        for step in range(max(self.rounds, 1)):
            coefficients = self._train(lesson, answer)
            reader = Reader(coefficients, symbols[:0], np.empty((0, 0)), True, 1.0)
            opinion = reader.opinion(lesson.features, lesson.fold)
            if step == 0 and not _tells(first, opinion):
                empty = np.empty((0, first.shape[1]))
                return Reader(coefficients[:, :1], symbols[:0], empty, False, 1.0)
            emission = self._emission(lesson, question, opinion)
            reader = Reader(coefficients, symbols, emission, True, 1.0)
            answer = combine(reader, opinion, owner, raw, level)
        return replace(reader, heat=_heat(answer, opinion, first))

    def _emission(self, lesson: Lesson, question: int, opinion: Floats) -> Floats:
        """(S, K) what a vote adds to the text: a crowd keeps what it has learned of itself."""
        owner, raw, level = lesson.votes[question]
        symbols, back = np.unique(raw, return_inverse=True)
        if self.votes_.beliefs_[question].regime == "crowd":
            return self.votes_.table(symbols, question)
        told = _by_symbol(opinion, owner, back.ravel(), level)
        voted = _by_symbol(lesson.answers[question], owner, back.ravel(), level)
        return np.asarray(VOTE_WEIGHT * np.log(0.5 * (told + voted) / opinion.mean(axis=0)))

    def _train(self, lesson: Lesson, answer: Floats) -> NDArray[np.float32]:
        tables = []
        for fold in range(FOLDS):
            others = np.flatnonzero(lesson.fold != fold)
            tables.append(
                fit_softmax(
                    lesson.features[others],
                    answer[others],
                    strength=self.strength,
                    iterations=40,
                )
            )
        return np.stack(tables).astype(np.float32)


def combine(
    reader: Reader,
    opinion: Floats,
    owner: NDArray[np.int64],
    raw: NDArray[np.int64],
    level: Floats,
) -> Floats:
    """(D, K) text and votes: log-probabilities of the text plus what each vote adds."""
    scores = np.log(np.maximum(opinion, 1e-6))
    if len(reader.raw):
        place = np.minimum(np.searchsorted(reader.raw, raw), len(reader.raw) - 1)
        seen = reader.raw[place] == raw
        np.add.at(scores, owner[seen], level[seen, None] * reader.emission[place[seen]])
    return softmax(reader.heat * scores)


def _by_symbol(
    answer: Floats, owner: NDArray[np.int64], symbol: NDArray[np.int64], level: Floats
) -> Floats:
    """(S, K) P(y | vote), of documents on which the vote was cast, a little smoothed."""
    total = np.tile(2 * answer.mean(axis=0), (int(symbol.max(initial=-1)) + 1, 1))
    np.add.at(total, symbol, level[:, None] * answer[owner])
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def _tells(answer: Floats, opinion: Floats) -> bool:
    """Whether the text, out of fold, predicts the soft labels better than their mean does."""
    balance = answer.mean(axis=0)
    gain = np.sum(answer * (np.log(np.maximum(opinion, 1e-9)) - np.log(np.maximum(balance, 1e-9))))
    return bool(gain > 0)


def _heat(answer: Floats, opinion: Floats, votes: Floats) -> float:
    """The exponent that makes the answers as sure as they are expected to be right.

    Text and votes agree on a share A of the documents. If votes are right with probability v and
    both err independently, the text is with ``(A - w) / (v - w)``, where ``w = (1 - v)/(K - 1)``.
    As it has learned from the votes, that is too kind; the truth is sought half way from v.
    """
    sure = float(votes.max(axis=1).mean())
    chance = (1 - sure) / max(votes.shape[1] - 1, 1)
    agree = float((opinion.argmax(axis=1) == votes.argmax(axis=1)).mean())
    text = float(np.clip((agree - chance) / max(sure - chance, 1e-9), 0.0, SUREST))
    target = 0.5 * (sure + text)
    if answer.max(axis=1).mean() >= target:
        return 1.0
    return temperature(answer, np.ones(len(answer)), target)


def _no_yes(probability: Floats) -> Floats:
    return np.stack([1 - probability, probability], axis=1)


def _together(parts: list[tuple[NDArray[np.uint64], Lesson]]) -> Lesson | None:
    """One lesson of all shards, documents in order of their digest, then of their answers."""
    from scipy.sparse import vstack

    parts = [part for part in parts if len(part[0])]
    if not parts:
        return None
    digest = np.concatenate([d for d, _ in parts])
    lessons = [lesson for _, lesson in parts]
    answers = [
        np.concatenate(columns) for columns in zip(*(x.answers for x in lessons), strict=True)
    ]
    order = np.lexsort([*answers[0].T, digest])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    offsets = np.cumsum([0] + [len(d) for d, _ in parts[:-1]])
    votes = []
    for question in range(len(answers)):
        cast = [lesson.votes[question] for lesson in lessons]
        owner = place[
            np.concatenate([o + off for (o, _, _), off in zip(cast, offsets, strict=True)])
        ]
        raw, level = np.concatenate([c[1] for c in cast]), np.concatenate([c[2] for c in cast])
        sort = np.lexsort((level, raw, owner))
        votes.append((owner[sort], raw[sort], level[sort]))
    features = vstack([lesson.features for lesson in lessons], format="csr")[order]
    fold = np.concatenate([lesson.fold for lesson in lessons])[order]
    return Lesson(features, fold, [answer[order] for answer in answers], votes)
