"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import RunError

SUFFIX = ".tmp"
"""What temporary files end in; they begin with a dot."""


def is_temporary(path: Path | str) -> bool:
    """Whether a file is of those that ``sweep`` removes."""
    name = Path(path).name
    return name.startswith(".") and name.endswith(SUFFIX)


def sweep(folder: Path) -> None:
    """Remove the temporary files that a killed process left below a folder."""
    for path in folder.rglob(f".*{SUFFIX}"):
        path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside ``path``; what is written there takes its place when the block ends.

    A full disk or a read-only folder is one ``RunError``; whatever stood at ``path`` stays.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(SUFFIX, f".{target.name}.", target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write {target}: {reason}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file, atomically, line ends as given; the same text is left alone."""
    with suppress(OSError):
        if Path(path).read_bytes() == text.encode():
            return
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())
