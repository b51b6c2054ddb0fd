"""Walks over the shards that a model is fitted on: here, or wherever the shards lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar, runtime_checkable

from ..corpus import Shard
from ..votes import Gold, Votes

T = TypeVar("T")


@dataclass(frozen=True)
class Portion:
    """One shard to learn from: its votes, and text and gold where there are some.

    index: its place among the shards. Each part is loaded when it is first asked for.
    """

    index: int
    load_votes: Callable[[], Votes]
    load_text: Callable[[], Shard] | None = None
    gold: Gold | None = None

    @cached_property
    def votes(self) -> Votes:
        """What the sources said."""
        return self.load_votes()

    @cached_property
    def text(self) -> Shard | None:
        """The documents; None where nobody gave any."""
        return None if self.load_text is None else self.load_text()


@runtime_checkable
class Spread(Protocol):
    """Votes that know how to have their shards looked at, together with texts and gold."""

    def walk(self, look: Callable[[Portion], T]) -> Iterator[T]:
        """``look(portion)`` of every shard, in order."""
        ...


def walk(
    look: Callable[[Portion], T],
    votes: Sequence[Votes],
    texts: Sequence[Shard] | None = None,
    gold: Sequence[Gold] | None = None,
) -> Iterator[T]:
    """``look(portion)`` of every shard, in order; ``look`` and what it returns must pickle."""
    if isinstance(votes, Spread):
        yield from votes.walk(look)
        return
    for i in range(len(votes)):
        text = None if texts is None else _item(texts, i)
        yield look(Portion(i, _item(votes, i), text, None if gold is None else gold[i]))


def _item(items: Sequence[T], index: int) -> Callable[[], T]:
    return lambda: items[index]
