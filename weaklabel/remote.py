"""A run folder on any fsspec path: worked on in a local copy, pushed as it grows, pulled to go on.

The remote side is the truth: before a run, what differs is pulled and what it does not have is
dropped. Notes that vouch for files (``.done``, ``run.json``) are pushed after the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .atomic import write_text
from .errors import RunError

PUSH_EVERY_SECONDS = 30.0


def is_remote(path: Path | str) -> bool:
    """Whether a path names a file system other than the local one."""
    return "://" in str(path)


def local_copy(url: str) -> Path:
    """Where the local copy of a remote run folder lies: under WEAKLABEL_CACHE or ~/.cache."""
    base = os.environ.get("WEAKLABEL_CACHE") or Path.home() / ".cache" / "weaklabel"
    return Path(base) / "runs" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:24]


class Mirror:
    """A remote folder and its local copy."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.folder = local_copy(url)
        self._record_path = self.folder.with_suffix(".json")
        self._pushed_at = 0.0
        with _one_line(self.url):
            import fsspec

            self.fs, root = fsspec.core.url_to_fs(self.url)
            self.root = str(root).rstrip("/")

    def pull(self) -> Path:
        """Make the local copy equal to the remote folder; the copy."""
        known = self._record()
        with _one_line(self.url):
            there = self._remote_files()
            for name in set(self._local_files()) - set(there):
                (self.folder / name).unlink()
            for name, key in there.items():
                target = self.folder / name
                if known.get(name, {}).get("remote") != key or not target.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.fs.get_file(f"{self.root}/{name}", str(target))
        self._write_record(there)
        return self.folder

    def push(self) -> None:
        """Make the remote folder equal to the local copy; what vouches for files goes last."""
        known = self._record()
        here = self._local_files()
        with _one_line(self.url):
            for name in sorted(here, key=_vouches):
                if known.get(name, {}).get("local") != here[name]:
                    self.fs.makedirs(f"{self.root}/{name}".rpartition("/")[0], exist_ok=True)
                    self.fs.put_file(str(self.folder / name), f"{self.root}/{name}")
            there = self._remote_files()
            for name in set(there) - set(here):
                self.fs.rm_file(f"{self.root}/{name}")
        self._write_record({name: key for name, key in there.items() if name in here})
        self._pushed_at = time.monotonic()

    def push_now_and_then(self) -> None:
        """Push if the last time is a while ago: what a killed run has then lost is little."""
        if time.monotonic() - self._pushed_at > PUSH_EVERY_SECONDS:
            self.push()

    def _remote_files(self) -> dict[str, str]:
        self.fs.invalidate_cache()
        if not self.fs.exists(self.root):
            return {}
        found = self.fs.find(self.root, detail=True)
        prefix = self.root.lstrip("/") + "/"
        return {
            str(path).lstrip("/").removeprefix(prefix): _key(info) for path, info in found.items()
        }

    def _local_files(self) -> dict[str, list[int]]:
        files = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not path.name.startswith("."):
                status = path.stat()
                files[name] = [status.st_size, status.st_mtime_ns]
        return files

    def _record(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._record_path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    def _write_record(self, there: dict[str, str]) -> None:
        here = self._local_files()
        record = {n: {"remote": key, "local": here[n]} for n, key in there.items() if n in here}
        write_text(self._record_path, json.dumps(record, sort_keys=True))


def _vouches(name: str) -> tuple[int, str]:
    return (2 if name == "run.json" else 1 if name.startswith(".done/") else 0, name)


def _key(info: dict[str, Any]) -> str:
    """What changes when a remote file does: its tag or time, and its size."""
    facts = [str(info.get(k)) for k in ("ETag", "etag", "md5Hash", "mtime", "created", "size")]
    return "|".join(facts)


@contextmanager
def _one_line(url: str) -> Iterator[None]:
    """Whatever a file system throws is one error that names the address."""
    try:
        yield
    except RunError:
        raise
    except ImportError as error:
        raise RunError(f"{url}: {error}") from None
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise RunError(f"{url}: {reason[0] if reason else type(error).__name__}") from error
