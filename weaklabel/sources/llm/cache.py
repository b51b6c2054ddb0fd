"""Answers by content, in SQLite: each written in one transaction as it arrives, never bought
twice, shared by live and batch calls and by processes.

The raw body is kept, so that a better parser reads old answers anew.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import RunError

_VERSION = 1

_TABLES = """
create table if not exists answers(
    key blob primary key, body blob not null, model text, via text, made real) without rowid;
create table if not exists ledgers(
    account text primary key, calls integer not null default 0,
    prompt_tokens integer not null default 0, written_tokens integer not null default 0,
    prompt_bytes integer not null default 0, nano integer not null default 0,
    held_tokens integer not null default 0, held_nano integer not null default 0);
create table if not exists memory(name text primary key, value text not null);
create table if not exists batches(
    id text primary key, state text not null, base_url text not null, model text not null,
    file text, remote text, made real);
create table if not exists batch_calls(
    key blob not null, batch text not null, held_tokens integer, held_nano integer,
    size integer, state text not null, reason text, primary key (key, batch)) without rowid;
create index if not exists calls_of_batch on batch_calls(batch);
"""


class Cache:
    """The file ``path``, made when it is not there; ``None`` keeps answers in memory only.

    What is committed survives a killed process (write-ahead log). Several processes may share one
    file on a local disk.
    """

    def __init__(self, path: Path | str | None) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_db": None}

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, opened on first use."""
        if self._db is None:
            self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection:
        name = ":memory:" if self.path is None else str(self.path)
        try:
            if self.path is not None:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(name, timeout=60, isolation_level=None, check_same_thread=False)
            version = db.execute("pragma user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise RunError(f"{name}: answer cache of version {version}, expected {_VERSION}")
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            if version == 0:
                db.executescript(
                    f"begin immediate; {_TABLES} pragma user_version={_VERSION}; commit"
                )
        except (sqlite3.Error, OSError) as error:
            raise RunError(f"{name}: cannot be used as answer cache: {error}") from None
        return db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what is written in the block."""
        try:
            self.db.execute("begin immediate")
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: answer cache: {error}") from None
        try:
            yield self.db
            self.db.execute("commit")
        except sqlite3.Error as error:
            self.db.execute("rollback") if self.db.in_transaction else None
            raise RunError(f"{self.path}: answer cache: {error}") from None
        except BaseException:
            self.db.execute("rollback") if self.db.in_transaction else None
            raise

    def get(self, key: bytes) -> bytes | None:
        """The raw body under a key."""
        try:
            row = self.db.execute("select body from answers where key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise RunError(f"{self.path}: answer cache: {error}") from None
        return None if row is None else row[0]

    def put(self, key: bytes, body: bytes, model: str, via: str) -> None:
        """Keep an answer; within a ``transaction``, beside what it cost."""
        self.db.execute(
            "insert or replace into answers values (?, ?, ?, ?, ?)",
            (key, body, model, via, time.time()),
        )

    def __len__(self) -> int:
        return int(self.db.execute("select count(*) from answers").fetchone()[0])

    def recall(self, name: str) -> str | None:
        """A fact learnt in an earlier run."""
        row = self.db.execute("select value from memory where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Keep a fact for later runs."""
        with self.transaction() as db:
            db.execute("insert or replace into memory values (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file; it opens again when it is used."""
        if self._db is not None:
            self._db.close()
            self._db = None
