"""Peers behind the interface of our label models: snorkel and crowd-kit, on classes and on tokens.

On spans they see what WRENCH shows them (Zhang et al. 2021, ``seq_labelmodel/seq_wrapper.py``):
each token is an item, labels without B- and I-, and where any source votes, silence is no vote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.labels import ClassLabels, SpanLabels
from weaklabel.models.base import VoteShards, shards_of
from weaklabel.task import NONE, Task
from weaklabel.votes import Votes

Matrix = NDArray[np.int64]
Predict = Callable[[Matrix], NDArray[np.float64]]
Aggregate = Callable[[Matrix, int, int], Predict]
"""(matrix to fit on, number of classes, seed) -> a function from a matrix to probabilities."""


class Peer:
    """A peer that aggregates a matrix (items, sources) of class ids, -1 for no vote."""

    def __init__(self, aggregate: Aggregate, seed: int) -> None:
        self.aggregate, self.seed = aggregate, seed

    def fit(self, votes: VoteShards, **_: Any) -> Peer:
        """Let the peer learn from the matrix."""
        shards = shards_of(votes)
        task = shards[0].task
        matrix = np.concatenate([_matrix(shard) for shard in shards])
        self.predict_ = self.aggregate(matrix, len(task.labels) + (task.kind == "spans"), self.seed)
        return self

    def predict(self, votes: Votes, **_: Any) -> ClassLabels | SpanLabels:
        """Labels of the documents of ``votes``."""
        matrix = _matrix(votes)
        probability = self.predict_(matrix)
        if votes.task.kind == "spans":
            return _merge_tokens(votes, probability)
        return ClassLabels(votes.task, probability, (matrix != NONE).any(axis=1))


def _matrix(votes: Votes) -> NDArray[np.int64]:
    if votes.task.kind == "classes":
        return votes.class_matrix().astype(np.int64)
    base = np.concatenate([[0], np.cumsum(votes.n_tokens)])
    length = votes.end - votes.start
    row = np.repeat(base[votes.document] + votes.start - np.cumsum(length) + length, length)
    token = row + np.arange(length.sum())
    matrix = np.zeros((int(base[-1]), votes.n_sources), dtype=np.int64)
    matrix[token, np.repeat(votes.source, length)] = 1 + np.repeat(votes.label, length)
    contested = (matrix > 0).any(axis=1, keepdims=True)
    return np.where(contested & (matrix == 0), NONE, matrix)


def _merge_tokens(votes: Votes, probability: NDArray[np.float64]) -> SpanLabels:
    best = probability.argmax(axis=1)
    document = np.repeat(np.arange(votes.n_documents), votes.n_tokens)
    new = np.ones(len(best), dtype=bool)
    new[1:] = (best[1:] != best[:-1]) | (document[1:] != document[:-1])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(best))
    inside = best[first] > 0
    first, last = first[inside], last[inside]
    base = np.concatenate([[0], np.cumsum(votes.n_tokens)])[document[first]]
    chosen = best[first] - 1
    rows = np.zeros((len(first), len(votes.task.labels)))
    rows[np.arange(len(first)), chosen] = 1.0
    return SpanLabels(
        votes.task,
        votes.n_tokens,
        document[first],
        (first - base).astype(np.int32),
        (last - base).astype(np.int32),
        rows,
        chosen.astype(np.int16),
        np.zeros(len(first), dtype=np.int8),
    )


def _snorkel(fit: Matrix, n_classes: int, seed: int) -> Predict:
    from snorkel.labeling.model import LabelModel

    model = LabelModel(cardinality=n_classes, verbose=False)
    model.fit(fit, n_epochs=500, seed=seed, progress_bar=False)
    return lambda matrix: np.asarray(model.predict_proba(matrix))


def _crowdkit(name: str) -> Aggregate:
    """crowd-kit labels what it was fitted on; equal rows get equal probabilities, so that rows
    are known again, and only rows it has not seen make it aggregate once more."""

    def aggregate(fit: Matrix, n_classes: int, seed: int) -> Predict:
        known = {row.tobytes(): p for row, p in zip(fit, of(fit, n_classes, seed), strict=True)}

        def predict(matrix: Matrix) -> NDArray[np.float64]:
            if all(row.tobytes() in known for row in matrix):
                return np.stack([known[row.tobytes()] for row in matrix])
            return of(np.concatenate([fit, matrix]), n_classes, seed)[len(fit) :]

        return predict

    def of(matrix: Matrix, n_classes: int, seed: int) -> NDArray[np.float64]:
        import pandas as pd

        task, worker = np.nonzero(matrix != NONE)
        frame = pd.DataFrame({"task": task, "worker": worker, "label": matrix[task, worker]})
        table = _method(name, seed).fit_predict_proba(frame)
        rows = table.reindex(index=range(len(matrix)), columns=range(n_classes)).to_numpy(float)
        probability = np.nan_to_num(rows)
        probability[np.isnan(rows).all(axis=1)] = 1 / n_classes
        return probability

    return aggregate


def _method(name: str, seed: int) -> Any:
    from crowdkit.aggregation import GLAD, MACE, DawidSkene, MajorityVote, Wawa
    from sklearn.base import BaseEstimator

    class WawaEstimator(Wawa, BaseEstimator):  # type: ignore[misc]
        """scikit-learn 1.7 and later refuse Wawa without this base."""

    makers: dict[str, Callable[[], Any]] = {
        "majority": MajorityVote,
        "ds": lambda: DawidSkene(n_iter=100),
        "mace": lambda: MACE(random_state=seed),
        "glad": GLAD,
        "wawa": WawaEstimator,
    }
    return makers[name]()


_NAMES: dict[str, Aggregate] = {
    "snorkel": _snorkel,
    **{f"crowdkit-{name}": _crowdkit(name) for name in ("majority", "ds", "mace", "glad", "wawa")},
}

RANDOM = ("snorkel", "crowdkit-mace")
"""Peers whose answer depends on a seed: they are run with several."""


def names() -> Sequence[str]:
    """The peers that run here."""
    return tuple(_NAMES)


def make(name: str, seed: int) -> Peer:
    """A peer by name."""
    return Peer(_NAMES[name], seed)


def oracle_keys(votes: Votes, task: Task) -> set[tuple[int, int, int, int]]:
    """Every span and label that some source voted for."""
    known = votes.label < len(task.labels)
    columns = (votes.document, votes.start, votes.end, votes.label)
    return set(zip(*(column[known].tolist() for column in columns), strict=True))
