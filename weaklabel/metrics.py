"""metrics.jsonl: what took how long. The one file of a run that differs between equal runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import RunError


class Metrics:
    """Appends one JSON object a line, each with the wall clock time at which it was written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows."""
        lines = [json.dumps({**row, "at": round(time.time(), 3)}) + "\n" for row in rows]
        if not lines:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from None

    @contextmanager
    def timed(self, stage: str, **facts: Any) -> Iterator[None]:
        """Append how long the block took."""
        began = time.perf_counter()
        yield
        self.write([{"stage": stage, "seconds": round(time.perf_counter() - began, 4), **facts}])

    def read(self) -> list[dict[str, Any]]:
        """All rows so far; a line that a crash cut short is left out."""
        rows = []
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return rows
