"""The contract of a label model, and how every model is saved: JSON and npz, never pickle."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..atomic import atomic_path, write_text
from ..corpus import Shard
from ..errors import ModelError
from ..labels import Labels
from ..registry import Registry
from ..votes import Gold, Votes

VoteShards = Votes | Sequence[Votes]
"""Votes as one, or as shards: any sequence, also one that loads a shard when it is indexed."""

TextShards = Shard | Sequence[Shard]
"""The documents behind the votes, shard by shard, for models that look at text."""


GoldShards = Gold | Sequence[Gold]


class LabelModel(Protocol):
    """``fit`` learns from votes whom to trust, ``predict`` turns votes into labels.

    State is the constructor's arguments and fitted names that end in ``_``. Models that cannot use
    ``texts`` or ``gold`` ignore them. Every fitted model has

    history_: the objective after each iteration.
    converged_: whether the stopping rule was met.
    source_quality_: one row per source and label, see ``SourceQuality``.
    """

    history_: list[float]
    converged_: bool
    source_quality_: list[SourceQuality]

    def fit(
        self, votes: VoteShards, *, texts: TextShards | None = None, gold: GoldShards | None = None
    ) -> Self:
        """Learn from the votes alone; gold, where there is some, anchors the fit."""
        ...

    def predict(
        self, votes: Votes, *, texts: Shard | None = None, gold: Gold | None = None
    ) -> Labels:
        """Labels of one shard. What gold decides is labelled so."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model to a folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        ...


@dataclass(frozen=True)
class SourceQuality:
    """What a fitted model believes of one source on one label; fractions of 1, NaN if unknown.

    precision: of its votes for this label, the share that is right.
    recall: of the things that truly have this label, the share it votes for.
    weight: how far it counts next to the others (1: as an independent witness).
    group: sources that share a number are no independent witnesses; -1 stands alone.
    """

    source: str
    label: str
    precision: float
    recall: float
    weight: float = 1.0
    group: int = -1


def shards_of(votes: VoteShards) -> Sequence[Votes]:
    """Votes as a sequence of shards."""
    return [votes] if isinstance(votes, Votes) else votes


def save_state(folder: Path, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write ``model.json`` and ``model.npz``, each atomically; JSON last, so that it vouches."""
    with atomic_path(Path(folder) / "model.npz") as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    write_text(Path(folder) / "model.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")


def load_state(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what ``save_state`` wrote."""
    try:
        facts = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
        with np.load(Path(folder) / "model.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no saved label model ({error})") from None
    return facts, arrays


def _load_builtins() -> None:
    package = importlib.import_module("weaklabel.models")
    for module in pkgutil.iter_modules(package.__path__, "weaklabel.models."):
        importlib.import_module(module.name)


registry: Registry[LabelModel] = Registry("model", _load_builtins)
"""Label models by the name that a job file uses: "spans", "classes", "majority", ..."""
