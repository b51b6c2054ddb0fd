"""``hmm``: a hidden Markov model over tokens: parts of speech, or a baseline for spans.

Hidden: one tag per token, outside or beginning or going on with a label. A source gives each token
a tag with probability emission[j, v, s]; a token that it does not mark counts as tagged outside.
EM by forward-backward (Rabiner 1989), started from the shares of votes; spans by Viterbi, legal
paths only. It counts a long span several times and drifts when EM runs on, which ``spans`` does
not: so by default it stops after a few iterations.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelModelWarning, ModelError, NotFitted
from ..kernels import chain as kernel
from ..labels import SpanLabels
from ..task import Task
from ..votes import Votes
from .base import SourceQuality, VoteShards, load_state, registry, save_state, shards_of
from .majority import spans_of_tags, tag_shares

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Tokens:
    """Votes as tags. indptr: (B+1,). token, source, tag, weight: (n,) what is not outside."""

    indptr: NDArray[np.int64]
    token: NDArray[np.int64]
    source: NDArray[np.int64]
    tag: NDArray[np.int64]
    weight: Floats
    looked: NDArray[np.bool_]


@registry.register("hmm")
class TokenHMM:
    """A token HMM with one emission table per source.

    n_iter, tol: EM ends when the log-likelihood per token gains less than ``tol``, or after
    ``n_iter``. smoothing: pseudo-counts of each row, most of them on the right tag.
    """

    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    task_: Task
    emission_: Floats
    start_: Floats
    transition_: Floats

    def __init__(self, *, n_iter: int = 2, tol: float = 1e-4, smoothing: float = 1.0) -> None:
        if smoothing <= 0:
            raise ModelError(f"smoothing is {smoothing!r}, expected above 0")
        self.n_iter, self.tol, self.smoothing = n_iter, tol, smoothing

    def fit(self, votes: VoteShards, *, texts: object = None, gold: object = None) -> Self:
        """EM over all shards; each is laid out anew at each iteration, none is kept."""
        shards = shards_of(votes)
        self.task_ = shards[0].task
        if self.task_.kind != "spans":
            raise ModelError("hmm labels spans; this task is of kind 'classes'")
        self.names_ = tuple(sorted(shards[0].names))
        self.history_, self.converged_ = [], False
        counts = self._start(shards)
        n_tokens = max(sum(int(shards[i].n_tokens.sum()) for i in range(len(shards))), 1)
        for _ in range(self.n_iter):
            self._maximise(*counts)
            counts = self._expect(shards)
            self.history_.append(counts[3])
            gained = (self.history_[-1] - self.history_[-2]) if len(self.history_) > 1 else np.inf
            if gained < self.tol * n_tokens:
                self.converged_ = True
                break
        if not self.converged_ and self.n_iter > 10:
            message = f"hmm: EM moved on after {self.n_iter} iterations"
            warnings.warn(message, LabelModelWarning, stacklevel=2)
        self.source_quality_ = self._quality(counts[0])
        return self

    def predict(self, votes: Votes, *, texts: object = None, gold: object = None) -> SpanLabels:
        """The likeliest legal path; a span's probability is the least of its tokens'."""
        if not hasattr(self, "emission_"):
            raise NotFitted("hmm: fit the model before predict")
        tokens = self._tokens(votes)
        emission = self._emission(tokens)
        posterior, *_ = kernel.chain_posterior(
            tokens.indptr, emission, self.start_, self.transition_
        )
        with np.errstate(divide="ignore"):
            start, transition = np.log(self.start_), np.log(self.transition_)
        path = kernel.best_path(tokens.indptr, emission, start, transition)
        marked = np.zeros(posterior.shape)
        marked[np.arange(len(path)), path] = posterior[np.arange(len(path)), path] + 1
        labels = spans_of_tags(votes, marked)
        return SpanLabels(**{**vars(labels), "probability": _minus_one(labels.probability)})

    def save(self, folder: Path) -> None:
        """Write the model to a folder."""
        if not hasattr(self, "emission_"):
            raise NotFitted("hmm: fit the model before save")
        facts = {
            "settings": {"n_iter": self.n_iter, "tol": self.tol, "smoothing": self.smoothing},
            "task": self.task_.to_json(),
            "names": self.names_,
            "history": self.history_,
            "converged": self.converged_,
            "quality": [vars(row) for row in self.source_quality_],
        }
        arrays = {n: getattr(self, f"{n}_") for n in ("emission", "start", "transition")}
        save_state(Path(folder), facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, arrays = load_state(Path(folder))
        model = cls(**facts["settings"])
        model.task_, model.names_ = Task(**facts["task"]), tuple(facts["names"])
        model.history_, model.converged_ = facts["history"], facts["converged"]
        model.source_quality_ = [SourceQuality(**row) for row in facts["quality"]]
        for name, array in arrays.items():
            setattr(model, f"{name}_", array)
        return model

    def _tokens(self, votes: Votes) -> _Tokens:
        unknown = [name for name in votes.names if name not in self.names_]
        if unknown:
            raise ModelError(f"the model was fitted without source {unknown[0]!r}; fit it again")
        number = np.asarray([self.names_.index(name) for name in votes.names], dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(votes.n_tokens)]).astype(np.int64)
        length = (votes.end - votes.start).astype(np.int64)
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        narrow = votes.label < len(self.task_.labels)
        tag = 1 + 2 * np.repeat(votes.label.astype(np.int64), length) + (within > 0)
        keep = np.repeat(narrow, length)
        looked = np.zeros((votes.n_documents, len(self.names_)), dtype=bool)
        looked[:, number] = votes.looked_at()
        table = np.stack(
            [
                np.repeat(indptr[votes.document] + votes.start, length) + within,
                np.repeat(number[votes.source], length),
                tag,
            ]
        )[:, keep]
        weight = np.repeat(votes.confidence.astype(np.float64), length)[keep]
        order = np.lexsort(table[::-1])
        token, source, tag = table[:, order]
        return _Tokens(indptr, token, source, tag, weight[order], looked)

    def _emission(self, tokens: _Tokens) -> Floats:
        base = np.repeat(
            tokens.looked.astype(float) @ self.emission_[:, 0], np.diff(tokens.indptr), axis=0
        )
        change = self.emission_ - self.emission_[:, :1]
        emission: Floats = kernel.tag_emission(
            tokens.token, tokens.source, tokens.tag, tokens.weight, change, base
        )
        return emission

    def _counts(
        self, tokens: _Tokens, posterior: Floats, moves: Floats, starts: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Emission (M, S, S), transitions and starts, with what is not marked as outside."""
        n_states = posterior.shape[1]
        shape = (len(self.names_), n_states, n_states)
        counts = kernel.tag_counts(
            tokens.token, tokens.source, tokens.tag, tokens.weight, posterior, shape
        )
        sums = np.add.reduceat(
            np.concatenate([posterior, np.zeros((1, n_states))]), tokens.indptr[:-1]
        )
        sums[np.diff(tokens.indptr) == 0] = 0
        of_source = np.stack([sums[tokens.looked[:, j]].sum(axis=0) for j in range(shape[0])])
        counts[:, 0] = np.maximum(of_source - counts[:, 1:].sum(axis=1), 0.0)
        return counts, moves, starts

    def _start(self, shards: Any) -> tuple[Floats, Floats, Floats, float]:
        n_states = 2 * len(self.task_.labels) + 1
        total: tuple[Floats, Floats, Floats] = (
            np.zeros((len(self.names_), n_states, n_states)),
            np.zeros((n_states, n_states)),
            np.zeros(n_states),
        )
        for i in range(len(shards)):
            tokens = self._tokens(shards[i])
            share = tag_shares(shards[i], silence=False)
            share[share.sum(axis=1) == 0, 0] = 1.0
            inner = np.ones(len(share), dtype=bool)
            inner[tokens.indptr[:-1][np.diff(tokens.indptr) > 0]] = False
            second = np.flatnonzero(inner)
            moves = share[second - 1].T @ share[second]
            starts = share[~inner].sum(axis=0)
            parts = self._counts(tokens, share, moves, starts)
            total = (total[0] + parts[0], total[1] + parts[1], total[2] + parts[2])
        return (*total, -np.inf)

    def _expect(self, shards: Any) -> tuple[Floats, Floats, Floats, float]:
        sums: list[tuple[Floats, Floats, Floats]] = []
        likelihood = 0.0
        for i in range(len(shards)):
            tokens = self._tokens(shards[i])
            posterior, moves, starts, log_p = kernel.chain_posterior(
                tokens.indptr, self._emission(tokens), self.start_, self.transition_
            )
            sums.append(self._counts(tokens, posterior, moves, starts))
            likelihood += float(log_p)
        emission, moves, starts = (np.sum(part, axis=0) for part in zip(*sums, strict=True))
        return emission, moves, starts, likelihood

    def _maximise(self, emission: Floats, moves: Floats, starts: Floats, _: float) -> None:
        n_states = len(starts)
        legal = _legal(n_states)
        smooth = self.smoothing * (0.9 * np.eye(n_states) + 0.1 / n_states)
        table = emission + smooth
        self.emission_ = np.log(table / table.sum(axis=1, keepdims=True))
        moves = np.where(legal, moves + self.smoothing / n_states, 0.0)
        self.transition_ = moves / moves.sum(axis=1, keepdims=True)
        begin = np.where(_may_begin(n_states), starts + self.smoothing / n_states, 0.0)
        self.start_ = begin / begin.sum()

    def _quality(self, emission: Floats) -> list[SourceQuality]:
        rows = []
        for j, name in enumerate(self.names_):
            for k, label in enumerate(self.task_.labels):
                tags = [1 + 2 * k, 2 + 2 * k]
                right = emission[j][np.ix_(tags, tags)].sum()
                cast, true = emission[j][tags].sum(), emission[j][:, tags].sum()
                precision = float(right / cast) if cast > 0 else float("nan")
                recall = float(right / true) if true > 0 else float("nan")
                rows.append(SourceQuality(name, label, precision, recall))
        return rows


def _may_begin(n_states: int) -> NDArray[np.bool_]:
    """(S,) what may stand first: all but tags that go on with a span."""
    state = np.arange(n_states)
    begins: NDArray[np.bool_] = (state == 0) | (state % 2 == 1)
    return begins


def _legal(n_states: int) -> NDArray[np.bool_]:
    """(S, S) whether the second tag may follow the first."""
    before, after = np.arange(n_states)[:, None], np.arange(n_states)[None, :]
    goes_on = (before == after) | (before + 1 == after)
    legal: NDArray[np.bool_] = _may_begin(n_states)[None, :] | goes_on
    return legal


def _minus_one(probability: Floats) -> Floats:
    """Undo the one that was added to mark the path."""
    return np.where(probability > 0, np.clip(probability - 1, 0.0, 1.0), 0.0)
