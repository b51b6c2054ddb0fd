"""What every benchmark writes: JSON rows, and the same as a table on the terminal."""

from __future__ import annotations

import json
import platform
import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from weaklabel.atomic import write_text


@dataclass(frozen=True)
class Figure:
    """One figure of ``speed``, ``llm``, ``review`` or ``scale``.

    figure: a stable slug. target: what the project asks of itself, None where it asks nothing.
    met: whether value reaches target, None without a target. peer, peer_value: what it was
    measured against, in the same run.
    """

    figure: str
    value: float
    unit: str
    target: float | None = None
    met: bool | None = None
    peer: str | None = None
    peer_value: float | None = None


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of some packages, those that are installed."""
    found = {"python": platform.python_version()}
    for package in ("weaklabel", "numpy", "numba", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def peak_rss_mb() -> float:
    """The most memory that this process has held, in MiB (Linux counts in KiB).

    Where there is /proc its mark is taken: ru_maxrss is handed down from whoever started us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_json(path: Path | str | None, rows: Sequence[Figure | Mapping[str, Any]]) -> None:
    """Write rows as one JSON list, atomically; no path, no file."""
    if path is not None:
        plain = [asdict(row) if isinstance(row, Figure) else dict(row) for row in rows]
        write_text(path, json.dumps(plain, indent=1) + "\n")


def print_table(rows: Sequence[Figure | Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """The rows as a table; ``columns`` picks and orders."""
    from rich.console import Console
    from rich.table import Table

    plain = [asdict(row) if isinstance(row, Figure) else dict(row) for row in rows]
    if not plain:
        return
    names = list(columns) or list(plain[0])
    table = Table(*names)
    for row in plain:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console(width=max(100, 14 * len(names))).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
