"""Finding a Ray, and asking whether it is one and fits, before Ray itself tries for minutes."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import Any

from . import __version__
from .errors import RunError

WAIT_SECONDS = 10
"""How long an address may take to answer before it is called silent."""

_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""An empty SETTINGS frame of HTTP/2 (RFC 9113, 6.5), with which both sides begin."""


def versions_here() -> dict[str, str]:
    """What must be the same on driver and workers."""
    import numba
    import numpy as np

    return {
        "weaklabel": __version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def connect(workers: int, address: str | None) -> Any:
    """Start a Ray on this machine, or join the one at the address; the module ``ray``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    quiet = {"include_dashboard": False, "num_cpus": workers} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **quiet)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"engine ray: no cluster at {address or 'local'}: {reason} "
            "(is it up, and if it asks for a token, does this machine have it?)"
        ) from None
    return ray


def running_here() -> str | None:
    """The address that "auto" stands for; Ray leaves it in a file, also when it was killed."""
    note = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    try:
        return os.environ.get("RAY_ADDRESS") or note.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def check_answer(address: str) -> None:
    """Ask the socket first: Ray itself tries for minutes and then prints pages.

    What answers must speak HTTP/2, as Ray does: its first frame is the server's settings.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise RunError(f"engine ray: address {address!r} should be HOST:PORT, or 'auto'")
    try:
        connection = socket.create_connection((host, int(port)), WAIT_SECONDS)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(
            f"engine ray: {address} does not answer ({reason}); "
            "is the cluster up, and the address that of its head?"
        ) from None
    with connection:
        if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_http2(connection):
            raise RunError(f"engine ray: what answers at {address} is no Ray; is it another port?")


def _speaks_http2(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS)
        return connection.recv(len(_SETTINGS))[3:4] == _SETTINGS[3:4]
    except OSError:
        return False
