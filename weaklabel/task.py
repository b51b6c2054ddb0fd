"""The task: what is labelled (spans or classes), with which labels. The one owner of label ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import VotesError, nearest

Kind = Literal["spans", "classes"]

NONE = -1
"""The label id that stands for "no label": outside for spans, undecided for classes."""


@dataclass(frozen=True)
class Task:
    """What is labelled, and with which labels.

    kind: "spans" (named entities) or "classes" (of a whole document).
    labels: the K labels a span or a document can truly have; their order gives the ids 0..K-1.
    multi: classes only: a document may have several labels, or none.
    nested: spans only: labelled spans may lie inside one another, as layers.
    groups: under-specified labels that a source may cast though nothing truly has them:
        ``{"ENT": ("PER", "ORG")}`` says that a vote for ENT means PER or ORG.
    name: the column or folder under which the labels are kept; tells tasks of one job apart.
    """

    kind: Kind
    labels: tuple[str, ...]
    multi: bool = False
    nested: bool = False
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "groups", {k: tuple(v) for k, v in self.groups.items()})
        object.__setattr__(self, "name", self.name or self.kind)
        if not self.labels:
            raise VotesError("a task needs at least one label")
        if self.kind == "spans" and "O" in self.labels:
            raise VotesError("'O' cannot be a label of a span task: it is what lies outside")
        names = self.labels + tuple(self.groups)
        for name in names:
            if not name or names.count(name) > 1:
                raise VotesError(f"label {name!r} is empty or stands twice in the task")
        for group, members in self.groups.items():
            for member in members:
                if member not in self.labels:
                    raise VotesError(
                        f"label group {group!r} has {member!r}, which is no label of the task; "
                        + nearest(member, self.labels)
                    )

    def __hash__(self) -> int:
        return hash((self.kind, self.labels, self.multi, self.nested, tuple(self.groups)))

    @cached_property
    def vote_labels(self) -> tuple[str, ...]:
        """What a source may cast (L names): labels, groups, and for classes "!label" (not it)."""
        negatives = tuple(f"!{label}" for label in self.labels) if self.kind == "classes" else ()
        return self.labels + tuple(self.groups) + negatives

    @cached_property
    def compatible(self) -> NDArray[np.bool_]:
        """(L, K): whether a vote label can be cast because label k is true."""
        rows = np.zeros((len(self.vote_labels), len(self.labels)), dtype=bool)
        for row, name in enumerate(self.vote_labels):
            for k, label in enumerate(self.labels):
                negative = name.startswith("!") and name not in self.labels
                members = self.groups.get(name, (name,))
                rows[row, k] = label != name[1:] if negative else label in members
        return rows

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.vote_labels)}

    def label_id(self, label: str) -> int:
        """The id of a vote label; an unknown one is an error that names the nearest."""
        try:
            return self._ids[label]
        except KeyError:
            raise VotesError(
                f"{label!r} is no label of the task; {nearest(label, self.vote_labels)}"
            ) from None

    def to_json(self) -> dict[str, object]:
        """The task as plain JSON values; ``Task(**task.to_json())`` gives it back."""
        return {
            "kind": self.kind,
            "labels": list(self.labels),
            "multi": self.multi,
            "nested": self.nested,
            "groups": {k: list(v) for k, v in self.groups.items()},
            "name": self.name,
        }
