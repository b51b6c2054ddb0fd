"""The pool: results of all items whatever their order, dead workers replaced, mistakes told."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from weaklabel.engine_local import Failed, PoolEngine, local_engine
from weaklabel.errors import SourceError


def square(item: int) -> int:
    return item * item


def dies(folder: Path, times: int, item: int) -> int:
    """Item 3 kills its worker the first ``times`` times."""
    tries = len(list(folder.iterdir()))
    if item == 3 and tries < times:
        (folder / str(tries)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def mistaken(item: int) -> int:
    if item == 2:
        raise SourceError("item 2 is wrong")
    return item


def disk_trouble(item: int) -> int:
    raise OSError("stale file handle")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_comes_back_once(workers: int) -> None:
    engine = local_engine(workers)
    try:
        assert sorted(engine.map(square, range(20))) == [(i, i * i) for i in range(20)]
        assert list(engine.map(square, [])) == []
    finally:
        engine.close()


def test_a_killed_worker_costs_no_item(tmp_path: Path) -> None:
    engine = PoolEngine(2)
    try:
        results = dict(engine.map(partial(dies, tmp_path, 2), range(6)))
    finally:
        engine.close()
    assert results == {i: i for i in range(6)}


def test_who_always_kills_its_worker_is_given_up_alone(tmp_path: Path) -> None:
    engine = PoolEngine(2)
    try:
        results = dict(engine.map(partial(dies, tmp_path, 99), range(6)))
    finally:
        engine.close()
    failed = results.pop(3)
    assert isinstance(failed, Failed)
    assert "died" in failed.reason
    assert results == {i: i for i in range(6) if i != 3}


def test_a_mistake_ends_the_map() -> None:
    engine = PoolEngine(2)
    try:
        with pytest.raises(SourceError, match="item 2 is wrong"):
            list(engine.map(mistaken, range(4)))
    finally:
        engine.close()


def test_trouble_that_may_pass_is_tried_again() -> None:
    engine = PoolEngine(2)
    try:
        ((_, result),) = engine.map(disk_trouble, [0])
    finally:
        engine.close()
    assert isinstance(result, Failed)
    assert "stale file handle" in result.reason
