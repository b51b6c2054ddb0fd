"""``majority``: every vote counts the same. The reference that a label model has to beat."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, NotFitted
from ..labels import ClassLabels, SpanLabels
from ..task import NONE, Task
from ..votes import Votes
from .base import SourceQuality, VoteShards, load_state, registry, save_state, shards_of
from .majority_classes import ClassMajorityModel

Floats = NDArray[np.float64]


@registry.register("majority")
class MajorityModel:
    """Majority vote: of classes per document, of spans per token, as BIO tags.

    silence: spans only: whether a source that looked and said nothing votes for outside. If not,
        every token that a source marks is inside. Ties go to what goes on with a span before what
        begins one, then to the first label of the task, then to outside.
    """

    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    task_: Task

    def __init__(self, *, silence: bool = False) -> None:
        self.silence = silence

    def fit(self, votes: VoteShards, *, texts: object = None, gold: object = None) -> Self:
        """Nothing is learned but the task."""
        self.task_ = shards_of(votes)[0].task
        self.history_, self.converged_, self.source_quality_ = [], True, []
        if self.task_.kind == "classes":
            self.classes_ = ClassMajorityModel().fit(votes)
        return self

    def predict(
        self, votes: Votes, *, texts: object = None, gold: object = None
    ) -> SpanLabels | ClassLabels:
        """Labels of one shard; of a span, the probability is its tokens' least share of votes."""
        if not hasattr(self, "task_"):
            raise NotFitted("majority: fit the model before predict")
        if self.task_.kind == "classes":
            return self.classes_.predict(votes)
        return spans_of_tags(votes, tag_shares(votes, self.silence))

    def save(self, folder: Path) -> None:
        """Write the settings."""
        if not hasattr(self, "task_"):
            raise NotFitted("majority: fit the model before save")
        if self.task_.kind == "classes":
            return self.classes_.save(folder)
        facts = {"model": "majority", "silence": self.silence, "task": self.task_.to_json()}
        return save_state(Path(folder), facts, {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, _ = load_state(Path(folder))
        model = cls(silence=bool(facts.get("silence", False)))
        if facts.get("model") == "majority":
            model.task_ = Task(**facts["task"])
        else:
            model.classes_ = ClassMajorityModel.load(folder)
            model.task_ = model.classes_.task_
        model.history_, model.converged_, model.source_quality_ = [], True, []
        return model


def tag_shares(votes: Votes, silence: bool) -> Floats:
    """(T, 2K+1) share of the sources per tag: 0 outside, 1+2k begins k, 2+2k goes on with k.

    A vote for a group of labels is shared among them; an outside column stays 0 unless silence
    counts. Rows of tokens that nobody marks are 0.
    """
    if votes.task.kind != "spans":
        raise ModelError("tags are made of votes on spans")
    compatible = votes.task.compatible / np.maximum(
        votes.task.compatible.sum(axis=1, keepdims=True), 1
    )
    base = np.concatenate([[0], np.cumsum(votes.n_tokens)]).astype(np.int64)
    length = (votes.end - votes.start).astype(np.int64)
    ends = np.cumsum(length)
    within = np.arange(length.sum()) - np.repeat(ends - length, length)
    token = np.repeat(base[votes.document] + votes.start, length) + within
    tags = np.zeros((int(base[-1]), 2 * len(votes.task.labels) + 1))
    label = np.repeat(votes.label, length)
    for k in range(len(votes.task.labels)):
        worth = compatible[label, k]
        for column, on in ((1 + 2 * k, within == 0), (2 + 2 * k, within > 0)):
            tags[:, column] += np.bincount(token[on], worth[on], minlength=len(tags))
    marked = tags.sum(axis=1)
    if silence:
        looked = votes.looked_at().sum(axis=1, dtype=np.float64)
        tags[:, 0] = np.maximum(np.repeat(looked, votes.n_tokens) - marked, 0.0)
    total = tags.sum(axis=1, keepdims=True)
    return np.where(marked[:, None] > 0, tags / np.maximum(total, 1e-300), 0.0)


def spans_of_tags(votes: Votes, tags: Floats) -> SpanLabels:
    """Spans from tag probabilities (T, 2K+1), token by token; rows of zeros are outside."""
    n_labels = (tags.shape[1] - 1) // 2
    ranked = np.concatenate([tags[:, 2::2], tags[:, 1::2], tags[:, :1]], axis=1)
    best = ranked.argmax(axis=1)
    best[tags.sum(axis=1) == 0] = 2 * n_labels
    label = np.where(best == 2 * n_labels, NONE, best % n_labels)
    document = np.repeat(np.arange(votes.n_documents), votes.n_tokens)
    new = np.ones(len(best), dtype=bool)
    begins = (best >= n_labels) & (best < 2 * n_labels)
    new[1:] = (label[1:] != label[:-1]) | begins[1:] | (document[1:] != document[:-1])
    first = np.flatnonzero(new & (label != NONE))
    stops = np.append(np.flatnonzero(new), len(best))
    last = stops[np.searchsorted(stops, first, side="right")]
    share = tags[:, 1::2] + tags[:, 2::2]
    probability = np.zeros((len(first), n_labels))
    for i, (s, e) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        probability[i, label[s]] = share[s:e, label[s]].min()
    base = (np.cumsum(votes.n_tokens) - votes.n_tokens).astype(np.int64)[document[first]]
    return SpanLabels(
        votes.task,
        votes.n_tokens,
        document[first],
        (first - base).astype(np.int32),
        (last - base).astype(np.int32),
        probability,
        label[first].astype(np.int16),
        np.zeros(len(first), dtype=np.int8),
    )
