"""The queue and its decisions in SQLite: what a reviewer was told is saved, is on the disk."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError

OPEN, DECIDED, DISPUTED, SKIPPED = 0, 1, 2, 3
LEASE_SECONDS = 600.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items(
    id INTEGER PRIMARY KEY, task TEXT NOT NULL, document INTEGER NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, label TEXT NOT NULL, issue TEXT NOT NULL,
    score REAL NOT NULL, detail TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS item_sources(
    source TEXT NOT NULL, item INTEGER NOT NULL, PRIMARY KEY(source, item)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases(
    item INTEGER PRIMARY KEY, reviewer TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS decisions(
    id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, document TEXT NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, action TEXT NOT NULL, result TEXT NOT NULL,
    comment TEXT NOT NULL, reviewer TEXT NOT NULL, at REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS decisions_place ON decisions(task, document, start, end);
CREATE INDEX IF NOT EXISTS decisions_reviewer ON decisions(reviewer, id);
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS items_state ON items(state, id);
CREATE INDEX IF NOT EXISTS items_label ON items(state, label, id);
CREATE INDEX IF NOT EXISTS items_issue ON items(state, issue, id);
CREATE INDEX IF NOT EXISTS items_place ON items(document, start, end);
"""
_DROP = "DROP TABLE items; DROP TABLE item_sources; DROP TABLE documents; DROP TABLE leases;"


Asked = tuple[str, dict[str, Any], list[tuple[int, str, int, int, str, str, float, dict[str, Any]]]]


class AlreadyDecided(Exception):
    """Another reviewer was first; the decision was not written."""


class NoSuchItem(Exception):
    """The queue has no item of that number."""


@dataclass(frozen=True)
class Item:
    """One question to a reviewer. Offsets are characters of the document, end exclusive.

    label: as it stands, "" for none. issue: why it was flagged. detail: suggestion, scores, votes.
    """

    id: int
    task: str
    document: int
    start: int
    end: int
    label: str
    issue: str
    score: float
    detail: dict[str, Any]
    state: int = OPEN


@dataclass(frozen=True)
class Decision:
    """What a reviewer said of one place.

    action: accept, suggestion, reject, relabel, adjust, classes. result: ``spans`` that are there
    ([start, end, label]), ``none`` that are not ([start, end]), ``classes``, ``complete``.
    """

    id: int
    task: str
    document: str
    start: int
    end: int
    action: str
    result: dict[str, Any]
    comment: str
    reviewer: str
    at: float

    @property
    def outcome(self) -> str:
        """What two reviewers must share to agree."""
        said = {key: self.result.get(key, []) for key in ("spans", "none", "classes")}
        here = [s for s in said["spans"] if s[0] < self.end and s[1] > self.start]
        return json.dumps([sorted(here), sorted(said["classes"])])


@dataclass(frozen=True)
class Filter:
    """Which part of the queue to walk. Empty strings: any."""

    task: str = ""
    label: str = ""
    source: str = ""
    issue: str = ""
    queue: str = "open"


class Store:
    """``RUN/review.sqlite``; one connection, every call is one transaction."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                self.path, check_same_thread=False, isolation_level=None, timeout=30
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA + _INDEXES)
        except sqlite3.Error as error:
            raise RunError(f"{path}: cannot be used as a review database ({error})") from None

    def close(self) -> None:
        """Close the file; the store is of no more use."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def fact(self, key: str, default: Any = None) -> Any:
        """A JSON value that was kept under a key."""
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else default

    def replace_queue(self, documents: Iterable[Asked], facts: dict[str, Any]) -> int:
        """A new queue in place of the old one; decisions stay. Returns the number of items.

        documents: (id, payload, items); an item is (place in the queue from 1, task, start, end,
        label, issue, score, detail). One can filter by what stands in ``detail["sources"]``.
        """
        with self._writing() as db:
            for statement in (_DROP + _SCHEMA).split(";"):
                db.execute(statement)
            count = _insert(db, documents)
            for statement in _INDEXES.split(";"):
                db.execute(statement)
            self._restore_states(db)
            db.execute("DELETE FROM facts")
            db.executemany(
                "INSERT INTO facts VALUES (?, ?)",
                [(k, json.dumps(v)) for k, v in {**facts, "items": count}.items()],
            )
        return count

    def _restore_states(self, db: sqlite3.Connection) -> None:
        places = db.execute(
            "SELECT DISTINCT i.id FROM decisions d JOIN documents x ON x.id = d.document "
            "JOIN items i ON i.document = x.number AND i.start = d.start AND i.end = d.end "
            "AND i.task = d.task WHERE d.undone = 0"
        ).fetchall()
        for (item,) in places:
            self._settle(db, item)

    def _settle(self, db: sqlite3.Connection, item: int) -> None:
        """Set an item's state from the decisions on it."""
        outcomes = {decision.outcome for decision in self.decisions_on(item)}
        state = OPEN if not outcomes else DECIDED if len(outcomes) == 1 else DISPUTED
        db.execute("UPDATE items SET state = ? WHERE id = ?", (state, item))

    def item(self, number: int) -> Item:
        """One item, whatever its state."""
        rows = self._rows("SELECT * FROM items WHERE id = ?", (number,))
        if not rows:
            raise NoSuchItem(number)
        return _item(rows[0])

    def document(self, number: int) -> tuple[str, dict[str, Any]]:
        """The id of a document and what the page needs of it."""
        rows = self._rows("SELECT id, payload FROM documents WHERE number = ?", (number,))
        if not rows:
            raise NoSuchItem(number)
        return rows[0][0], json.loads(rows[0][1])

    def next(
        self, reviewer: str, wanted: Filter | None = None, after: int = 0, now: float | None = None
    ) -> Item | None:
        """The first item that is to be asked, leased to this reviewer; None when all is done.

        after: walk on behind that item, leaving it as it is.
        """
        clock = time.time() if now is None else now
        with self._writing() as db:
            db.execute("DELETE FROM leases WHERE until <= ? OR reviewer = ?", (clock, reviewer))
            query, values = _next_query(wanted or Filter(), reviewer, after)
            row = db.execute(query, values).fetchone()
            if row is None:
                return None
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?)",
                (row[0], reviewer, clock + LEASE_SECONDS),
            )
        return _item(row)

    def decide(
        self,
        number: int,
        reviewer: str,
        action: str,
        result: dict[str, Any],
        comment: str = "",
        *,
        second: bool = False,
    ) -> int:
        """Write a decision; when this returns it is on the disk. Returns the decision's number.

        second: the reviewer knows that others have decided. Without it, that is AlreadyDecided.
        """
        with self._writing() as db:
            item = self.item(number)
            document, _ = self.document(item.document)
            others = [d for d in self.decisions_on(number) if d.reviewer != reviewer]
            if others and not second:
                raise AlreadyDecided(others[0].reviewer)
            place = (item.task, document, item.start, item.end)
            db.execute(
                "UPDATE decisions SET undone = 1 WHERE task = ? AND document = ? AND start = ? "
                "AND end = ? AND reviewer = ?",
                (*place, reviewer),
            )
            cursor = db.execute(
                "INSERT INTO decisions(task, document, start, end, action, result, comment, "
                "reviewer, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*place, action, json.dumps(result), comment, reviewer, time.time()),
            )
            self._settle(db, number)
            db.execute("DELETE FROM leases WHERE item = ?", (number,))
            return int(cursor.lastrowid or 0)

    def skip(self, number: int, reviewer: str) -> None:
        """Put an item behind all open ones."""
        with self._writing() as db:
            if self.item(number).state == OPEN:
                db.execute("UPDATE items SET state = ? WHERE id = ?", (SKIPPED, number))
            db.execute("DELETE FROM leases WHERE item = ? AND reviewer = ?", (number, reviewer))

    def undo(self, reviewer: str) -> int | None:
        """Take back this reviewer's last decision; the number of its item, if it has one."""
        with self._writing() as db:
            row = db.execute(
                "SELECT id, task, document, start, end FROM decisions WHERE reviewer = ? AND "
                "undone = 0 ORDER BY id DESC LIMIT 1",
                (reviewer,),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE decisions SET undone = 1 WHERE id = ?", (row[0],))
            found = db.execute(
                "SELECT i.id FROM items i JOIN documents x ON x.number = i.document "
                "WHERE i.task = ? AND x.id = ? AND i.start = ? AND i.end = ?",
                row[1:],
            ).fetchone()
            if found is None:
                return None
            self._settle(db, found[0])
            return int(found[0])

    def decisions_on(self, number: int) -> list[Decision]:
        """The decisions that stand on an item's place, oldest first."""
        rows = self._rows(
            "SELECT d.* FROM items i JOIN documents x ON x.number = i.document "
            "JOIN decisions d ON d.task = i.task AND d.document = x.id AND d.start = i.start "
            "AND d.end = i.end WHERE i.id = ? AND d.undone = 0 ORDER BY d.id",
            (number,),
        )
        return [_decision(row) for row in rows]

    def decisions(self, task: str | None = None) -> list[Decision]:
        """Every decision that stands, oldest first."""
        where, values = ("AND task = ?", (task,)) if task is not None else ("", ())
        query = f"SELECT * FROM decisions WHERE undone = 0 {where} ORDER BY id"
        return [_decision(row) for row in self._rows(query, values)]

    def progress(self) -> dict[str, int]:
        """How many items there are, and how many are decided, disputed and skipped."""
        counted = {
            name: self._rows("SELECT COUNT(*) FROM items WHERE state = ?", (state,))[0][0]
            for name, state in (("decided", DECIDED), ("disputed", DISPUTED), ("skipped", SKIPPED))
        }
        return {"items": int(self.fact("items", 0)), **counted}

    def disputed(self, limit: int = 200) -> list[Item]:
        """Items on which reviewers differ, in the order of the queue."""
        query = "SELECT * FROM items WHERE state = ? ORDER BY id LIMIT ?"
        return [_item(row) for row in self._rows(query, (DISPUTED, limit))]

    def first(self, limit: int) -> list[Item]:
        """The first items of the queue, whatever their state."""
        return [_item(r) for r in self._rows("SELECT * FROM items ORDER BY id LIMIT ?", (limit,))]


def _insert(db: sqlite3.Connection, documents: Iterable[Asked]) -> int:
    count = 0
    for number, (id, payload, items) in enumerate(documents):
        db.execute("INSERT INTO documents VALUES (?, ?, ?)", (number, id, json.dumps(payload)))
        for place, task, start, end, label, issue, score, detail in items:
            count += 1
            columns = (place, task, number, start, end, label, issue, score, json.dumps(detail))
            db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", columns)
            for source in detail.get("sources", ()):
                db.execute("INSERT OR IGNORE INTO item_sources VALUES (?, ?)", (source, place))
    return count


def _next_query(wanted: Filter, reviewer: str, after: int) -> tuple[str, list[Any]]:
    """The query for the next item; each filter has an index that begins with the state."""
    states = {"open": OPEN, "skipped": SKIPPED, "second": DECIDED, "disputed": DISPUTED}
    table = "items i"
    values: list[Any] = []
    if wanted.source:
        table = "item_sources s JOIN items i ON i.id = s.item AND s.source = ?"
        values.append(wanted.source)
    conditions = [
        "i.state = ?",
        "i.id > ?",
        "i.id NOT IN (SELECT item FROM leases)",
    ]
    values += [states.get(wanted.queue, OPEN), after]
    for column in ("task", "label", "issue"):
        value = getattr(wanted, column)
        if value:
            conditions.append(f"i.{column} = ?")
            values.append("" if value == "none" and column == "label" else value)
    if wanted.queue == "second":
        conditions.append(
            "NOT EXISTS (SELECT 1 FROM documents x JOIN decisions d ON d.task = i.task AND "
            "d.document = x.id AND d.start = i.start AND d.end = i.end "
            "WHERE x.number = i.document AND d.undone = 0 AND d.reviewer = ?)"
        )
        values.append(reviewer)
    order = "s.item" if wanted.source else "i.id"
    where = " AND ".join(conditions)
    return f"SELECT i.* FROM {table} WHERE {where} ORDER BY {order} LIMIT 1", values


def _item(row: tuple[Any, ...]) -> Item:
    number, task, document, start, end, label, issue, score, detail, state = row
    place = (document, start, end)
    return Item(number, task, *place, label, issue, score, json.loads(detail), state)


def _decision(row: tuple[Any, ...]) -> Decision:
    number, task, document, start, end, action, result, comment, reviewer, at, _ = row
    said = json.loads(result)
    return Decision(number, task, document, start, end, action, said, comment, reviewer, at)
