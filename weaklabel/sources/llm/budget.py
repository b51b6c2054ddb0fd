"""What may be spent and what was: worst cases are held before a call and settled after it.

The price table is the user's own file, dated, for prices change::

    date: 2026-11-01
    currency: USD
    models:
      some-model: {input: 0.25, output: 2.00, batch: 0.5}

Prices are per million tokens; ``batch`` is what a batch call costs of that (1 if left out).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import JobError, nearest
from .cache import Cache


@dataclass(frozen=True)
class Use:
    """What a call takes: tokens in both directions, and money in billionths of the currency."""

    tokens: int = 0
    nano: int = 0


@dataclass(frozen=True)
class Price:
    """Money per million tokens; ``batch``: the share of it that a batch call costs."""

    input: float
    output: float
    batch: float = 1.0

    def of(self, prompt: int, written: int, *, batch: bool = False) -> int:
        """Billionths of the currency, rounded up."""
        share = self.batch if batch else 1.0
        return math.ceil((prompt * self.input + written * self.output) * 1000 * share)


@dataclass(frozen=True)
class Prices:
    """A price table; a model that is not in it has an unknown price, which is not zero."""

    models: Mapping[str, Price] = field(default_factory=dict)
    currency: str = ""
    date: datetime.date | None = None
    path: str = ""

    @classmethod
    def load(cls, path: Path | str) -> Prices:
        """Read a price table; a typo is one line that names the key."""
        import yaml

        try:
            table = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise JobError(f"llm.prices: {path}: {error.strerror or error}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            raise JobError(f"llm.prices: {path}{where}: no YAML") from None
        _check_keys(path, "", table, ("date", "currency", "models"), ("date", "currency", "models"))
        date = table["date"]
        if not isinstance(date, datetime.date):
            raise JobError(f"llm.prices: {path}: date: {date!r} is no date such as 2026-11-01")
        if not isinstance(table["currency"], str):
            raise JobError(f"llm.prices: {path}: currency: {table['currency']!r} is no code")
        if not isinstance(table["models"], dict):
            raise JobError(f"llm.prices: {path}: models: expected model names with prices")
        models = {str(name): _price(path, str(name), row) for name, row in table["models"].items()}
        return cls(models, table["currency"], date, str(path))

    def price(self, model: str) -> Price | None:
        """The price of a model, None if unknown."""
        return self.models.get(model)


def _price(path: Path | str, name: str, row: Any) -> Price:
    _check_keys(path, f"models.{name}", row, ("input", "output", "batch"), ("input", "output"))
    for key, value in row.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise JobError(
                f"llm.prices: {path}: models.{name}.{key}: {value!r} is no price per million tokens"
            )
    return Price(**row)


def _check_keys(
    path: Path | str, where: str, table: Any, known: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    place = f"{path}: {where}: " if where else f"{path}: "
    if not isinstance(table, dict):
        raise JobError(f"llm.prices: {place}expected the keys {', '.join(known)}")
    for key in table:
        if key not in known:
            raise JobError(f"llm.prices: {place}no key {key!r}; {nearest(str(key), known)}")
    for key in needed:
        if key not in table:
            raise JobError(f"llm.prices: {place}the key {key!r} is missing")


@dataclass(frozen=True)
class Spent:
    """A ledger: settled calls, and what is held for calls whose end is not known."""

    calls: int = 0
    prompt_tokens: int = 0
    written_tokens: int = 0
    prompt_bytes: int = 0
    nano: int = 0
    held_tokens: int = 0
    held_nano: int = 0

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.prompt_tokens + self.written_tokens


class Budget:
    """A hard limit on what one account of a cache file may spend, over all its runs.

    tokens, nano: the limits, None for none. A hold that would pass a limit is not granted, and
    what the process held when it was killed stays held, for it may have been charged: so the
    limit is kept across crashes too.
    """

    def __init__(
        self, cache: Cache, account: str, tokens: int | None = None, nano: int | None = None
    ) -> None:
        self.cache = cache
        self.account = account
        self.tokens = tokens
        self.nano = nano

    @property
    def limited(self) -> bool:
        """Whether there is any limit; without one nothing is held."""
        return self.tokens is not None or self.nano is not None

    def hold(self, worst: Use) -> bool:
        """Set the worst case aside; False: the limit does not allow it."""
        if not self.limited:
            return True
        with self.cache.transaction():
            return self.hold_within(worst)

    def hold_within(self, worst: Use) -> bool:
        """``hold`` inside a transaction that is open already."""
        if not self.limited:
            return True
        db = self.cache.db
        db.execute("insert or ignore into ledgers(account) values (?)", (self.account,))
        done = db.execute(
            "update ledgers set held_tokens = held_tokens + :t, held_nano = held_nano + :n "
            "where account = :a and (:most_t is null or "
            "prompt_tokens + written_tokens + held_tokens + :t <= :most_t) "
            "and (:most_n is null or nano + held_nano + :n <= :most_n)",
            {"t": worst.tokens, "n": worst.nano, "a": self.account}
            | {"most_t": self.tokens, "most_n": self.nano},
        )
        return done.rowcount == 1

    def settle(self, worst: Use, prompt: int, written: int, nano: int, size: int) -> None:
        """Put what was really used in the place of a hold; within the answer's transaction."""
        self.cache.db.execute("insert or ignore into ledgers(account) values (?)", (self.account,))
        self.cache.db.execute(
            "update ledgers set calls = calls + 1, prompt_tokens = prompt_tokens + ?, "
            "written_tokens = written_tokens + ?, prompt_bytes = prompt_bytes + ?, "
            "nano = nano + ?, held_tokens = held_tokens - ?, held_nano = held_nano - ? "
            "where account = ?",
            (prompt, written, size, nano, worst.tokens, worst.nano, self.account),
        )

    def release(self, worst: Use) -> None:
        """Give a hold back: the server charged nothing."""
        if self.limited:
            with self.cache.transaction():
                self.release_within(worst)

    def release_within(self, worst: Use) -> None:
        """``release`` inside a transaction that is open already."""
        self.cache.db.execute(
            "update ledgers set held_tokens = held_tokens - ?, held_nano = held_nano - ? "
            "where account = ?",
            (worst.tokens, worst.nano, self.account),
        )

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        row = self.cache.db.execute(
            "select calls, prompt_tokens, written_tokens, prompt_bytes, nano, held_tokens, "
            "held_nano from ledgers where account = ?",
            (self.account,),
        ).fetchone()
        return Spent(*row) if row else Spent()
