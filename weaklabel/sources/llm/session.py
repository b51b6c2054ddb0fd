"""One LLM endpoint for all prompt sources of a job: cache, budget, pace, and what was learnt of
the endpoint.

    session = Session(base_url="http://localhost:8000/v1", model="some-model", cache="llm.sqlite")
    session.check(sources)
    for source in sources:
        source.bind(session)
    session.prepare(sources, shards)

After ``prepare`` the answers are in the cache, and the sources vote from there.
"""

from __future__ import annotations

import inspect
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from ...corpus import Shard
from ...errors import JobError, SourceError, nearest
from .budget import Budget, Prices, Use
from .buyer import Buyer, Miss, key_rejected, no_api
from .cache import Cache
from .client import Client, check_url, read_key
from .faults import complaint
from .loop import run
from .pace import Pace
from .prompt import Call, PromptSource
from .reply import read_reply
from .request import Dialect, Request
from .status import Answer, Reading, Status

_BUDGET_KEYS = ("tokens", "cost")


class Session:
    """base_url, model: of the endpoint; from OPENAI_BASE_URL and OPENAI_MODEL if not given.
    api_key_env: the environment variable with the key, which is the only place it is read from.
    cache: the SQLite file of answers. account: whose ledger in it the budget counts.
    budget: {tokens: N, cost: X}, over all runs with this cache and account; cost needs a price
        table (``prices``). on_budget: "stop" with an error, or "skip" what is left as missing.
    requests_per_minute, tokens_per_minute: the server's limits, if it has any.
    concurrency: calls at once. timeout: seconds for one. retries: of a call that failed in passing.
    max_wait: seconds; a server that asks to wait longer ends the run.
    fail_above: the share of a source's calls above which its failures end the run.
    offline: answers come from the cache alone. batch: calls go through the Batch API.
    seed: sent with every call, and part of its key.
    """

    def __init__(
        self,
        base_url: str | None = None,
        model: str | None = None,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        cache: Path | str | None = None,
        account: str = "",
        budget: Mapping[str, float] | None = None,
        prices: Path | str | None = None,
        on_budget: Literal["stop", "skip"] = "stop",
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        retries: int = 8,
        max_wait: float = 120.0,
        fail_above: float = 0.2,
        offline: bool = False,
        batch: bool = False,
        seed: int | None = None,
    ) -> None:
        url = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        self.base_url = check_url(url)
        self.model = model or os.environ.get("OPENAI_MODEL") or ""
        self.api_key_env = api_key_env
        self.on_budget = _one_of("on_budget", on_budget, ("stop", "skip"))
        self.timeout = _positive("timeout", timeout)
        self.retries = int(_positive("retries", retries, zero=True))
        self.max_wait = _positive("max_wait", max_wait)
        self.fail_above = _positive("fail_above", fail_above, zero=True)
        self.offline = offline
        self.batch = batch
        self.seed = seed
        self.prices = Prices.load(prices) if prices is not None else Prices()
        self.cache = Cache(cache)
        self.budget = _budget(self.cache, account or self.base_url, budget or {})
        self.pace = Pace(
            int(_positive("concurrency", concurrency)),
            requests_per_minute and _positive("requests_per_minute", requests_per_minute),
            tokens_per_minute and _positive("tokens_per_minute", tokens_per_minute),
        )
        self.counts: dict[str, Counter[Status]] = {}
        self.checked = False
        self.reached = False
        self._failures = 0
        self._dialects: dict[str, Dialect] = {}
        self._misses: dict[bytes, Miss] = {}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], **more: Any) -> Session:
        """A session from the ``llm`` part of a job; an unknown key is one line."""
        known = list(inspect.signature(cls).parameters)
        for key in settings:
            if key not in known:
                raise JobError(f"llm: no setting {key!r}; {nearest(key, known)}")
        try:
            return cls(**{**settings, **more})
        except (TypeError, ValueError) as error:
            raise JobError(f"llm: {error}") from None

    def check(self, sources: Iterable[object] = (), *, network: bool = True) -> None:
        """Whatever can be known to be wrong before money is spent: one line that names the key.

        network: also ask the endpoint for its list of models, which is free.
        """
        prompts = [s for s in sources if isinstance(s, PromptSource)]
        for source in prompts:
            if not (source.settings.model or self.model):
                raise JobError(f"llm.model is missing, and source {source.name!r} names none")
        models = {s.settings.model or self.model for s in prompts} or {self.model} - {""}
        if self.budget.nano is not None:
            for model in sorted(models):
                if self.prices.price(model) is None:
                    raise JobError(
                        f"llm.budget.cost needs a price for {model!r} in "
                        f"{self.prices.path or 'a price table (llm.prices)'}; "
                        + nearest(model, self.prices.models)
                    )
        if not self.offline:
            read_key(self.api_key_env, self.base_url)
            if network:
                run(self._check_endpoint())

    async def _check_endpoint(self) -> None:
        async with self.client(1) as client:
            reply = await client.get("/models")
        if reply.code == 0:
            raise JobError(f"llm.base_url: {complaint(reply)}")
        if reply.code in (401, 403):
            raise key_rejected(self.api_key_env, complaint(reply))
        if reply.code == 200 and not reply.body.lstrip().startswith((b"{", b"[")):
            raise no_api(self.base_url, "it answers with a page, not with JSON")
        if 300 <= reply.code < 400:
            raise no_api(self.base_url, complaint(reply))
        self.checked = reply.code == 200

    def prepare(self, sources: Sequence[object], shards: Sequence[Shard]) -> None:
        """Answer the calls of all sources on all shards, together, into the cache.

        In batch mode this submits what is missing and raises ``BatchPending`` until it is there.
        """
        prompts = [s for s in sources if isinstance(s, PromptSource)]
        for source in prompts:
            source.learn_examples(shards)
        if self.offline or not prompts:
            return
        self.ask(call for shard in shards for source in prompts for call in source.calls(shard))

    def ask(self, calls: Iterable[Call]) -> None:
        """Give every call its answer: from the cache, or bought."""
        misses = self._sort_out(calls)
        first = next(misses, None)
        if first is None:
            return
        rest = chain([first], misses)
        if self.offline:
            gone = Answer(Status.HTTP_ERROR, reason="not in the answer cache, and offline")
            for miss in rest:
                self.bought(miss)
                for take in miss.takers:
                    take(gone)
        elif self.batch:
            from .batch import Batches

            run(Batches(self).collect_or_submit(rest))
        else:
            run(self._buy(rest))

    def _sort_out(self, calls: Iterable[Call]) -> Iterator[Miss]:
        """Answer what the cache knows at once; equal requests under way wait together."""
        self._misses = {}
        for call in calls:
            key = call.request.key(self.base_url)
            body = self.cache.get(key)
            if body is not None:
                call.done(read_reply(body))
            elif key in self._misses:
                self._misses[key].takers.append(call.done)
            else:
                self._misses[key] = Miss(key, call.request, [call.done])
                yield self._misses[key]

    async def _buy(self, misses: Iterator[Miss]) -> None:
        async with self.client(self.pace.concurrency) as client:
            await Buyer(self, client).buy_all(misses)

    def client(self, connections: int, timeout: float | None = None) -> Client:
        """A client of the endpoint, for one event loop."""
        key = read_key(self.api_key_env, self.base_url)
        seconds = timeout or self.timeout
        return Client(self.base_url, key, timeout=seconds, connections=connections)

    def bought(self, miss: Miss) -> None:
        """A miss is settled: later calls find it in the cache, or ask again."""
        self._misses.pop(miss.key, None)

    def count(self, answered: bool) -> int:
        """Calls that failed since the start of the session if none ever worked, else 0."""
        self.reached = self.reached or answered
        self._failures += not answered
        return 0 if self.reached else self._failures

    def worst(self, request: Request, *, batch: bool = False) -> Use:
        """The most that a request can use; nothing where there is no limit to keep."""
        if not self.budget.limited:
            return Use()
        prompt, price = request.most_prompt_tokens, self.prices.price(request.model)
        nano = price.of(prompt, request.max_tokens, batch=batch) if price else 0
        return Use(prompt + request.max_tokens, nano)

    def dialect(self, model: str) -> Dialect:
        """What the endpoint is known to take for a model; kept in the cache between runs."""
        if model not in self._dialects:
            known = self.cache.recall(f"dialect {self.base_url} {model}")
            self._dialects[model] = Dialect(**json.loads(known)) if known else Dialect()
        return self._dialects[model]

    def learn(self, model: str, tried: Dialect, weaker: Dialect) -> None:
        """The endpoint rejected what was tried; another call may have learnt it already."""
        if self.dialect(model) == tried:
            self._dialects[model] = weaker
            self.cache.remember(f"dialect {self.base_url} {model}", json.dumps(asdict(weaker)))

    def judge(self, name: str, readings: Iterable[Reading]) -> None:
        """Count the statuses of a source; above ``fail_above`` its failures end the run."""
        readings = list(readings)
        counts = self.counts.setdefault(name, Counter())
        counts.update(reading.status for reading in readings)
        asked = counts.total() - counts[Status.OVER_BUDGET]
        bad = {s: n for s, n in counts.items() if not s.evidence and s is not Status.OVER_BUDGET}
        failed = sum(bad.values())
        if asked and failed / asked > self.fail_above:
            listed = ", ".join(f"{status} {n}" for status, n in sorted(bad.items()))
            reason = next((r.reason for r in readings if r.status in bad and r.reason), "")
            raise SourceError(
                f"source {name!r}: {failed} of {asked} LLM calls failed ({listed}), above "
                f"llm.fail_above {self.fail_above:g}; one said: {reason}"
            )

    def budget_line(self) -> str:
        """Where the budget stands, and how to go on."""
        spent = self.budget.spent
        parts = []
        if self.budget.tokens is not None:
            held = f" and {spent.held_tokens} held" if spent.held_tokens else ""
            parts.append(f"{spent.tokens} of {self.budget.tokens} tokens spent{held}")
        if self.budget.nano is not None:
            held = f" and {spent.held_nano / 1e9:.4f} held" if spent.held_nano else ""
            parts.append(
                f"{spent.nano / 1e9:.4f} of {self.budget.nano / 1e9:.4f} "
                f"{self.prices.currency} spent{held}"
            )
        return (
            f"llm.budget does not allow the next call: {'; '.join(parts)}; "
            "answers are kept, raise the limit and run again to go on"
        )

    def close(self) -> None:
        """Close the cache file."""
        self.cache.close()


def _budget(cache: Cache, account: str, limits: Mapping[str, float]) -> Budget:
    for key in limits:
        if key not in _BUDGET_KEYS:
            raise JobError(f"llm.budget: no limit {key!r}; {nearest(key, _BUDGET_KEYS)}")
    for key, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise JobError(f"llm.budget.{key}: {value!r} is no number from 0")
    tokens, cost = limits.get("tokens"), limits.get("cost")
    return Budget(
        cache,
        account,
        None if tokens is None else int(tokens),
        None if cost is None else int(round(cost * 1e9)),
    )


def _positive(name: str, value: float, *, zero: bool = False) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (value > 0 or (zero and value == 0)):
        raise JobError(
            f"llm.{name}: {value!r} is no {'number from 0' if zero else 'positive number'}"
        )
    return value


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise JobError(f"llm.{name}: {value!r}; {nearest(str(value), known)}")
    return value
