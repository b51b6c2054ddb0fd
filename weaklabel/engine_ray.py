"""The Ray engine: actors over shards, on this machine or on a cluster that is already there.

Actors keep what they have made (gazetteers mapped, pipelines loaded) from one shard to the next.
Scheduling, restarts and spilling are Ray's own. The run folder and the files that a job names must
be reachable under the same path on every node. Ray starts with the first item, beside the driver
that reads on.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, TypeVar

from .engine_local import ATTEMPTS, Engine, Failed, Fault, unheard
from .errors import MissingExtra, RunError, WeaklabelError
from .ray_cluster import WAIT_SECONDS, check_answer, connect, running_here, versions_here

Item = TypeVar("Item")
Result = TypeVar("Result")

START_SECONDS = 90
"""How long a Ray of this machine, and then the first worker, may take to be there."""

CONNECT_SECONDS = 30
"""How long it may take to join a cluster that answers."""

AHEAD = 2
"""Items a worker has at a time: the next one waits beside it, not in the driver."""


class _Worker:
    """What runs on a node. Mistakes come back as values: Ray would wrap them in its traceback.

    Items and results travel as bytes: the arrays that Ray itself hands over are read-only.
    """

    def versions(self) -> dict[str, str]:
        return versions_here()

    def call(self, function: Callable[[Any], Any], item: bytes) -> tuple[str, Any]:
        try:
            return "done", pickle.dumps(function(pickle.loads(item)), pickle.HIGHEST_PROTOCOL)
        except WeaklabelError as error:
            return "mistake", str(error)
        except (MemoryError, OSError) as error:
            return "fault", f"{type(error).__name__}: {error}"


@dataclass
class _Slot:
    """A worker and what it has been given: (reference, item, attempt), oldest first.

    greeting: the reference of its versions, until they are known to be those of the driver.
    """

    actor: Any
    greeting: Any
    given: deque[tuple[Any, Any, int]] = field(default_factory=deque)


class RayEngine:
    """A fixed set of actors; an actor that dies is replaced, and its item tried again."""

    def __init__(self, workers: int, address: str | None) -> None:
        known = running_here() if address == "auto" else address
        if known not in (None, "auto", "local"):
            check_answer(str(known))
        self.workers, self.address = workers, address
        self.tell: Callable[[Fault], None] = unheard
        self._slots: list[_Slot] = []
        self._life: threading.Thread | None = None
        self._up, self._over = threading.Event(), threading.Event()
        self._failure: Exception | None = None

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """(item, result) as they are done. Ray starts when there is a first item."""
        fresh = iter(items)
        for first in fresh:
            self._begin()
            drawn = [first, *islice(fresh, AHEAD * self.workers - 1)]
            self._started()
            yield from self._map(self.ray.put(function), chain(drawn, fresh))

    def renew(self) -> None:
        """Actors stay; to start one takes longer than the memory is worth."""

    def close(self) -> None:
        """End the actors, and Ray if it was started here.

        This is waited for: Ray ends a process that lets go of a reference while Ray shuts down.
        """
        self._over.set()
        if self._life is not None and (self._up.is_set() or self._starts_here):
            self._life.join(WAIT_SECONDS)

    def _map(self, function: Any, fresh: Iterator[Any]) -> Iterator[tuple[Any, Any | Failed]]:
        again: deque[tuple[Any, int]] = deque()
        left = True
        for slot in self._slots:
            slot.given.clear()  # of a map that was not followed to its end
        while left or again or any(slot.given for slot in self._slots):
            for slot in self._next_free():
                work = _next(again, fresh)
                if work is None:
                    left = False
                    break
                sent = pickle.dumps(work[0], pickle.HIGHEST_PROTOCOL)
                slot.given.append((slot.actor.call.remote(function, sent), *work))
            if left or again or any(slot.given for slot in self._slots):
                self._wait()
            for slot in self._slots:
                yield from self._collect(slot, again)

    @property
    def _starts_here(self) -> bool:
        return self.address in (None, "local")

    def _begin(self) -> None:
        if self._life is None:
            self._life = threading.Thread(target=self._live, daemon=True)
            self._life.start()

    def _live(self) -> None:
        """Beside the driver: start Ray, and end it in the same thread, with which it would die."""
        try:
            self.ray = connect(self.workers, self.address)
            self._slots = [self._new_slot() for _ in range(self.workers)]
        except Exception as error:
            self._failure = error
            return
        finally:
            self._up.set()
        self._over.wait()
        for slot in self._slots:
            self.ray.kill(slot.actor)
        self.ray.shutdown()

    def _started(self) -> None:
        """Wait for Ray; what went wrong with it is told here."""
        limit = START_SECONDS if self._starts_here else CONNECT_SECONDS
        if not self._up.wait(limit):
            raise RunError(f"engine ray: no Ray at {self.address or 'local'} within {limit} s")
        if self._failure is not None:
            raise self._failure

    def _next_free(self) -> Iterator[_Slot]:
        """Who can take an item, as long as there are such; the least busy first."""
        while True:
            free = [s for s in self._slots if s.greeting is None and len(s.given) < AHEAD]
            if not free:
                return
            yield min(free, key=lambda slot: len(slot.given))

    def _wait(self) -> None:
        """Until a worker has greeted or finished something."""
        given = [slot.given[0][0] for slot in self._slots if slot.given]
        coming = [slot.greeting for slot in self._slots if slot.greeting is not None]
        limit = None if given else START_SECONDS
        done, _ = self.ray.wait(given + coming, num_returns=1, timeout=limit)
        if not done:
            free = self.ray.available_resources().get("CPU", 0)
            raise RunError(
                f"engine ray: no worker started within {START_SECONDS} s; "
                f"the cluster has {free:g} free processors, each worker needs one"
            )
        for slot in self._slots:
            if slot.greeting in done:
                self._greet(slot)

    def _greet(self, slot: _Slot) -> None:
        """Take a worker on, if it has what the driver has."""
        try:
            theirs = self.ray.get(slot.greeting)
        except self.ray.exceptions.RayActorError as error:
            reason = _first_line(error)
            raise RunError(f"engine ray: a worker does not start: {reason}") from None
        except self.ray.exceptions.RayError as error:
            reason = _first_line(getattr(error, "cause", None) or error)
            raise RunError(f"engine ray: a worker has no weaklabel that works: {reason}") from None
        for name, version in versions_here().items():
            if theirs[name] != version:
                raise RunError(
                    f"engine ray: a worker has {name} {theirs[name]}, the driver {version}; "
                    "install the same everywhere"
                )
        slot.greeting = None

    def _collect(
        self, slot: _Slot, again: deque[tuple[Any, int]]
    ) -> Iterator[tuple[Any, Any | Failed]]:
        """What a worker has finished; what failed is tried again, or given up."""
        while slot.given and self.ray.wait([slot.given[0][0]], timeout=0)[0]:
            reference, item, attempt = slot.given.popleft()
            try:
                state, value = self.ray.get(reference)
            except self.ray.exceptions.RayActorError:
                state, value = "fault", "the worker process died (memory, a lost node, or a crash)"
                # who waited behind the item is not to blame
                again.extend((item, attempt) for _, item, attempt in slot.given)
                new = self._new_slot()
                slot.actor, slot.greeting = new.actor, new.greeting
                slot.given.clear()
            if state == "mistake":
                raise WeaklabelError(value)
            if state == "done":
                yield item, pickle.loads(value)
                continue
            self.tell(Fault(item, attempt, value))
            if attempt < ATTEMPTS:
                again.append((item, attempt + 1))
            else:
                yield item, Failed(value)

    def _new_slot(self) -> _Slot:
        actor = self.ray.remote(_Worker).options(num_cpus=1).remote()
        return _Slot(actor, actor.versions.remote())


def ray_engine(workers: int, *, address: str | None = None) -> Engine:
    """Actors on a Ray of this machine, or on the cluster at ``address`` ("HOST:PORT" or "auto")."""
    try:
        from importlib.metadata import version

        version("ray")
    except ImportError:
        raise MissingExtra("ray", "ray") from None
    return RayEngine(workers, address)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _next(again: deque[tuple[Item, int]], fresh: Iterator[Item]) -> tuple[Item, int] | None:
    if again:
        return again.popleft()
    for item in fresh:
        return item, 1
    return None
