"""User code under control: one document at a time, failures named, loops cut short."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import TypeVar

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
            with nullcontext() if seconds is None else time_limit(seconds):
                rows = look(document)
            said += rows
        except TimeoutError as error:
            late += 1
            failed[document] = str(error) or "took too long"
        except TookTooLong:
            late += 1
            failed[document] = f"took more than {seconds:g} s"
        except Exception as error:
            failed[document] = f"{type(error).__name__}: {error}".splitlines()[0]
    return said, failed


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TookTooLong`` in this thread when the block runs longer."""
    if threading.current_thread() is threading.main_thread():
        with _by_signal(seconds):
            yield
    else:
        with _by_watchdog(seconds):
            yield


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    outer, interval = signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, outer, interval)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _by_watchdog(seconds: float) -> Iterator[None]:
    thread = ctypes.c_ulong(threading.get_ident())
    lock, done = threading.Lock(), threading.Event()

    def watch() -> None:
        while not done.wait(seconds):
            with lock:
                if not done.is_set():
                    _raise_in(thread, ctypes.py_object(TookTooLong))

    watchdog = threading.Thread(target=watch, daemon=True)
    watchdog.start()
    try:
        yield
    finally:
        with lock:
            done.set()
            _raise_in(thread, None)


def _raise_in(thread: ctypes.c_ulong, error: ctypes.py_object[type] | None) -> None:
    """Set, or take back, an exception that a thread meets at its next bytecode."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)
