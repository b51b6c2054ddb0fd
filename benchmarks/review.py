"""``python -m benchmarks review``: the review loop, the flags, the queue, the formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from weaklabel.errors import InputError

from . import review_errors, review_load, review_loop
from .results import Figure, print_table, write_json
from .round_trip import round_trip

PARTS = ("loop", "errors", "classes", "load", "formats")


def main(arguments: list[str]) -> int:
    """Measure every figure, or the parts that are named."""
    parser = argparse.ArgumentParser("python -m benchmarks review", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with wrench/, conll2003/")
    parser.add_argument("--quick", action="store_true", help="smaller, within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of: %(default)s")
    options = parser.parse_args(arguments)
    parts = options.parts.split(",")
    if options.data is None and {"loop", "errors", "classes"} & set(parts):
        raise InputError("review needs --data DIR for the parts loop, errors and classes")
    rows: list[Figure] = []
    for part in parts:
        rows += _measure(part, options.data, options.quick)
    print_table(rows, ("figure", "value", "unit", "target", "met", "peer", "peer_value"))
    write_json(options.json, rows)
    return 0


def _measure(part: str, data: Path, quick: bool) -> list[Figure]:
    if part == "loop":
        return review_loop.figures(data, quick)
    if part == "errors":
        return review_errors.conll_figures(data, quick)
    if part == "classes":
        return review_errors.class_figures(data, quick)
    if part == "load":
        return review_load.figures(quick)
    if part == "formats":
        return _formats()
    raise InputError(f"no part {part!r}; known: {', '.join(PARTS)}")


def _formats() -> list[Figure]:
    """Spans that come back in place, by format, on text with emoji, marks, CRLF and RTL."""
    from .round_trip import FORMATS

    rows = []
    for name in FORMATS:
        kept, total = round_trip(name)
        share = kept / total
        rows.append(Figure(f"format-round-trip-{name}", 100 * share, "%", 100.0, share == 1.0))
    return rows
