"""What the terminal shows: progress, what a run did, where the time went."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .context import Outcome, Step, Watch
from .metrics import Metrics
from .run import Run

EVERY_SECONDS = 60.0
"""How often progress is a line, where there is no terminal to draw it on."""


@contextmanager
def watching() -> Iterator[Watch]:
    """Progress on stderr: bars on a terminal, elsewhere a line now and then; yields who is told."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(progress)


class _Bars:
    """A bar a stage. Reading does not know its end, but is over when the next stage begins."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bars: dict[str, TaskID] = {}

    def __call__(self, step: Step) -> None:
        if step.stage not in self.bars:
            for bar in self.progress.tasks:
                if bar.total is None:
                    self.progress.update(bar.id, total=bar.completed)
            self.bars[step.stage] = self.progress.add_task(step.stage, total=step.total)
        self.progress.update(self.bars[step.stage], completed=step.done, total=step.total)


class _Lines:
    """What is done and left of the present stage, a line a minute; short runs are silent."""

    def __init__(self) -> None:
        self.stage, self.began, self.said = "", 0.0, time.monotonic()

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if step.stage != self.stage:
            self.stage, self.began = step.stage, now
        if now - self.said >= EVERY_SECONDS:
            self.said = now
            sys.stderr.write(progress_line(step, now - self.began) + "\n")


def progress_line(step: Step, seconds: float) -> str:
    """How far a stage is after so many seconds, and how long the rest will take."""
    if step.total is None:
        return f"{step.stage}: {step.done} shards"
    line = f"{step.stage}: {step.done} of {step.total}"
    if not step.done:
        return line
    left = timedelta(seconds=round(seconds * (step.total - step.done) / step.done))
    return f"{line}, about {left} left"


def print_outcome(outcome: Outcome) -> None:
    """What a run did and where its files are."""
    run, console = outcome.run, Console()
    documents = sum(shard["documents"] for shard in run.manifest["shards"])
    if outcome.unchanged:
        console.print(f"nothing to do: {run.folder} is up to date ({documents} documents)")
    for name, facts in run.manifest["tasks"].items():
        for warning in facts["warnings"]:
            console.print(Text.assemble(("warning: ", "yellow"), f"{name}: {warning}"))
    for line in outcome.given_up:
        console.print(Text.assemble(("given up: ", "yellow"), line))
    for name, task in outcome.analysis["tasks"].items():
        console.print(Text(_summary(name, task)))
    console.print(f"labels and report of {documents} documents: {run.folder}")


def _summary(name: str, task: dict[str, Any]) -> str:
    """One line: how many labels, and how good where gold exists."""
    seen, scores = task["labels"], task["scores"] or {}
    labelled = sum(seen["counts"].values())
    told = f"{name}: {labelled:,} labels, votes on {seen['documents_with_votes']:,} documents"
    wanted = ("accuracy", "macro_f1") if "accuracy" in scores else ("f1", "precision", "recall")
    measures = [measure for measure in wanted if measure in scores]
    listed = [f"{m.replace('_', ' ')} {100 * scores[m]:.1f}" for m in measures]
    return told + (f"; against gold: {', '.join(listed)}" if listed else "")


COLUMNS = {
    "votes": "votes",
    "coverage": "cover",
    "overlaps": "overl.",
    "conflicts": "confl.",
    "estimated_precision": "est. P",
    "estimated_recall": "est. R",
    "weight": "weight",
    "group": "group",
    "precision": "P",
    "recall": "R",
    "f1": "F1",
}
"""Keys of a source's row, and the heads of their columns; shares are in per cent."""


def print_analysis(analysis: dict[str, Any]) -> None:
    """A table of sources per task, and one line of scores."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for name, task in analysis["tasks"].items():
        shown = [key for key in COLUMNS if any(row[key] is not None for row in task["sources"])]
        table = Table(box=None, pad_edge=False)
        for title in ("source", "label"):
            table.add_column(title, no_wrap=True)
        for key in shown:
            table.add_column(COLUMNS[key], justify="right", no_wrap=True)
        for row in task["sources"]:
            names = [row["source"], ""] if row["label"] is None else ["", row["label"]]
            table.add_row(*map(Text, names), *(_cell(key, row[key]) for key in shown))
        console.print(table)
        console.print(Text(_summary(name, task)))


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return ""
    if key in ("votes", "group"):
        return f"{value:,}"
    return f"{value:.2f}" if key == "weight" else f"{100 * value:.1f}"


PROFILE_ROWS = 30
"""Rows of a profile; the cheaper ones are summed up in one."""


def print_profile(run: Run) -> None:
    """Seconds per stage and source, dearest first, of all that metrics.jsonl knows."""
    rows = Metrics(run.folder / "metrics.jsonl").read()
    seconds: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if "seconds" in row:
            key = (row["stage"], row.get("source", row.get("task", "")))
            counts = (row["seconds"], row.get("documents", 0), row.get("votes", 0))
            before = seconds.get(key, [0.0, 0, 0])
            seconds[key] = [a + b for a, b in zip(before, counts, strict=True)]
    table = Table("stage", "source or task", box=None, pad_edge=False)
    for title in ("seconds", "share", "documents/s", "votes/s"):
        table.add_column(title, justify="right")
    total = sum(row[0] for row in seconds.values())
    dearest = sorted(seconds.items(), key=lambda item: -item[1][0])
    for (stage, name), (took, documents, votes) in dearest[:PROFILE_ROWS]:
        rates = [f"{n / took:,.0f}" if n and took else "" for n in (documents, votes)]
        table.add_row(stage, Text(name), f"{took:.2f}", _share(took, total), *rates)
    if rest := dearest[PROFILE_ROWS:]:
        took = sum(row[0] for _, row in rest)
        table.add_row("", f"{len(rest)} cheaper ones", f"{took:.2f}", _share(took, total), "", "")
    console = Console()
    console.print(table)
    console.print(f"{total:.2f} s of all processes together, in all runs in this folder")
    if retries := sum(row["stage"] == "retry" for row in rows):
        console.print(f"{retries} retries; metrics.jsonl has their reasons")


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
