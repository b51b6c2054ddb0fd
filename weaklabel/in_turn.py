"""What an engine gives for the shards, in the order of the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from .engine_local import Failed
from .errors import RunError

Result = TypeVar("Result")


def in_turn(results: Iterable[tuple[int, Result | Failed]], what: str) -> Iterator[Result]:
    """The results of shards 0, 1, ... as soon as it is their turn; none may have been given up.

    what: what is then missing, for the error.
    """
    early: dict[int, Result] = {}
    turn = 0
    for shard, result in results:
        if isinstance(result, Failed):
            raise RunError(f"shard {shard}: no {what}: {result.reason}")
        early[shard] = result
        while turn in early:
            yield early.pop(turn)
            turn += 1
