"""The default label model for spans: segments, whom to trust, and what the text says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import LabelModelWarning, ModelError, NotFitted
from ..kernels.lattice import Lattice
from ..labels import SpanLabels
from ..task import NONE, Task
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
from .candidates import Evidence, evidence_of, layers_of, reasons_of, with_proposals
from .clusters import PatternCounter, Patterns, clusters_of, lay_out
from .context import Context, Lesson, fit_context, fuse, proposals
from .kinds import seen_where_voted
from .segments import Fit, Trust, count, fit_segments, heed_of, scores_of, weights_of
from .span_guard import drift
from .survey import Survey
from .threshold import Judged, best_threshold
from .walking import Portion, walk

Walk = Callable[[Callable[[Portion], Any]], Iterator[Any]]

Chosen = dict[int, NDArray[np.int64]]
"""By shard, the documents that the text is learned from."""

Taken = tuple[Shard, Votes, Gold | None]
"""Those of one shard."""


@registry.register("spans")
class SpanModel:
    """Segments of tokens with a label each, seen through sources of unlike kind (``segments.py``).

    context: whether a text model helps ("auto": where texts are given). It learns from what the
        votes say, never judges a document it learned from, and counts as far as it explains the
        votes of documents it has not seen (``context.py``).
    silence: weight of a spotter's silence; that of an exhaustive source is 1, or its recall where
        it is the only one.
    anchor: how many times as strong as the data the counts of the start stay in every M-step.
    n_iter, tol: EM ends when expected counts move by less than ``tol`` of all, or after ``n_iter``.
    max_tokens: the text model learns from documents with about so many tokens, chosen by content.
    seed: of the order in which the text model sees tokens.

    Fitted: ``trust_`` (what is believed of each source), ``exhaustive_`` (M,), ``threshold_``,
    ``context_`` (None: no text), ``source_quality_``, ``history_`` (log-likelihood after each
    iteration), ``converged_``, ``fallback_`` (why the share of votes decides instead of what EM
    learned, with a warning; empty where the fit is sound, see ``span_guard.py``).
    """

    def __init__(
        self,
        *,
        context: bool | Literal["auto"] = "auto",
        silence: float = 0.1,
        anchor: float = 3.0,
        n_iter: int = 50,
        tol: float = 1e-3,
        max_tokens: int = 300_000,
        seed: int = 0,
    ) -> None:
        if not 0 <= silence <= 1:
            raise ModelError(f"silence is {silence!r}, expected 0 to 1")
        if anchor < 0:
            raise ModelError(f"anchor is {anchor!r}, expected 0 or more")
        self.context, self.silence, self.anchor = context, silence, anchor
        self.n_iter, self.tol, self.max_tokens, self.seed = n_iter, tol, max_tokens, seed

    def fit(
        self, votes: VoteShards, *, texts: TextShards | None = None, gold: GoldShards | None = None
    ) -> Self:
        """Learn from votes, shard by shard; with texts also from what stands around them."""
        shards = shards_of(votes)
        text_shards = [texts] if isinstance(texts, Shard) else texts
        gold_shards = [gold] if isinstance(gold, Gold) else gold
        self._begin(shards[0])
        over = partial(walk, votes=shards, texts=text_shards, gold=gold_shards)
        chosen = self._survey(over, shards[0])
        patterns, taken = self._count(over, chosen)
        lattice = lay_out(patterns.indptr, patterns.rows, len(self.names_), self._n_votes)
        heed = heed_of(patterns, lattice, self.exhaustive_, self._n_votes)
        self.against_ = (self.exhaustive_ * heed)[:, None] * self.can_
        found = fit_segments(
            patterns,
            lattice,
            self.task_.compatible,
            self.against_,
            weights_of(patterns, len(self.names_), self._groups(shards[0])),
            silence=np.where(self.exhaustive_, np.maximum(heed, self.silence), self.silence),
            anchor=self.anchor,
            n_iter=self.n_iter,
            tol=self.tol,
        )
        self.trust_, self.history_, self.converged_ = found.trust, found.history, found.converged
        if not found.converged:
            warnings.warn(
                f"spans: EM moved on after {self.n_iter} iterations; raise n_iter or anchor",
                LabelModelWarning,
                stacklevel=2,
            )
        doubt, failed = drift(
            patterns, lattice, found, self.task_.compatible, self.against_, self.task_.labels
        )
        self.fallback_ = doubt if failed else ""
        believed = found.share if self.fallback_ else found.posterior
        self.threshold_ = best_threshold([Judged(lattice, patterns.count, believed.candidates)])
        self.source_quality_ = _quality(self, patterns, lattice, found)
        self.context_ = None
        if self.context is True and text_shards is None:
            raise ModelError("context=True needs the texts: fit(votes, texts=...)")
        if doubt:
            verdict = "fell back to" if failed else "may be no better than"
            warnings.warn(
                f"spans: {verdict} majority vote: {doubt}", LabelModelWarning, stacklevel=2
            )
        if self.context and not failed and text_shards is not None:
            self.context_ = fit_context(
                [Lesson(*parts, self._evidence) for parts in taken],
                n_labels=len(self.task_.labels),
                exhaustive=self.exhaustive_,
                max_tokens=self.max_tokens,
                seed=self.seed,
            )
        return self

    def predict(
        self, votes: Votes, *, texts: Shard | None = None, gold: Gold | None = None
    ) -> SpanLabels:
        """Labels of one shard, with probabilities and reasons."""
        if not hasattr(self, "trust_"):
            raise NotFitted("spans: fit the model before predict")
        evidence = self._evidence(votes, gold)
        threshold, context = self.threshold_, self.context_
        lattice = evidence.lattice
        scores, outside = (
            evidence.share_scores() if self.fallback_ else scores_of(lattice, self.trust_)
        )
        if texts is not None and context is not None and context.weight > 0:
            threshold = context.threshold
            scores, outside = fuse(context, evidence, texts)
        posterior, chosen, layer = layers_of(lattice, scores, outside, threshold, self.task_.nested)
        best = np.where(chosen == NONE, posterior.argmax(axis=1), chosen).astype(np.int64)
        number = {name: j for j, name in enumerate(votes.names)}
        order = np.asarray([number.get(name, -1) for name in self.names_], dtype=np.int32)
        labels = SpanLabels(
            self.task_,
            votes.n_tokens,
            evidence.document,
            evidence.start.astype(np.int32),
            evidence.end.astype(np.int32),
            posterior,
            chosen,
            layer,
            reasons_of(lattice, self.trust_, best, votes.names, order),
        )
        if texts is not None and context is not None and context.proposes:
            return with_proposals(labels, proposals(context, evidence, texts, gold))
        return labels

    def _evidence(self, votes: Votes, gold: Gold | None) -> Evidence:
        clusters = clusters_of(self._seen(votes), self.names_, gold)
        return evidence_of(clusters, self.trust_, self.task_.compatible, self.against_)

    def _groups(self, votes: Votes) -> list[str | None]:
        group = {voter.name: voter.group for voter in votes.voters}
        return [group[name] for name in self.names_]

    def _begin(self, votes: Votes) -> None:
        if votes.task.kind != "spans":
            raise ModelError("the spans model needs a task of kind 'spans'")
        self.task_ = votes.task
        self.names_ = tuple(sorted(votes.names))
        self._n_votes = len(self.task_.vote_labels)

    def _survey(self, over: Walk, votes: Votes) -> Chosen:
        """First walk: what each source casts, what kind it is; the documents to read."""
        look = partial(Survey.of, self.names_, self.task_, self.max_tokens)
        found = Survey.together(over(look))
        self.exhaustive_ = found.exhaustive(votes, self.names_, len(self.task_.labels))
        bunched = found.bunches.bunched() & self.exhaustive_
        self.partial_ = [name for j, name in enumerate(self.names_) if bunched[j]]
        self.can_ = ((found.cast > 0).astype(float) @ self.task_.compatible > 0).astype(float)
        self.cast_ = found.cast
        return found.choice.by_shard() if self.context else {}

    def _count(self, over: Walk, chosen: Chosen) -> tuple[Patterns, list[Taken]]:
        """Second walk: the patterns of all shards, and the documents to read."""
        counter = PatternCounter(len(self.names_))
        taken = []
        for counted, parts in over(partial(_look, self.names_, self.partial_, chosen)):
            counter.plus(counted)
            if parts is not None:
                taken.append(parts)
        return counter.patterns(), taken

    def _seen(self, votes: Votes) -> Votes:
        return seen_where_voted(votes, self.partial_) if self.partial_ else votes

    def save(self, folder: Path) -> None:
        """Write the model to a folder."""
        if not hasattr(self, "trust_"):
            raise NotFitted("spans: fit the model before save")
        settings = ("context", "silence", "anchor", "n_iter", "tol", "max_tokens", "seed")
        facts = {
            "settings": {name: getattr(self, name) for name in settings},
            "task": self.task_.to_json(),
            "names": self.names_,
            "partial": self.partial_,
            "threshold": self.threshold_,
            "fallback": self.fallback_,
            "history": self.history_,
            "converged": self.converged_,
            "quality": [asdict(quality) for quality in self.source_quality_],
            "context": None if self.context_ is None else self.context_.facts(),
        }
        arrays: dict[str, NDArray[Any]] = {
            f"trust.{f.name}": np.asarray(getattr(self.trust_, f.name)) for f in fields(Trust)
        }
        arrays |= {name: getattr(self, f"{name}_") for name in ("exhaustive", "against", "cast")}
        if self.context_ is not None:
            arrays |= self.context_.arrays()
        save_state(Path(folder), facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, arrays = load_state(Path(folder))
        model = cls(**facts["settings"])
        model.task_ = Task(**facts["task"])
        model.names_, model.partial_ = tuple(facts["names"]), facts["partial"]
        model._n_votes = len(model.task_.vote_labels)
        trust: dict[str, Any] = {f.name: arrays[f"trust.{f.name}"] for f in fields(Trust)}
        model.trust_ = Trust(**{**trust, "outside": float(trust["outside"])})
        for name in ("exhaustive", "against", "cast"):
            setattr(model, f"{name}_", arrays[name])
        model.threshold_, model.history_ = facts["threshold"], facts["history"]
        model.fallback_ = facts["fallback"]
        model.converged_ = facts["converged"]
        model.source_quality_ = [SourceQuality(**quality) for quality in facts["quality"]]
        stored = facts["context"]
        model.context_ = None if stored is None else Context.restore(stored, arrays)
        return model


def _look(
    names: tuple[str, ...], bunched: list[str], chosen: Chosen, portion: Portion
) -> tuple[PatternCounter, Taken | None]:
    """The patterns of one shard, and those of its documents that were chosen to be read."""
    votes = seen_where_voted(portion.votes, bunched) if bunched else portion.votes
    counter = PatternCounter(len(names))
    counter.add(clusters_of(votes, names, portion.gold), votes, names)
    documents = chosen.get(portion.index)
    if documents is None or portion.text is None:
        return counter, None
    gold = None if portion.gold is None else portion.gold.select_documents(documents)
    text = portion.text.select_documents(documents).compact()
    return counter, (text, portion.votes.select_documents(documents), gold)


def _quality(
    model: SpanModel, patterns: Patterns, lattice: Lattice, found: Fit
) -> list[SourceQuality]:
    """Precision and recall of each source on each label that it casts, as the model believes."""
    cast = model.cast_
    shape = (cast.shape[0], cast.shape[1])
    counts = count(lattice, patterns.count, found.posterior, shape)
    said = counts.said[:, : model._n_votes]
    rows = []
    for j, name in enumerate(model.names_):
        seen = counts.segments - counts.said[j, -1]
        for k, label in enumerate(model.task_.labels):
            votes = model.task_.compatible[:, k] & (cast[j] > 0)
            right = float(said[j, votes, k].sum())
            n = float(cast[j, votes].sum())
            precision = min(right / n, 1.0) if n else float("nan")
            recall = float(min(right / seen[k], 1.0)) if seen[k] > 0 else float("nan")
            weight = float(found.trust.weight[j])
            rows.append(SourceQuality(name, label, precision, recall, weight))
    return rows
