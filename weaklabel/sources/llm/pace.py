"""When the next call may start: one pause for all workers, requests and tokens a minute, and a
concurrency that adapts."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

_BURST = 1.0
"""Seconds' worth of a rate that may be used at once after a rest."""


class Rate:
    """A token bucket: ``per_minute`` units a minute, None for no limit.

    It may go below zero by one call, whose size is only known to a bound, and then waits longer.
    """

    def __init__(self, per_minute: float | None, clock: Callable[[], float]) -> None:
        self.per_second = per_minute / 60 if per_minute else None
        self._clock = clock
        self._level = self._most
        self._at = clock()

    @property
    def _most(self) -> float:
        return max(1.0, (self.per_second or 0) * _BURST)

    def wait(self) -> float:
        """Seconds until the next call may start."""
        if self.per_second is None:
            return 0.0
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at) * self.per_second)
        self._at = now
        return max(0.0, (1.0 - self._level) / self.per_second)

    def take(self, amount: float) -> None:
        """Use some; a negative amount gives back what was not needed."""
        self._level -= amount


class Pace:
    """Lets calls start; shared by all workers and sources of a session.

    concurrency: the most calls at once. ``limit`` is how many may run now: it is halved when the
    server says that it is too much, at most once a pause, and grows by one after as many
    successes as it is wide.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.concurrency = concurrency
        self.limit = float(concurrency)
        self.running = 0
        self._clock = clock
        self._requests = Rate(requests_per_minute, clock)
        self._tokens = Rate(tokens_per_minute, clock)
        self._resume = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def start(self, tokens: float) -> None:
        """Return when a call of about so many tokens may start."""
        while True:
            if self.running >= int(self.limit):
                await self._turn()
                continue
            delay = max(
                self._resume - self._clock(), self._requests.wait(), self._tokens.wait(), 0.0
            )
            if delay <= 0:
                break
            await asyncio.sleep(delay)
        self.running += 1
        self._requests.take(1)
        self._tokens.take(tokens)

    def end(self, unused_tokens: float = 0.0) -> None:
        """A call has ended."""
        self.running -= 1
        self._tokens.take(-unused_tokens)
        self._wake()

    def succeeded(self) -> None:
        """Creep up again."""
        if self.limit < self.concurrency:
            self.limit = min(float(self.concurrency), self.limit + 1 / self.limit)
            self._wake()

    def pause(self, seconds: float) -> None:
        """Nobody starts for a while, and then fewer at once.

        Calls that ran at the same time are told the same thing at the same time: the limit is
        halved once for all of them.
        """
        now = self._clock()
        if now >= self._resume:
            self.limit = max(1.0, self.limit / 2)
        self._resume = max(self._resume, now + seconds)

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _wake(self) -> None:
        free = int(self.limit) - self.running
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


def backoff(attempt: int, jitter: random.Random) -> float:
    """Seconds before try ``attempt`` + 1: 0.5 doubling to 8, up to a quarter less."""
    return min(8.0, 0.5 * 2.0 ** min(attempt, 9)) * (1 - 0.25 * jitter.random())
