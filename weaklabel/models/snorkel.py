"""``snorkel``: bridge to snorkel's LabelModel (Ratner et al. 2019), fitted on the same votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..errors import MissingExtra, ModelError, NotFitted
from ..labels import ClassLabels
from ..task import NONE, Task
from ..votes import Votes
from .base import SourceQuality, VoteShards, load_state, registry, save_state, shards_of
from .classes import given_balance
from .pattern_model import class_task
from .patterns import Floats


@registry.register("snorkel")
class SnorkelModel:
    """snorkel's LabelModel behind our contract. It takes plain votes: one label each, no gold.

    epochs, seed: as in snorkel, whose answers depend on the seed and on the order of sources.
    balance: share of each class; snorkel takes them as equal if none is given.
    """

    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]
    task_: Task
    model_: Any

    def __init__(
        self,
        *,
        epochs: int = 500,
        seed: int = 0,
        balance: Mapping[str, float] | Sequence[float] | None = None,
    ) -> None:
        self.epochs = epochs
        self.seed = seed
        self.balance = balance

    def fit(self, votes: VoteShards, *, texts: object = None, gold: object = None) -> Self:
        """Fit on the dense matrix of all shards."""
        shards = shards_of(votes)
        task = class_task(shards)
        if task.multi:
            raise ModelError("snorkel's LabelModel knows no multi-label tasks; use 'classes'")
        matrix = np.concatenate([_matrix(shard) for shard in shards])
        share = given_balance(self.balance, task)
        self.task_ = task
        self.model_ = _make(len(task.labels))
        self.model_.fit(
            matrix,
            class_balance=None if share is None else share.tolist(),
            n_epochs=self.epochs,
            seed=self.seed,
            progress_bar=False,
        )
        self.history_, self.converged_ = [], True
        weights = self.model_.get_weights()
        self.source_quality_ = [
            SourceQuality(name, label, float("nan"), float("nan"), float(weight))
            for name, weight in zip(shards[0].names, weights, strict=True)
            for label in task.labels
        ]
        return self

    def predict(self, votes: Votes, *, texts: object = None, gold: object = None) -> ClassLabels:
        """Labels of one shard."""
        if not hasattr(self, "model_"):
            raise NotFitted("the model 'snorkel' was not fitted: call fit(votes) first")
        matrix = _matrix(votes)
        probability: Floats = np.asarray(self.model_.predict_proba(matrix), dtype=float)
        return ClassLabels(self.task_, probability, (matrix != NONE).any(axis=1))

    def save(self, folder: Path) -> None:
        """Write what snorkel learned as arrays."""
        if not hasattr(self, "model_"):
            raise NotFitted("the model 'snorkel' was not fitted: nothing to save")
        facts = {
            "model": "snorkel",
            "epochs": self.epochs,
            "seed": self.seed,
            "task": self.task_.to_json(),
            "quality": [vars(row) for row in self.source_quality_],
        }
        arrays = {"mu": self.model_.mu.detach().numpy(), "p": np.asarray(self.model_.p)}
        save_state(folder, facts, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        facts, arrays = load_state(folder)
        if facts.get("model") != "snorkel":
            raise ModelError(f"{folder}: holds a model {facts.get('model')!r}, not 'snorkel'")
        import torch

        model = cls(epochs=facts["epochs"], seed=facts["seed"])
        model.task_ = Task(**facts["task"])
        model.model_ = _make(len(model.task_.labels))
        model.model_.mu = torch.nn.Parameter(torch.from_numpy(arrays["mu"]).float())
        model.model_.p = arrays["p"]
        model.model_.m = len(arrays["mu"]) // len(model.task_.labels)
        model.model_.t = 1
        model.model_._create_tree()
        model.history_, model.converged_ = [], True
        model.source_quality_ = [SourceQuality(**row) for row in facts["quality"]]
        return model


def _make(cardinality: int) -> Any:
    try:
        from snorkel.labeling.model import LabelModel
    except ImportError:
        raise MissingExtra("snorkel", "snorkel") from None
    return LabelModel(cardinality=cardinality, verbose=False)


def _matrix(votes: Votes) -> Any:
    """Votes as snorkel wants them; votes for groups or against a label are silence to it."""
    matrix = votes.class_matrix().astype(np.int64)
    return np.where(matrix < len(votes.task.labels), matrix, NONE)
