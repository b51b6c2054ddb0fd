"""What the terminal shows: progress, what a run did, where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .context import Outcome, Step, Watch
from .metrics import Metrics
from .run import Run


@contextmanager
def watching() -> Iterator[Watch]:
    """A progress display on stderr, if that is a terminal; yields what is told of each step."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bars = {}

        def watch(step: Step) -> None:
            if step.stage not in bars:
                bars[step.stage] = progress.add_task(step.stage, total=step.total)
            progress.update(bars[step.stage], completed=step.done, total=step.total)

        yield watch


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


def print_profile(run: Run) -> None:
    """Seconds per stage and source, dearest first, of all that metrics.jsonl knows."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for row in Metrics(run.folder / "metrics.jsonl").read():
        key = (row["stage"], row.get("source", row.get("task", "")))
        total = seconds.setdefault(key, [0.0, 0, 0])
        total[0] += row["seconds"]
        total[1] += row.get("documents", 0)
        total[2] += row.get("votes", 0)
    table = Table("stage", "source or task", "seconds", "documents/s", "votes/s")
    for (stage, name), (time, documents, votes) in sorted(seconds.items(), key=lambda r: -r[1][0]):
        rates = [f"{n / time:,.0f}" if n and time else "" for n in (documents, votes)]
        table.add_row(stage, name, f"{time:.2f}", *rates)
    Console().print(table)
