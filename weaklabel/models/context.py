"""What the text says: a token model that learns from the votes and judges documents it never saw.

One softmax regression per fold, over hashed features (``windows.py``), on the soft tags that the
votes give. A document belongs to a fold by its text, so it is judged by a model that has not seen
it, at fit and at predict alike, whatever shard it lies in.

How far the text counts is learned from votes, not from gold: ``weight`` is ``STRENGTH`` times the
share of the entropy of held-out soft tags (on voted tokens) that the text explains. On little data
it is near 0, and the text switches itself off.

Where no source is exhaustive, text without votes is unlabelled rather than negative. There the
votes decide wherever there are votes; unvoted tokens count ``UNLABELLED`` as negatives, and the
text only proposes spans that no source voted for and that it holds to be likely.

Learning in bounded memory: of all documents, those whose texts have the smallest hashes, up to
about ``max_tokens`` tokens. Neither shards nor the order of documents change that. A text that
cannot be among them is passed over, so the cost does not grow with the corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..kernels import lattice as kernel
from ..kernels.softmax import softmax_epochs, softmax_predict
from ..votes import Gold, Votes
from .candidates import Evidence, Proposals, layers_of
from .segments import Floats
from .threshold import Judged, best_threshold
from .windows import BUCKETS, token_features, token_tags

FOLDS = 3
EPOCHS = 2
RATE = 0.03
DECAY = 1e-5
SETTLED = 0.01
UNLABELLED = 0.2
LIKELY = 0.5
SURE = 0.7
GLIMPSE = 0.3
STRENGTH = 1.5


Key = tuple[bytes, bytes]


@dataclass(frozen=True, eq=False)
class Lesson:
    """One shard to learn from."""

    shard: Shard
    votes: Votes
    evidence: Evidence


class Lessons(Protocol):
    """Shards to learn from, made when asked for."""

    texts: Sequence[Shard]

    def lesson(self, i: int, documents: NDArray[np.int64] | None = None) -> Lesson:
        """A shard, or some of its documents."""
        ...


@dataclass(frozen=True, eq=False)
class Context:
    """The fitted text model.

    buckets: (B,) the features that were ever seen, sorted. coefficients: (folds, B, 2K+1).
    weight: how far the text counts where there are votes. proposes: whether it may label what no
    source voted for. threshold: for the posterior of votes and text.
    """

    buckets: NDArray[np.int32]
    coefficients: NDArray[np.float32]
    weight: float
    proposes: bool
    threshold: float

    def log_tags(self, shard: Shard) -> Floats:
        """(T, 2K+1) log probability of each tag, by the model of the other folds."""
        rows = np.full(BUCKETS, -1, dtype=np.int32)
        rows[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
        tags = token_tags(shard, folds_of(shard), rows, self.coefficients)
        logs: Floats = np.log(np.maximum(tags, 1e-12))
        return logs

    def facts(self) -> dict[str, Any]:
        """What is saved as JSON."""
        return {"weight": self.weight, "proposes": self.proposes, "threshold": self.threshold}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved as npz."""
        return {"context.buckets": self.buckets, "context.coefficients": self.coefficients}

    @classmethod
    def restore(cls, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """From what was saved."""
        return cls(arrays["context.buckets"], arrays["context.coefficients"], **facts)


@dataclass(frozen=True, eq=False)
class _Sample:
    """Documents to learn from.

    key: (D,) hashes by which they are chosen and put in order. length: (D,). features (T, F), tags
    (T, 2K+1), weight (T,), voted (T,), fold (T,).
    """

    key: list[Key]
    length: NDArray[np.int64]
    features: NDArray[np.int32]
    tags: NDArray[np.float32]
    weight: NDArray[np.float32]
    voted: NDArray[np.bool_]
    fold: NDArray[np.int64]

    def smallest(self, max_tokens: int) -> _Sample:
        """The documents with the smallest keys, until there are ``max_tokens`` tokens."""
        order = np.asarray(sorted(range(len(self.key)), key=self.key.__getitem__), dtype=np.int64)
        size = np.cumsum(self.length[order]) - self.length[order]
        return self.take(order[size < max_tokens])

    def in_order(self) -> _Sample:
        """The documents in the order of what is learned from them."""
        order = sorted(range(len(self.key)), key=lambda i: self.key[i][1])
        return self.take(np.asarray(order, dtype=np.int64))

    def take(self, order: NDArray[np.int64]) -> _Sample:
        """Some documents, in the order given."""
        first = np.cumsum(self.length) - self.length
        length = self.length[order]
        ends = np.cumsum(length)
        rows = np.repeat(first[order] - (ends - length), length) + np.arange(length.sum())
        return _Sample(
            [self.key[i] for i in order],
            length,
            self.features[rows],
            self.tags[rows],
            self.weight[rows],
            self.voted[rows],
            self.fold[rows],
        )

    def plus(self, other: _Sample) -> _Sample:
        """Both."""
        pairs = ("length", "features", "tags", "weight", "voted", "fold")
        joined = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in pairs}
        return _Sample(self.key + other.key, **joined)


def fit_context(
    lessons: Lessons, *, n_labels: int, exhaustive: NDArray[np.bool_], max_tokens: int, seed: int
) -> Context | None:
    """Learn from the lessons; None if there is nothing to learn from."""
    sample = _sample(lessons, n_labels, exhaustive, max_tokens)
    if sample is None or not sample.voted.any() or len(np.unique(sample.fold)) < FOLDS:
        return None
    with ThreadPoolExecutor(max_workers=2) as pool:
        coefficients = list(pool.map(partial(_fit_fold, sample, seed=seed), range(FOLDS)))
    tags = np.empty(sample.tags.shape)
    for k in range(FOLDS):
        mine = sample.fold == k
        tags[mine] = softmax_predict(sample.features[mine], coefficients[k])
    buckets = np.unique(sample.features).astype(np.int32)
    kept = np.stack([c[buckets] for c in coefficients])
    if not exhaustive.any():
        return Context(buckets, kept, 0.0, True, SURE)
    share = explained(sample.tags[sample.voted], tags[sample.voted])
    weight = min(1.0, STRENGTH * share)
    context = Context(buckets, kept, weight, False, LIKELY)
    full = sample.length.sum() >= max_tokens
    last = max(sample.key)[0] if full else None
    return replace(context, threshold=_threshold(context, lessons, last))


def _sample(
    lessons: Lessons, n_labels: int, exhaustive: NDArray[np.bool_], max_tokens: int
) -> _Sample | None:
    sample: _Sample | None = None
    for i in range(len(lessons.texts)):
        keys = _text_keys(lessons.texts[i])
        if sample is not None and sample.length.sum() >= max_tokens:
            last = max(sample.key)[0]
            chosen = np.flatnonzero([key <= last for key in keys])
        else:
            chosen = np.arange(len(keys))
        if len(chosen):
            part = _sample_of(lessons.lesson(i, chosen), n_labels, exhaustive)
            sample = (part if sample is None else sample.plus(part)).smallest(max_tokens)
    return None if sample is None else sample.in_order()


def explained(tags: NDArray[Any], predicted: Floats) -> float:
    """Share of the entropy of soft tags (n, C) around their mean that predictions explain."""
    log = np.log(np.maximum(predicted, 1e-12))
    mean = np.log(np.maximum(tags.mean(axis=0, dtype=np.float64), 1e-12))
    total = -float((tags * mean).sum(dtype=np.float64))
    left = -float((tags * log).sum(dtype=np.float64))
    return max(0.0, 1.0 - left / total) if total > 0 else 0.0


def folds_of(shard: Shard) -> NDArray[np.int64]:
    """(D,) the fold of each document, by its text."""
    folds = [_digest(text.encode("utf-8", "surrogatepass"))[0] % FOLDS for text in shard.texts]
    return np.asarray(folds, dtype=np.int64)


def fuse(context: Context, evidence: Evidence, shard: Shard) -> tuple[Floats, Floats]:
    """Log scores of segments and outside tokens: votes plus weight times text."""
    scores, outside = evidence.scores()
    log_tags = context.log_tags(shard)
    token = shard.indptr[evidence.token_document] + evidence.token
    first = shard.indptr[evidence.document] + evidence.start
    last = shard.indptr[evidence.document] + evidence.end
    scores = scores + context.weight * kernel.segment_tags(first, last, log_tags)
    outside = outside + context.weight * log_tags[token, 0]
    kernel.constrain(evidence.lattice, evidence.n_sources, scores, outside)
    return scores, outside


def _threshold(context: Context, lessons: Lessons, last: bytes | None) -> float:
    """The best threshold on the documents that the text was learned from, up to hash ``last``."""
    judged = []
    for i in range(len(lessons.texts)):
        keys = _text_keys(lessons.texts[i])
        chosen = np.flatnonzero([last is None or key < last for key in keys])
        if len(chosen):
            lesson = lessons.lesson(i, chosen)
            evidence = lesson.evidence
            scores, outside = fuse(context, evidence, lesson.shard)
            posterior, _, _ = layers_of(evidence.lattice, scores, outside, LIKELY, False)
            judged.append(
                Judged(evidence.lattice, np.ones(len(evidence.clusters.document)), posterior)
            )
    return best_threshold(judged)


def proposals(
    context: Context, evidence: Evidence, shard: Shard, gold: Gold | None = None
) -> Proposals:
    """Spans that no source touches and the text holds likely, where gold leaves room for them.

    A span begins at the first token of a run that is more than ``GLIMPSE`` likely to be inside.
    """
    log_tags = context.log_tags(shard)
    free = np.exp(log_tags[:, 0]) < 1 - GLIMPSE
    free[shard.indptr[evidence.token_document] + evidence.token] = False
    best = np.where(free, 1 + np.argmax(log_tags[:, 1:], axis=1), 0)
    label, begins = (best - 1) // 2, (best - 1) % 2 == 0
    document = np.repeat(np.arange(len(shard)), shard.n_tokens)
    new = np.ones(len(best), dtype=bool)
    new[1:] = (label[1:] != label[:-1]) | (document[1:] != document[:-1]) | begins[1:] | ~free[:-1]
    first = np.flatnonzero(free & new)
    stop = np.flatnonzero(np.append(new | ~free, True))
    last = stop[np.searchsorted(stop, first, side="right")]
    k = label[first]
    log_p = kernel.segment_tags(first, last, log_tags)[np.arange(len(k)), k]
    keep = log_p > np.log(SURE)
    if gold is not None:
        keep &= ~np.isin(document[first], gold.complete)
    base = shard.indptr[document[first]]
    columns = (document[first], first - base, last - base, k)
    d, s, e, v = (column[keep] for column in columns)
    return Proposals(d, s, e, v, np.exp(log_p[keep]))


def _sample_of(lesson: Lesson, n_labels: int, exhaustive: NDArray[np.bool_]) -> _Sample:
    shard, evidence = lesson.shard, lesson.evidence
    n_tokens = int(shard.indptr[-1])
    tags = np.zeros((n_tokens, 2 * n_labels + 1))
    posterior = (
        (evidence.learned.candidates + evidence.share.candidates) / 2
        if exhaustive.any()
        else evidence.learned.candidates
    )
    base = shard.indptr[evidence.document]
    kernel.soft_tags(base + evidence.start, base + evidence.end, posterior, tags)
    voted = np.zeros(n_tokens, dtype=bool)
    voted[shard.indptr[evidence.token_document] + evidence.token] = True
    unvoted = _trust_in_silence(lesson, exhaustive)
    weight = np.where(voted, 1.0, np.repeat(unvoted, shard.n_tokens))
    return _Sample(
        list(zip(_text_keys(shard), _content_keys(lesson, unvoted), strict=True)),
        shard.n_tokens.astype(np.int64),
        token_features(shard),
        tags.astype(np.float32),
        weight.astype(np.float32),
        voted,
        np.repeat(folds_of(shard), shard.n_tokens),
    )


def _trust_in_silence(lesson: Lesson, exhaustive: NDArray[np.bool_]) -> Floats:
    """(D,) how far a token without votes is negative: 0 if nobody looked."""
    votes = lesson.votes
    order = {name: j for j, name in enumerate(sorted(votes.names))}
    level = np.zeros(votes.n_documents)
    for name, looked in zip(votes.names, votes.looked, strict=True):
        worth = 1.0 if exhaustive[order[name]] else UNLABELLED
        where = slice(None) if looked is None else looked
        level[where] = np.maximum(level[where], worth)
    return level


def _text_keys(shard: Shard) -> list[bytes]:
    """A hash of each document's text, another one than its fold goes by."""
    return [_digest(b"chosen", text.encode("utf-8", "surrogatepass")) for text in shard.texts]


def _content_keys(lesson: Lesson, unvoted: Floats) -> list[bytes]:
    """A hash of all that is learned from a document, text and votes: an order that is its own."""
    evidence = lesson.evidence
    bounds = np.searchsorted(evidence.document, np.arange(len(lesson.shard) + 1))
    said = np.concatenate(
        [evidence.start[:, None].astype(np.float64), evidence.learned.candidates], axis=1
    )
    return [
        _digest(text.encode("utf-8", "surrogatepass"), said[low:high].tobytes(), level.tobytes())
        for text, low, high, level in zip(
            lesson.shard.texts, bounds, bounds[1:], unvoted, strict=False
        )
    ]


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join(parts), digest_size=8).digest()


def _fit_fold(sample: _Sample, fold: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    rows = np.flatnonzero((sample.fold != fold) & (sample.weight > 0))
    orders = np.stack([random.permutation(rows) for _ in range(EPOCHS)]).astype(np.int32)
    coefficients = np.zeros((BUCKETS, sample.tags.shape[1]), dtype=np.float32)
    softmax_epochs(
        sample.features, sample.tags, sample.weight, orders, RATE, DECAY, SETTLED, coefficients
    )
    return coefficients
