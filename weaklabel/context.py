"""What every arrow of a run needs: the job, the run folder, who listens to progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .engine_local import ATTEMPTS, Fault
from .keys import Stamps
from .metrics import Metrics
from .prepare import Prepared
from .run import Run
from .stages import Metric, Work


@dataclass(frozen=True)
class Step:
    """Progress: which stage, how much of it is done, and of how much (None: not known yet)."""

    stage: str
    done: int
    total: int | None


Watch = Callable[[Step], None]


@dataclass
class Outcome:
    """What a run did. made: what was made anew, by stage; nothing if nothing had changed.

    analysis: what the report says.
    """

    run: Run
    made: dict[str, int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    analysis: dict[str, Any] = field(default_factory=dict)

    @property
    def unchanged(self) -> bool:
        """Whether everything was there already."""
        return not self.made


@dataclass(frozen=True)
class Context:
    """One run: prepared job, what workers get, limit on documents, offline or not, who watches."""

    prepared: Prepared
    work: Work
    outcome: Outcome
    watch: Watch
    limit: int | None = None
    offline: bool = False

    @property
    def run(self) -> Run:
        """The run folder."""
        return self.outcome.run

    @cached_property
    def stamps(self) -> Stamps:
        """Notes of what is finished."""
        return Stamps(self.run.folder)

    @cached_property
    def metrics(self) -> Metrics:
        """Where timings go."""
        return Metrics(self.run.folder / "metrics.jsonl")

    def fault(self, fault: Fault) -> None:
        """Note a failed attempt in the metrics, with the shard it was about."""
        item = fault.item
        shard = item[0] if isinstance(item, tuple) else getattr(item, "index", item)
        stage = "retry" if fault.attempt < ATTEMPTS else "given up"
        row = {"stage": stage, "shard": shard, "attempt": fault.attempt, "reason": fault.reason}
        self.metrics.write([row])

    def made(self, stage: str, metrics: Iterable[Metric] = (), count: int | None = None) -> None:
        """Note that something was made anew; nothing if there are no metrics of it."""
        rows = list(metrics)
        self.metrics.write(rows)
        number = len(rows) if count is None else count
        if number:
            self.outcome.made[stage] = self.outcome.made.get(stage, 0) + number
