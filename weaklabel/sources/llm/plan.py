"""What a job's prompts would cost, before any is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...corpus import Shard
from .prompt import PromptSource
from .request import Request
from .session import Session

_BYTES_PER_TOKEN = (5.0, 2.5)
"""Few and many tokens for a text, where the model has not counted any yet. English has 4 to 5
bytes a token, other scripts fewer."""


@dataclass(frozen=True)
class Line:
    """One source: calls in all, those already in the cache, and the rest's tokens and cost.

    Low and high bounds; cost is None where the price of the model is unknown.
    """

    source: str
    model: str
    calls: int
    cached: int
    prompt_low: int
    prompt_high: int
    written_low: int
    written_high: int
    cost_low: float | None
    cost_high: float | None


@dataclass(frozen=True)
class Plan:
    """The plan of a job; ``lines()`` for the terminal."""

    rows: tuple[Line, ...]
    currency: str
    dated: str
    budget: str

    @property
    def calls(self) -> int:
        """Calls that would be made."""
        return sum(row.calls - row.cached for row in self.rows)

    def lines(self) -> list[str]:
        """One line a source, then what it sums up to, in plain text."""
        told = [_row(row, self.currency) for row in self.rows]
        unknown = sorted({row.model for row in self.rows if row.cost_low is None})
        if len(self.rows) > 1:
            low = sum(row.prompt_low + row.written_low for row in self.rows)
            high = sum(row.prompt_high + row.written_high for row in self.rows)
            told.append(f"all prompts: {self.calls:,} calls to make, {low:,} to {high:,} tokens")
        if unknown:
            told.append(f"cost unknown: no price for {', '.join(unknown)} in llm.prices")
        elif self.rows:
            low_cost = sum(row.cost_low or 0.0 for row in self.rows)
            high_cost = sum(row.cost_high or 0.0 for row in self.rows)
            told.append(
                f"cost: {low_cost:,.4f} to {high_cost:,.4f} {self.currency} "
                f"(prices of {self.dated})"
            )
        return [*told, self.budget] if self.budget and self.rows else told


def plan(sources: Iterable[object], shards: Sequence[Shard], session: Session) -> Plan:
    """Render every prompt, take away what the cache has, and count the rest. Nothing is sent."""
    rows = []
    for source in sources:
        if isinstance(source, PromptSource):
            source.bind(session)
            source.learn_examples(shards)
            rows.append(_line(source, shards, session))
    prices = session.prices
    budget = session.budget
    limits = []
    if budget.tokens is not None:
        limits.append(f"{max(0, budget.tokens - budget.spent.tokens):,} tokens")
    if budget.nano is not None:
        left = max(0, budget.nano - budget.spent.nano) / 1e9
        limits.append(f"{left:,.4f} {prices.currency}")
    left_over = f"budget left: {', '.join(limits)}" if limits else ""
    return Plan(tuple(rows), prices.currency, str(prices.date or ""), left_over)


def _line(source: PromptSource, shards: Sequence[Shard], session: Session) -> Line:
    calls = cached = size = written = 0
    seen: set[bytes] = set()
    for request in _requests(source, shards):
        key = request.key(session.base_url)
        calls += 1
        if key in seen or session.cache.get(key) is not None:
            cached += 1
            continue
        seen.add(key)
        size += request.size
        written += request.max_tokens
    few, many = _bytes_per_token(session)
    prompt_low, prompt_high = round(size / few), round(size / many)
    least = len(seen) * source.form.least
    price = session.prices.price(source.model)
    low = high = None
    if price is not None:
        low = price.of(prompt_low, least, batch=session.batch) / 1e9
        high = price.of(prompt_high, written, batch=session.batch) / 1e9
    return Line(
        source.name,
        source.model,
        calls,
        cached,
        prompt_low,
        prompt_high,
        least,
        written,
        low,
        high,
    )


def _requests(source: PromptSource, shards: Sequence[Shard]) -> Iterable[Request]:
    return (call.request for shard in shards for call in source.calls(shard))


def _bytes_per_token(session: Session) -> tuple[float, float]:
    """Within a tenth of what the model counted so far, where it has counted enough."""
    spent = session.budget.spent
    if spent.calls < 10 or not spent.prompt_tokens or not spent.prompt_bytes:
        return _BYTES_PER_TOKEN
    ratio = spent.prompt_bytes / spent.prompt_tokens
    return ratio * 1.1, ratio / 1.1


def _row(row: Line, currency: str) -> str:
    tokens = (
        f"{row.prompt_low:,} to {row.prompt_high:,} tokens in, "
        f"{row.written_low:,} to {row.written_high:,} out"
    )
    cost = "cost unknown"
    if row.cost_low is not None and row.cost_high is not None:
        cost = f"{row.cost_low:,.4f} to {row.cost_high:,.4f} {currency}"
    todo = row.calls - row.cached
    return (
        f"{row.source} ({row.model}): {row.calls:,} calls, {row.cached:,} cached, "
        f"{todo:,} to make: {tokens}, {cost}"
    )
