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
about ``max_tokens`` tokens (``Choice``). Neither shards nor the order of documents change that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..kernels import lattice as kernel
from ..kernels.softmax import softmax_epochs, softmax_predict
from ..votes import Gold, Votes
from .candidates import Evidence, Proposals, layers_of
from .segments import Floats
from .threshold import Judged, best_threshold
from .windows import BUCKETS, token_features, token_log_tags

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


Key = tuple[int, bytes]


class Choice:
    """The documents of a corpus with the smallest text hashes, until there are enough tokens.

    Of texts that are equal to the last one all are kept, within reason: which of them are learned
    from is decided by what is said of them.
    """

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        nothing = np.zeros(0, dtype=np.int64)
        self.columns = (nothing.astype(np.uint64), nothing, nothing, nothing)

    def add(self, index: int, shard: Shard) -> None:
        """Consider the documents of a shard."""
        where = np.full(len(shard), index)
        self._consider(text_keys(shard), where, np.arange(len(shard)), shard.n_tokens)

    def plus(self, other: Choice) -> None:
        """Consider what another one chose from other shards."""
        self._consider(*other.columns)

    def _consider(self, *more: NDArray[Any]) -> None:
        columns = [np.concatenate(pair) for pair in zip(self.columns, more, strict=True)]
        order = np.lexsort((columns[2], columns[1], columns[0]))
        key, shard, document, tokens = (column[order] for column in columns)
        before = np.cumsum(tokens) - tokens
        kept = (before < self.max_tokens) & (np.arange(len(key)) < self.max_tokens)
        if not kept.all():
            kept |= (key == key[kept][-1]) & (before < 2 * self.max_tokens)
        self.columns = (key[kept], shard[kept], document[kept], tokens[kept])

    def by_shard(self) -> dict[int, NDArray[np.int64]]:
        """The documents of each shard that were chosen, in order."""
        _, shard, document, _ = self.columns
        return {int(i): np.sort(document[shard == i]) for i in np.unique(shard)}


@dataclass(frozen=True, eq=False)
class Lesson:
    """Documents to learn from, and how what their votes say is found out."""

    shard: Shard
    votes: Votes
    gold: Gold | None
    judge: Callable[[Votes, Gold | None], Evidence]

    @cached_property
    def evidence(self) -> Evidence:
        """What the votes say."""
        return self.judge(self.votes, self.gold)

    def select(self, documents: NDArray[np.int64]) -> Lesson:
        """Some of the documents."""
        if len(documents) == len(self.shard):
            return self
        gold = None if self.gold is None else self.gold.select_documents(documents)
        votes, shard = self.votes.select_documents(documents), self.shard
        return Lesson(shard.select_documents(documents), votes, gold, self.judge)


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

    def log_tags(
        self, shard: Shard, at: NDArray[np.int64], least: float = 0.0
    ) -> tuple[NDArray[np.int64], Floats]:
        """Log probabilities of tags by the model of the other folds; see ``token_log_tags``."""
        return token_log_tags(shard, folds_of(shard), self.buckets, self.coefficients, at, least)

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

    @classmethod
    def together(cls, parts: Sequence[_Sample]) -> _Sample:
        """All of them."""
        names = ("length", "features", "tags", "weight", "voted", "fold")
        joined = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
        return cls([key for part in parts for key in part.key], **joined)


def fit_context(
    lessons: Sequence[Lesson],
    *,
    n_labels: int,
    exhaustive: NDArray[np.bool_],
    max_tokens: int,
    seed: int,
) -> Context | None:
    """Learn from the lessons; None if there is nothing to learn from."""
    if not lessons:
        return None
    parts = [_sample_of(lesson, n_labels, exhaustive) for lesson in lessons]
    sample = _Sample.together(parts).smallest(max_tokens).in_order()
    if not sample.voted.any() or len(np.unique(sample.fold)) < FOLDS:
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
    lattice = evidence.lattice
    token = shard.indptr[evidence.token_document] + evidence.token
    _, log_tags = context.log_tags(shard, token)
    base = np.repeat(lattice.token_ptr[:-1], np.diff(lattice.cand_ptr))
    text = kernel.segment_tags(base + lattice.start, base + lattice.end, log_tags)
    scores = scores + context.weight * text
    outside = outside + context.weight * log_tags[:, 0]
    kernel.constrain(evidence.lattice, evidence.n_sources, scores, outside)
    return scores, outside


def _threshold(context: Context, lessons: Sequence[Lesson], last: int | None) -> float:
    """The best threshold on the documents that the text was learned from, up to hash ``last``."""
    judged = []
    for whole in lessons:
        keys = text_keys(whole.shard)
        lesson = whole.select(
            np.flatnonzero(keys < last) if last is not None else np.arange(len(keys))
        )
        if len(lesson.shard):
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
    free = np.ones(len(shard.token_ids), dtype=bool)
    free[shard.indptr[evidence.token_document] + evidence.token] = False
    at, log_tags = context.log_tags(shard, np.flatnonzero(free), GLIMPSE)
    label, goes_on = np.divmod(np.argmax(log_tags[:, 1:], axis=1), 2)
    document = np.searchsorted(shard.indptr, at, side="right") - 1
    new = np.ones(len(at), dtype=bool)
    new[1:] = (label[1:] != label[:-1]) | (document[1:] != document[:-1]) | (goes_on[1:] == 0)
    new[1:] |= at[1:] != at[:-1] + 1
    begin = np.flatnonzero(new)
    stop = np.append(begin, len(at))[1:]
    k, document = label[begin], document[begin]
    log_p = kernel.segment_tags(begin, stop, log_tags)[np.arange(len(k)), k]
    keep = log_p > np.log(SURE)
    if gold is not None:
        keep &= ~np.isin(document, gold.complete)
    base = shard.indptr[document]
    columns = (document, at[begin] - base, at[stop - 1] + 1 - base, k)
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
        list(zip(text_keys(shard).tolist(), _content_keys(lesson, unvoted), strict=True)),
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


def text_keys(shard: Shard) -> NDArray[np.uint64]:
    """(D,) a hash of each document's text, another one than its fold goes by."""
    keys = [_digest(b"chosen", text.encode("utf-8", "surrogatepass")) for text in shard.texts]
    return np.frombuffer(b"".join(keys), dtype=">u8").astype(np.uint64)


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
