"""The Ray engine: actors over shards, on this machine or on a cluster that is already there.

Actors keep what they have made (gazetteers mapped, pipelines loaded) from one shard to the next.
Scheduling, restarts and spilling are Ray's own. The run folder and the files that a job names must
be reachable under the same path on every node.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from . import __version__
from .engine_local import ATTEMPTS, Engine, Failed
from .errors import MissingExtra, RunError, WeaklabelError

Item = TypeVar("Item")
Result = TypeVar("Result")

WAIT_SECONDS = 10
"""How long an address may take to answer before it is called silent."""


class _Worker:
    """What runs on a node. Mistakes come back as values: Ray would wrap them in its traceback."""

    def versions(self) -> dict[str, str]:
        return _versions()

    def call(self, function: Callable[[Any], Any], item: Any) -> tuple[str, Any]:
        try:
            return "done", function(item)
        except WeaklabelError as error:
            return "mistake", str(error)
        except (MemoryError, OSError) as error:
            return "fault", f"{type(error).__name__}: {error}"


class RayEngine:
    """A fixed set of actors; an actor that dies is replaced, and its item tried again."""

    def __init__(self, workers: int, address: str | None) -> None:
        self.ray = _connect(workers, address)
        self.actors = [self._new_actor() for _ in range(workers)]
        self._check_versions()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """(item, result) as they are done."""
        shared = self.ray.put(function)
        fresh = iter(items)
        again: deque[tuple[Item, int]] = deque()
        idle = deque(range(len(self.actors)))
        running: dict[Any, tuple[Item, int, int]] = {}
        while True:
            while idle and (work := _next(again, fresh)) is not None:
                item, attempt = work
                slot = idle.popleft()
                reference = self.actors[slot].call.remote(shared, item)
                running[reference] = (item, attempt, slot)
            if not running:
                return
            (reference,), _ = self.ray.wait(list(running), num_returns=1)
            item, attempt, slot = running.pop(reference)
            idle.append(slot)
            state, value = self._outcome(reference, slot)
            if state == "mistake":
                raise WeaklabelError(value)
            if state == "done":
                yield item, value
            elif attempt < ATTEMPTS:
                again.append((item, attempt + 1))
            else:
                yield item, Failed(value)

    def close(self) -> None:
        """End the actors, and Ray if it was started here."""
        for actor in self.actors:
            self.ray.kill(actor)
        self.ray.shutdown()

    def _outcome(self, reference: Any, slot: int) -> tuple[str, Any]:
        try:
            state, value = self.ray.get(reference)
            return state, value
        except self.ray.exceptions.RayActorError:
            self.actors[slot] = self._new_actor()
            return "fault", "the worker process died (out of memory, a lost node, or a crash)"

    def _new_actor(self) -> Any:
        return self.ray.remote(_Worker).options(num_cpus=1).remote()

    def _check_versions(self) -> None:
        mine = _versions()
        for theirs in self.ray.get([actor.versions.remote() for actor in self.actors]):
            for name, version in mine.items():
                if theirs[name] != version:
                    raise RunError(
                        f"engine ray: a worker has {name} {theirs[name]}, the driver {version}; "
                        "install the same everywhere"
                    )


def ray_engine(workers: int, *, address: str | None = None) -> Engine:
    """Actors on a Ray of this machine, or on the cluster at ``address`` ("HOST:PORT" or "auto")."""
    return RayEngine(workers, address)


def _versions() -> dict[str, str]:
    import numba
    import numpy as np

    return {
        "weaklabel": __version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def _connect(workers: int, address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray") from None
    if address not in (None, "auto", "local"):
        _answers(str(address))
    quiet = {"include_dashboard": False, "num_cpus": workers} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **quiet)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"engine ray: no cluster at {address or 'local'}: {reason}") from None
    return ray


def _answers(address: str) -> None:
    """Ask the socket first: Ray itself tries for minutes and then prints pages."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise RunError(f"engine ray: address {address!r} should be HOST:PORT, or 'auto'")
    try:
        with contextlib.closing(socket.create_connection((host, int(port)), WAIT_SECONDS)):
            return
    except OSError as error:
        raise RunError(
            f"engine ray: {address} does not answer ({error.strerror or error}); "
            "is the cluster up, and the address that of its head?"
        ) from None


def _next(again: deque[tuple[Item, int]], fresh: Iterator[Item]) -> tuple[Item, int] | None:
    if again:
        return again.popleft()
    for item in fresh:
        return item, 1
    return None
