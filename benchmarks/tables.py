"""``python -m benchmarks tables``: results/*.json -> the tables in both README files.

No figure in either file is typed by hand. ``--check`` fails if they are not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weaklabel.atomic import write_text
from weaklabel.errors import InputError

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
START, END = "<!-- figures: {name} -->", "<!-- end of figures -->"

COMMANDS = {
    "votes-spans": "python -m benchmarks votes DATA/wrench/{conll03_16lf,conll03_50lf,ncbi,"
    "onto_gpt35,wnut17_systems} --json benchmarks/results/votes-spans.json",
    "votes-classes": "python -m benchmarks votes DATA/wrench/{youtube,trec,semeval,agnews,imdb,"
    "yelp,crowd_rte,crowd_bluebird} --json benchmarks/results/votes-classes.json",
    "conll2003": "python -m benchmarks conll2003 --data DATA/conll2003 --gazetteers "
    "DATA/gazetteers --json benchmarks/results/conll2003.json",
    "speed": "python -m benchmarks speed --data DATA --json benchmarks/results/speed.json",
    "llm": "python -m benchmarks llm --data DATA --json benchmarks/results/llm.json",
    "review": "python -m benchmarks review --data DATA --json benchmarks/results/review.json",
    "scale": "python -m benchmarks scale --data DATA --json benchmarks/results/scale.json",
}
TITLES = {
    "votes-spans": "Label models on span votes: entity F1",
    "votes-classes": "Label models on class votes: accuracy",
    "conll2003": "Raw CoNLL-2003 with rules and gazetteers",
    "speed": "Speed",
    "llm": "LLM prompts as sources",
    "review": "The review loop",
    "scale": "Scale",
}


def main(arguments: list[str]) -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks tables", description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    wanted = {HERE / "README.md": page(), README: in_readme(README.read_text("utf-8"))}
    stale = [path for path, text in wanted.items() if _read(path) != text]
    if options.check:
        for path in stale:
            print(f"benchmarks: {path.name} is not what the results say", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        write_text(path, wanted[path])
    return 0


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def results(name: str) -> list[dict[str, Any]]:
    """The rows of one benchmark's result file; none if it was not run."""
    path = HERE / "results" / f"{name}.json"
    if not path.exists():
        return []
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: no results of a benchmark ({error})") from None
    return rows


def page() -> str:
    """benchmarks/README.md."""
    parts = [
        "# Benchmarks\n\nMade by `python -m benchmarks tables` from `benchmarks/results/*.json`; "
        "do not edit. `DATA` is a folder of public data that you bring. Rows marked "
        "*(uses gold)* are references, not competitors. Times are from 2 cores.\n"
    ]
    for name, title in TITLES.items():
        rows = results(name)
        if rows:
            parts.append(f"## {title}\n\n```\n{COMMANDS[name]}\n```\n\n{table(name, rows)}\n")
    return "\n".join(parts)


def in_readme(text: str) -> str:
    """README.md with the tables between its marks made anew."""

    def fresh(match: re.Match[str]) -> str:
        name = match[1]
        if name not in TITLES:
            raise InputError(f"README.md: no benchmark {name!r} to take figures from")
        body = table(name, results(name))
        return f"{START.format(name=name)}\n`{COMMANDS[name]}`\n\n{body}\n{END}"

    pattern = re.escape(START).replace(re.escape("{name}"), r"([\w-]+)") + r".*?" + re.escape(END)
    return re.sub(pattern, fresh, text, flags=re.DOTALL)


def table(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The rows of a benchmark as Markdown: models by data sets, or one line a figure."""
    if name.startswith("votes"):
        extra = [] if name == "votes-spans" else [pivot(rows, "ece", "expected calibration error")]
        measure = "f1" if name == "votes-spans" else "accuracy"
        times = pivot(rows, "fit_s", "seconds to fit", percent=False)
        return "\n\n".join([pivot(rows, measure, measure), *extra, times])
    if name == "conll2003":
        columns = ["dataset", "model", "split", "precision", "recall", "f1"]
        return markdown(columns, [[_percent(row.get(c)) for c in columns] for row in rows])
    columns = ["figure", "value", "unit", "target", "met", "peer", "peer_value"]
    return markdown(columns, [[_plain(row.get(c)) for c in columns] for row in rows])


def pivot(rows: Sequence[dict[str, Any]], measure: str, title: str, *, percent: bool = True) -> str:
    """One line a model, one column a data set, and the mean over those."""
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    cells = {(row["model"], row["dataset"]): row for row in rows if row.get(measure) is not None}
    lines = []
    for model in models:
        found = [cells.get((model, dataset)) for dataset in datasets]
        if not any(found):
            continue
        name = f"{model} *(uses gold)*" if any(r and r.get("uses_gold") for r in found) else model
        values = [None if row is None else float(row[measure]) for row in found]
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if len(known) == len(datasets) else None
        lines.append([name, *(_percent(v) if percent else _plain(v) for v in [*values, mean])])
    return markdown([title, *datasets, "mean"], lines)


def markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [columns, ["---"] * len(columns), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _percent(value: Any) -> str:
    return f"{100 * value:.1f}" if isinstance(value, float) else _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
