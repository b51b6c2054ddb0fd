"""One run at a time in a run folder. The operating system drops the lock when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from .errors import RunError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder; who comes second gets a ``RunError`` that says who holds it.

    The kernel ties the lock to the process, so a lock file that a killed run left is no lock. A
    folder that is removed meanwhile takes the lock with it: that ends the run in one line, too.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{folder}: another run is going on here{_holder(path)}") from None
        _write(file, folder, pid=os.getpid(), host=socket.gethostname(), since=_now())
        try:
            yield
        except Exception:
            _still_there(file, path)
            raise
        _still_there(file, path)
        _write(file, folder)


def _write(file: TextIO, folder: Path, **holder: Any) -> None:
    try:
        file.truncate(0)
        if holder:
            json.dump(holder, file)
        file.flush()
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}") from None


def _still_there(file: TextIO, path: Path) -> None:
    try:
        same = path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except OSError:
        same = False
    if not same:
        raise RunError(
            f"{path.parent}: was removed or replaced while the run was going on; run it again"
        ) from None


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f" (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
