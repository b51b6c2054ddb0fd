"""Buys what the cache has not: workers that share one pace, one budget and one reason to stop."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import JobError, RunError, SourceError, WeaklabelError, nearest
from .budget import Use
from .client import Client
from .faults import Reply, Verdict, complaint, judge, parameters, retry_after
from .pace import backoff
from .reply import read_reply, usage
from .request import Request
from .status import Answer, Status

if TYPE_CHECKING:
    from .session import Session

_HOPELESS = 20
"""Calls that failed, and none that did not, after which a run is not worth going on."""

_RECONNECT = 2
_REFITS = 8


@dataclass(frozen=True)
class Miss:
    """A request without an answer, and who waits for one: equal requests are bought once."""

    key: bytes
    request: Request
    takers: list[Callable[[Answer], None]]


class Buyer:
    """The state of one round of buying, within one event loop.

    ``stop`` holds the error that ends the round: calls under way are finished, none is begun.
    """

    def __init__(self, session: Session, client: Client) -> None:
        self.session = session
        self.client = client
        self.stop: WeaklabelError | None = None
        self._holding = 0
        self._settled = asyncio.Event()
        self._jitter = random.Random(0)

    async def buy_all(self, misses: Iterator[Miss]) -> None:
        """Buy every miss, as many at once as the pace lets.

        Where nobody has checked the endpoint, the first call goes alone, as a probe.
        """
        if not (self.session.reached or self.session.checked):
            await self._work(misses, 1)
        async with asyncio.TaskGroup() as group:
            for _ in range(self.session.pace.concurrency):
                group.create_task(self._work(misses))
        if self.stop is not None:
            raise self.stop

    async def _work(self, misses: Iterator[Miss], most: int = -1) -> None:
        while self.stop is None and most != 0:
            try:
                miss = next(misses, None)
                if miss is None:
                    return
                answer = await self._buy(miss)
            except WeaklabelError as error:
                self.stop = self.stop or error
                return
            most -= 1
            self.session.bought(miss)
            for take in miss.takers:
                take(answer)

    async def _buy(self, miss: Miss) -> Answer:
        session, request = self.session, miss.request
        worst = session.worst(request)
        attempt = refits = 0
        while self.stop is None:
            if not await self._hold(worst):
                return self._over_budget()
            dialect = session.dialect(request.model)
            reply = await self._send(request, dialect.body(request))
            verdict = judge(reply)
            self._account(miss, worst, reply, verdict)
            if verdict is Verdict.ANSWERED:
                session.count(True)
                session.pace.succeeded()
                return read_reply(reply.body)
            if verdict is Verdict.UNFIT:
                weaker = dialect.after(parameters(reply), request)
                refits += 1
                if weaker is not None and refits <= _REFITS:
                    session.learn(request.model, dialect, weaker)
                    continue
                return self._failed(reply)
            if verdict is Verdict.FATAL:
                self.stop = self.stop or await self._explain(reply, request)
                break
            if verdict is Verdict.REFUSED:
                return Answer(Status.REFUSED, reason=complaint(reply))
            if verdict is Verdict.FAILED or attempt >= session.retries:
                return self._failed(reply)
            await self._wait(reply, verdict, attempt)
            attempt += 1
        return Answer(Status.HTTP_ERROR, reason="stopped before it was asked")

    async def _send(self, request: Request, body: dict[str, object]) -> Reply:
        pace, expected = self.session.pace, request.size / 3 + request.max_tokens
        await pace.start(expected)
        used: float = 0.0
        try:
            if self.stop is not None:
                return Reply(0, problem="stopped")
            reply = await self.client.post("/chat/completions", body)
            used = float(sum(usage(reply.body) or (expected, 0))) if reply.code == 200 else expected
        finally:
            pace.end(expected - used)
        return reply

    async def _hold(self, worst: Use) -> bool:
        """Set the worst case aside; while calls of our own are under way, wait for what they
        leave."""
        while not self.session.budget.hold(worst):
            if self._holding == 0:
                return False
            await self._settled.wait()
        self._holding += 1
        return True

    def _account(self, miss: Miss, worst: Use, reply: Reply, verdict: Verdict) -> None:
        """Keep the answer and what it cost in one transaction.

        Where the server may have worked but its count did not arrive, the worst case is charged.
        """
        session = self.session
        try:
            charged = reply.code == 200 or reply.sent
            if not charged:
                session.budget.release(worst)
                return
            size = miss.request.size
            prompt, written = usage(reply.body) or (
                miss.request.most_prompt_tokens,
                miss.request.max_tokens,
            )
            price = session.prices.price(miss.request.model)
            nano = price.of(prompt, written) if price else 0
            with session.cache.transaction():
                if verdict is Verdict.ANSWERED:
                    session.cache.put(miss.key, reply.body, miss.request.model, "live")
                session.budget.settle(worst, prompt, written, nano, size)
        finally:
            self._holding -= 1
            self._settled.set()
            self._settled = asyncio.Event()

    async def _wait(self, reply: Reply, verdict: Verdict, attempt: int) -> None:
        session = self.session
        if self.stop is not None:
            return
        asked = retry_after(reply.headers)
        delay = asked if asked is not None else backoff(attempt, self._jitter)
        if delay > session.max_wait:
            self.stop = RunError(
                f"the LLM server asks to wait {delay:.0f} s, above llm.max_wait "
                f"{session.max_wait:.0f}: {complaint(reply)}; run again later to go on"
            )
        elif reply.code == 0 and not reply.sent and not session.reached and attempt >= _RECONNECT:
            self.stop = JobError(f"llm.base_url: {complaint(reply)}")
        elif verdict is Verdict.WAIT:
            session.pace.pause(delay)
        else:
            await asyncio.sleep(delay)

    def _over_budget(self) -> Answer:
        reason = self.session.budget_line()
        if self.session.on_budget == "stop":
            self.stop = self.stop or RunError(reason)
        return Answer(Status.OVER_BUDGET, reason=reason)

    def _failed(self, reply: Reply) -> Answer:
        failed = self.session.count(False)
        if failed >= _HOPELESS:
            self.stop = self.stop or SourceError(
                f"the first {failed} LLM calls all failed, the last with {complaint(reply)}"
            )
        return Answer(Status.HTTP_ERROR, reason=complaint(reply))

    async def _explain(self, reply: Reply, request: Request) -> WeaklabelError:
        said = complaint(reply)
        if reply.code in (402, 429):
            return RunError(f"the LLM account is used up ({said}); run again later to go on")
        if reply.code in (401, 403):
            return key_rejected(self.session.api_key_env, said)
        if reply.code == 404:
            names = models_of(await self.client.get("/models"))
            if names is not None and request.model not in names:
                hint = nearest(request.model, names)
                return JobError(f"llm.model: the server has no model {request.model!r}; {hint}")
            if names is not None or "model" in said.lower():
                return JobError(f"llm.model: {request.model!r}: {said}")
        return no_api(self.client.url, said if reply.code != 200 else "a web page")


def key_rejected(variable: str, said: str) -> JobError:
    """The server does not take the key."""
    return JobError(f"llm.api_key_env: the server rejects the key in {variable} ({said})")


def no_api(url: str, said: str) -> JobError:
    """Whatever answers there is no chat endpoint."""
    return JobError(
        f"llm.base_url: {url} is no OpenAI-compatible API ({said}); it usually ends in /v1"
    )


def models_of(reply: Reply) -> list[str] | None:
    """The models that a server lists; None if it lists none."""
    if reply.code != 200:
        return None
    try:
        return [str(entry["id"]) for entry in json.loads(reply.body)["data"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
