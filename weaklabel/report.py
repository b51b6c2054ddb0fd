"""The report of a run: report.json, report.html (one file, nothing loaded from elsewhere)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import plots
from .analysis import Json, analyze
from .atomic import write_text
from .engine_local import Engine
from .run import Run, to_json

SHOWN = 60
"""Sources in a plot; the table has all of them."""


def write_report(run: Run, engine: Engine) -> Json:
    """Write report.json and report.html; gives the analysis, which the engine counts for."""
    analysis = analyze(run, engine)
    page = render(analysis)
    write_text(run.folder / "report.html", page)
    write_text(run.folder / "report.json", to_json(analysis))
    return analysis


def read_report(run: Run) -> Json:
    """The analysis that the last report was made from."""
    analysis: Json = json.loads((run.folder / "report.json").read_text(encoding="utf-8"))
    return analysis


def render(analysis: Json) -> str:
    """The page. Everything that comes from data or the job is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number, "count": count}
    drawn = {name: figures(i, task) for i, (name, task) in enumerate(analysis["tasks"].items())}
    return environment.get_template("report.html").render(
        title=", ".join(analysis["tasks"]), analysis=analysis, figures=drawn
    )


def figures(number: int, task: Json) -> list[tuple[str, Any]]:
    """(caption, SVG) of the plots that a task has data for."""
    from markupsafe import Markup

    rows = [row for row in task["sources"] if row["label"] is None][:SHOWN]
    seen = task["labels"]
    coverage = {row["source"]: float(row["votes"]) for row in rows}
    drawn = [
        ("How often each label was given", plots.bars(f"l{number}", seen["counts"], "labels")),
        ("How much each source says", plots.bars(f"v{number}", coverage, "votes")),
        (
            "How sure the labels are",
            plots.histogram(f"c{number}", seen["confidence_histogram"], "confidence", "labels"),
        ),
    ]
    objective = [value for value in task["fit"]["objective"] if value is not None]
    if len(objective) > 1:
        drawn.append(("The fit", plots.line(f"f{number}", objective, "iteration", "objective")))
    if task["scores"] and task["scores"].get("reliability"):
        caption = "How right they are where gold exists (dashed: perfect calibration)"
        drawn.append((caption, plots.reliability(f"r{number}", task["scores"]["reliability"])))
    # safe: drawn by matplotlib, which escapes the text in an SVG
    return [(caption, Markup(svg)) for caption, svg in drawn]


def percent(value: float | None) -> str:
    """A fraction of 1 with one decimal, in per cent."""
    return "–" if value is None else f"{100 * value:.1f}"


def number(value: float | None) -> str:
    """Two decimals."""
    return "–" if value is None else f"{value:.2f}"


def count(value: int | None) -> str:
    """Thousands parted by commas."""
    return "–" if value is None else f"{value:,}"
