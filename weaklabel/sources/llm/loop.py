"""Run a coroutine from plain code, also where an event loop is running already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end, also where an event loop is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _unwrapped(lambda: asyncio.run(coroutine))
        return
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=inside, name="weaklabel-llm")
    thread.start()
    thread.join()
    if errors:
        _unwrapped(lambda: _throw(errors[0]))


def _unwrapped(action: Callable[[], None]) -> None:
    """A task group wraps what a worker raised; the first of it is the error."""
    try:
        action()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _throw(error: BaseException) -> None:
    raise error
