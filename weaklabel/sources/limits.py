"""User code under control: one document at a time, failures named, loops cut short."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

SECONDS = 10.0
"""Default limit for one document."""

GIVE_UP = 3
"""After so many documents over the limit a source is not tried on the rest of the shard."""


class TookTooLong(BaseException):
    """Raised inside user code at its limit; no ``Exception``: the code's own handlers let it by."""


def each_document(
    documents: Iterable[int], look: Callable[[int], list[T]], *, seconds: float | None = SECONDS
) -> tuple[list[T], dict[int, str]]:
    """What ``look`` says of each document, and on which it failed and why.

    seconds: its limit on one; None if ``look`` itself raises ``TimeoutError`` when it is late.
    Pure Python code is stopped at the limit in any thread; a call into C that never comes back
    to Python can only be stopped from outside the process.
    """
    said: list[T] = []
    failed: dict[int, str] = {}
    late = 0
    for document in documents:
        if late == GIVE_UP:
            failed[document] = f"not tried: it took too long on {late} documents before"
            continue
        try:
            if seconds is None:
                said += look(document)
            else:
                said += limited(partial(look, document), seconds)
        except TimeoutError as error:
            late += 1
            failed[document] = str(error) or "took too long"
        except TookTooLong:
            late += 1
            failed[document] = f"took more than {seconds:g} s"
        except Exception as error:
            failed[document] = f"{type(error).__name__}: {error}".splitlines()[0]
    return said, failed


def limited(call: Callable[[], T], seconds: float) -> T:
    """The call's result; ``TookTooLong`` is raised inside it when it runs longer.

    The alarm rings again and again, should the code swallow it. It can ring while it is being
    turned off, hence the second ``stop``.
    """
    main = threading.current_thread() is threading.main_thread()
    alarm = _Signal(seconds) if main else _Watchdog(seconds)
    try:
        alarm.start()
        result = call()
        alarm.stop()
    except BaseException:
        alarm.stop()
        raise
    return result


def _again(seconds: float) -> float:
    return max(seconds, 1.0)


class _Signal:
    """Rings by SIGALRM, which only the main thread can."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.on = seconds, True
        self.handler: Any = None
        self.timer = (0.0, 0.0)

    def start(self) -> None:
        self.handler = signal.signal(signal.SIGALRM, self._ring)
        self.timer = signal.setitimer(signal.ITIMER_REAL, self.seconds, _again(self.seconds))

    def stop(self) -> None:
        if self.on:
            self.on = False
            signal.setitimer(signal.ITIMER_REAL, *self.timer)
            signal.signal(signal.SIGALRM, self.handler)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.on:
            raise TookTooLong


class _Watchdog:
    """Rings by an exception that the thread meets at its next bytecode."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.done = seconds, threading.Event()
        self.thread = ctypes.c_ulong(threading.get_ident())
        self.watch = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self.watch.start()

    def stop(self) -> None:
        self.done.set()
        self.watch.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self.thread, None)

    def _watch(self) -> None:
        wait = self.seconds
        while not self.done.wait(wait):
            error = ctypes.py_object(TookTooLong)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(self.thread, error)
            wait = _again(self.seconds)
