"""The OpenAI Batch API in two phases: a run submits what the cache has not and ends; a later run
collects. Live and batch calls share keys, so either finds what the other bought.

A batch is planned -> uploaded -> submitted -> collected; each step is in SQLite before the next
begins, so a killed run goes on where it was. What a batch was killed between is found again on the
server by our id in its metadata.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import JobError, RunError
from .budget import Use
from .buyer import Miss
from .client import Client
from .faults import Reply, Verdict, complaint, judge, parameters
from .pace import backoff
from .reply import completion, one_line, read_reply, usage
from .status import Answer, Status

if TYPE_CHECKING:
    from .session import Session

MOST_LINES = 50_000
MOST_BYTES = 200_000_000
_TIMEOUT = 900.0
_ATTEMPTS = 3
_ENDED = ("completed", "expired", "cancelled", "failed")


class BatchPending(RunError):
    """Batches are under way: run again later to collect them."""


class Batches:
    """The batches of one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.cache = session.cache
        self._jitter = random.Random(0)

    async def collect_or_submit(self, misses: Iterator[Miss]) -> None:
        """Collect what is done, submit what was never asked, and raise while something is open."""
        async with self.session.client(4, _TIMEOUT) as client:
            self._forget_planned()
            for batch, model, file, remote in self._open():
                await self._advance(client, batch, model, file, remote)
            over = await self._submit_missing(client, misses)
        lines = self.cache.db.execute(
            "select count(*), count(distinct batch) from batch_calls where state = 'open'"
        ).fetchone()
        if lines[0]:
            left = f"; {over:,} more do not fit llm.budget now" if over else ""
            raise BatchPending(
                f"{lines[0]:,} LLM calls are under way in {lines[1]:,} batches{left}: "
                "run again later to collect the answers"
            )
        if over and self.session.on_budget == "stop":
            raise RunError(self.session.budget_line())

    def _forget_planned(self) -> None:
        """A run died before it sent these: nothing was bought."""
        with self.cache.transaction() as db:
            planned = "select id from batches where state = 'planned'"
            rows = db.execute(
                f"select held_tokens, held_nano from batch_calls where batch in ({planned})"
            ).fetchall()
            for tokens, nano in rows:
                self.session.budget.release_within(Use(tokens, nano))
            db.execute(f"delete from batch_calls where batch in ({planned})")
            db.execute("delete from batches where state = 'planned'")

    def _open(self) -> list[tuple[str, str, str, str | None]]:
        return self.cache.db.execute(
            "select id, model, file, remote from batches where base_url = ? "
            "and state in ('uploaded', 'submitted') order by made, id",
            (self.session.base_url,),
        ).fetchall()

    async def _advance(
        self, client: Client, batch: str, model: str, file: str, remote: str | None
    ) -> None:
        if remote is None:
            await self._start(client, batch, file)
            return
        told = await self._get(client, f"/batches/{remote}")
        status = told.get("status")
        if status not in _ENDED:
            return
        for part in ("output_file_id", "error_file_id"):
            if told.get(part):
                self._take(batch, model, await self._download(client, str(told[part])))
        self._close(batch)
        if status == "failed":
            errors = told.get("errors") or {}
            first = (errors.get("data") or [{}])[0] if isinstance(errors, dict) else {}
            reason = one_line(first.get("message") or errors)
            raise JobError(f"llm.batch: the server rejects batch {remote}: {reason}")

    async def _submit_missing(self, client: Client, misses: Iterator[Miss]) -> int:
        """Write and send what is neither answered nor under way; how many the budget left out."""
        parts: dict[str, _Part] = {}
        over = 0
        for miss in misses:
            answer = self._known(miss)
            if answer is None and not self._is_open(miss.key):
                model = miss.request.model
                part = parts.setdefault(model, _Part(model))
                if not self._plan(part, miss):
                    over += 1
                    answer = Answer(Status.OVER_BUDGET, reason=self.session.budget_line())
                elif part.full:
                    await self._send(client, parts.pop(model))
            if answer is not None:
                self.session.bought(miss)
                for take in miss.takers:
                    take(answer)
        for part in parts.values():
            if part.lines:
                await self._send(client, part)
        return over

    def _known(self, miss: Miss) -> Answer | None:
        body = self.cache.get(miss.key)
        if body is not None:
            return read_reply(body)
        failures = self.cache.db.execute(
            "select reason from batch_calls where key = ? and state = 'failed'", (miss.key,)
        ).fetchall()
        if len(failures) < _ATTEMPTS:
            return None
        return Answer(Status.HTTP_ERROR, reason=failures[-1][0])

    def _is_open(self, key: bytes) -> bool:
        query = "select 1 from batch_calls where key = ? and state = 'open'"
        return self.cache.db.execute(query, (key,)).fetchone() is not None

    def _plan(self, part: _Part, miss: Miss) -> bool:
        """Hold the worst case and note the call, both or neither."""
        request = miss.request
        worst = self.session.worst(request, batch=True)
        with self.cache.transaction() as db:
            if not self.session.budget.hold_within(worst):
                return False
            if not part.lines:
                db.execute(
                    "insert into batches values (?, 'planned', ?, ?, null, null, ?)",
                    (part.id, self.session.base_url, request.model, time.time()),
                )
            db.execute(
                "insert into batch_calls values (?, ?, ?, ?, ?, 'open', null)",
                (miss.key, part.id, worst.tokens, worst.nano, request.size),
            )
        line = {
            "custom_id": miss.key.hex(),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": self.session.dialect(request.model).body(request),
        }
        part.add(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        return True

    async def _send(self, client: Client, part: _Part) -> None:
        name = f"weaklabel-{part.id}.jsonl"
        reply = await self._retry(lambda: client.upload("/files", name, b"".join(part.lines)))
        file = str(self._json(reply, "/files").get("id"))
        with self.cache.transaction() as db:
            db.execute(
                "update batches set state = 'uploaded', file = ? where id = ?", (file, part.id)
            )
        await self._start(client, part.id, file)

    async def _start(self, client: Client, batch: str, file: str) -> None:
        """Create the batch on the server, unless an earlier try did."""
        remote = await self._find(client, batch)
        if remote is None:
            wish = {
                "input_file_id": file,
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
                "metadata": {"weaklabel": batch},
            }
            reply = await client.post("/batches", wish)
            if reply.code != 200:
                # It may be there although the answer was lost; a rerun looks before it creates.
                raise RunError(f"llm.batch: /batches: {complaint(reply)}; run again to go on")
            remote = str(self._json(reply, "/batches").get("id"))
        with self.cache.transaction() as db:
            db.execute(
                "update batches set state = 'submitted', remote = ? where id = ?", (remote, batch)
            )

    async def _find(self, client: Client, batch: str) -> str | None:
        after = ""
        while True:
            page = await self._get(client, f"/batches?limit=100{after}")
            rows = [row for row in page.get("data") or () if isinstance(row, dict)]
            for row in rows:
                if (row.get("metadata") or {}).get("weaklabel") == batch:
                    return str(row.get("id"))
            if not page.get("has_more") or not rows:
                return None
            after = f"&after={rows[-1].get('id')}"

    async def _download(self, client: Client, file: str) -> bytes:
        # A finished file may be refused for a moment.
        path = f"/files/{file}/content"
        reply = await self._retry(lambda: client.get(path), also=(403, 404))
        if reply.code != 200:
            raise RunError(f"llm.batch: {path}: {complaint(reply)}; run again to go on")
        return reply.body

    def _take(self, batch: str, model: str, lines: bytes) -> None:
        """Join answers to calls by ``custom_id``; order is not kept, and lines may be missing."""
        rows = lines.splitlines()
        for low in range(0, len(rows), 500):
            learnt: list[Reply] = []
            with self.cache.transaction():
                for row in rows[low : low + 500]:
                    learnt += self._take_line(batch, model, row)
            for reply in learnt:
                self._learn(model, reply)

    def _take_line(self, batch: str, model: str, row: bytes) -> list[Reply]:
        try:
            line = json.loads(row)
            key = bytes.fromhex(line["custom_id"])
            response = line.get("response") or {}
            reply = Reply(int(response.get("status_code") or 0), _body(response, line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return []
        held = self.cache.db.execute(
            "select held_tokens, held_nano, size from batch_calls "
            "where key = ? and batch = ? and state = 'open'",
            (key, batch),
        ).fetchone()
        if held is None:
            return []
        worst, size = Use(held[0], held[1]), held[2]
        if reply.code == 200 and completion(reply.body) is not None:
            self._settle(key, model, reply.body, worst, size)
            self._mark(key, batch, "done", "")
            return []
        self.session.budget.release_within(worst)
        unfit = judge(reply) is Verdict.UNFIT
        self._mark(key, batch, "failed", complaint(reply))
        return [reply] if unfit else []

    def _settle(self, key: bytes, model: str, body: bytes, worst: Use, size: int) -> None:
        session = self.session
        price = session.prices.price(model)
        counted = usage(body)
        prompt, written = counted or (max(0, worst.tokens), 0)
        nano = worst.nano
        if counted and price is not None:
            nano = price.of(prompt, written, batch=True)
        self.cache.put(key, body, model, "batch")
        session.budget.settle(worst, prompt, written, nano, size)

    def _mark(self, key: bytes, batch: str, state: str, reason: str) -> None:
        self.cache.db.execute(
            "update batch_calls set state = ?, reason = ? where key = ? and batch = ?",
            (state, reason, key, batch),
        )

    def _learn(self, model: str, reply: Reply) -> None:
        from .request import Request

        # Which options the rejected call had does not matter: the dialect knows what it sends.
        asked = Request(model, (), {}, temperature=0.0, logprobs=1, seed=0)
        tried = self.session.dialect(model)
        weaker = tried.after(parameters(reply), asked)
        if weaker is not None:
            self.session.learn(model, tried, weaker)

    def _close(self, batch: str) -> None:
        """Calls without any line (the batch expired) were not done: they may be asked again."""
        with self.cache.transaction() as db:
            left = db.execute(
                "select held_tokens, held_nano from batch_calls where batch = ? and state = 'open'",
                (batch,),
            ).fetchall()
            for tokens, nano in left:
                self.session.budget.release_within(Use(tokens, nano))
            db.execute("delete from batch_calls where batch = ? and state = 'open'", (batch,))
            db.execute("update batches set state = 'collected' where id = ?", (batch,))

    async def _get(self, client: Client, path: str) -> dict[str, Any]:
        return self._json(await self._retry(lambda: client.get(path)), path)

    async def _retry(self, call: Any, also: tuple[int, ...] = ()) -> Reply:
        for attempt in range(self.session.retries + 1):
            reply: Reply = await call()
            if reply.code == 200:
                return reply
            passing = judge(reply) in (Verdict.AGAIN, Verdict.WAIT)
            if not passing and (reply.code not in also or attempt > _ATTEMPTS):
                return reply
            await asyncio.sleep(backoff(attempt, self._jitter))
        return reply

    def _json(self, reply: Reply, path: str) -> dict[str, Any]:
        if reply.code != 200:
            raise RunError(f"llm.batch: {path}: {complaint(reply)}; run again to go on")
        try:
            value = json.loads(reply.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise JobError(f"llm.batch: {path} gives no JSON object: no Batch API here")
        return value


class _Part:
    """The lines of one batch to be; a batch has one model."""

    def __init__(self, model: str) -> None:
        self.id = uuid.uuid4().hex
        self.model = model
        self.lines: list[bytes] = []
        self.size = 0

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.size += len(line)

    @property
    def full(self) -> bool:
        # A line is far below a tenth of the limit; what comes next must still fit.
        return len(self.lines) >= MOST_LINES or self.size >= 0.9 * MOST_BYTES


def _body(response: dict[str, Any], line: dict[str, Any]) -> bytes:
    body = response.get("body")
    if body is None:
        body = {"error": line.get("error")}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
