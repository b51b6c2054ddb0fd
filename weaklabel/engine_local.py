"""The local engine: a pool of processes over shards, or this process if one worker is enough.

An engine is ``map(function, items)``: it yields (item, result) in any order, and (item, Failed)
for an item that it gave up on. Functions and items pickle. ``weaklabel.stages`` has the functions.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 3
"""How often an item is tried before it is given up."""

NOT_TO_TOKENIZE = ("torch", "tensorflow", "mxnet", "cupy")
"""What spaCy loads where it is installed: a second and 200 MB a process, and no tokenizer needs it.

The workers that read documents do nothing else, so no pipeline is ever without them.
"""


@dataclass(frozen=True)
class Failed:
    """An item was given up on: the reason of the last attempt."""

    reason: str
    attempts: int = ATTEMPTS


@dataclass(frozen=True)
class Fault:
    """An attempt at an item failed. attempt: from 1; 0: a worker died, perhaps of another item."""

    item: Any
    attempt: int
    reason: str


def unheard(fault: Fault) -> None:
    """Who listens to faults if nobody does."""


class Engine(Protocol):
    """Calls a function on items, somewhere. A user's mistake (``WeaklabelError``) ends the map.

    tell: hears of every attempt that failed.
    """

    tell: Callable[[Fault], None]

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """(item, result) as they are done; items are drawn a few at a time."""
        ...

    def renew(self) -> None:
        """Let go of what workers hold in memory, where that is cheap."""
        ...

    def close(self) -> None:
        """Let go of all processes."""
        ...


class HereEngine:
    """Everything in this process, one item after the other."""

    def __init__(self) -> None:
        self.tell: Callable[[Fault], None] = unheard

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """(item, result) in order."""
        for item in items:
            yield item, self._call(function, item)

    def _call(self, function: Callable[[Item], Result], item: Item) -> Result | Failed:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return function(item)
            except (MemoryError, OSError) as error:
                reason = _reason(error)
            self.tell(Fault(item, attempt, reason))
        return Failed(reason)

    def renew(self) -> None:
        """This process stays what it is."""

    def close(self) -> None:
        """Nothing to let go of."""


class PoolEngine:
    """A pool of processes. A worker that dies is replaced, and its item tried again.

    hidden: packages that workers take for not installed, until ``renew``.
    """

    def __init__(self, workers: int, hidden: tuple[str, ...] = ()) -> None:
        self.workers, self.hidden = workers, hidden
        self.tell: Callable[[Fault], None] = unheard
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """(item, result) as they are done."""
        waiting = iter(items)
        running: dict[Future[Result], tuple[Item, int]] = {}
        suspects: deque[Item] = deque()
        while True:
            for item in _take(waiting, 2 * self.workers - len(running)):
                running[self._submit(function, item)] = item, 1
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item, attempt = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    suspects.append(item)
                elif not _may_pass(error):
                    yield item, future.result()
                elif self._again(item, attempt, error):
                    running[self._submit(function, item)] = item, attempt + 1
                else:
                    yield item, Failed(_reason(error))
            if suspects:
                # a dead worker takes the whole pool with it: whoever ran is tried again, alone
                suspects.extend(item for item, _ in running.values())
                running.clear()
                self.close()
                for item in suspects:
                    self.tell(Fault(item, 0, "a worker process died"))
                yield from self._alone(function, suspects)

    def _alone(
        self, function: Callable[[Item], Result], items: deque[Item]
    ) -> Iterator[tuple[Item, Result | Failed]]:
        """One item at a time, so that it is known who kills the worker."""
        while items:
            item = items.popleft()
            attempt, error = 0, None
            while True:
                attempt += 1
                future = self._submit(function, item, 1)
                error = future.exception()
                if not _may_pass(error):
                    yield item, future.result()
                    break
                if isinstance(error, BrokenProcessPool):
                    self.close()
                if not self._again(item, attempt, error):
                    yield item, Failed(_reason(error))
                    break
        self.close()

    def _again(self, item: Item, attempt: int, error: BaseException | None) -> bool:
        """Tell of a failed attempt; whether another one is due."""
        self.tell(Fault(item, attempt, _reason(error)))
        return attempt < ATTEMPTS

    def _submit(
        self, function: Callable[[Item], Result], item: Item, workers: int | None = None
    ) -> Future[Result]:
        try:
            return self._start(workers).submit(function, item)
        except BrokenProcessPool:
            # a worker died while nobody looked
            self.close()
            return self._start(workers).submit(function, item)

    def _start(self, workers: int | None = None) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                workers or self.workers, context, initializer=_begin, initargs=(self.hidden,)
            )
        return self._pool

    def renew(self) -> None:
        """The next map begins with new workers."""
        self.hidden = ()
        self.close()

    def close(self) -> None:
        """End the workers at once; files are whole or not there, so nothing is lost."""
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            for process in processes:
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


def local_engine(workers: int) -> Engine:
    """The engine for that many processes."""
    return HereEngine() if workers == 1 else PoolEngine(workers, NOT_TO_TOKENIZE)


def _may_pass(error: BaseException | None) -> bool:
    """Whether another attempt may help: the worker died, ran out of memory, or lost a file."""
    return isinstance(error, BrokenProcessPool | MemoryError | OSError)


def _reason(error: BaseException | None) -> str:
    if isinstance(error, BrokenProcessPool):
        return "the worker process died (out of memory, or a crash in native code)"
    return f"{type(error).__name__}: {error}"


def _take(items: Iterator[Item], count: int) -> Iterator[Item]:
    for _ in range(max(count, 0)):
        try:
            yield next(items)
        except StopIteration:
            return


def _begin(hidden: tuple[str, ...]) -> None:
    """In each worker: Ctrl-C is the driver's affair, and no worker outlives the driver."""
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: Any = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
