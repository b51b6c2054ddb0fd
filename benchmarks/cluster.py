"""``python -m benchmarks cluster``: results/scale.json -> the arithmetic in docs/scale.md."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass
from pathlib import Path

from weaklabel.atomic import write_text
from weaklabel.errors import InputError

from .tables import END, START, markdown, results

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
MARK = START.format(name="cluster")

DOCUMENTS = 1_000_000_000
NODES = 64
CORES = 16
SHARD_DOCUMENTS = 20_000


@dataclass(frozen=True)
class Measured:
    """What the scale benchmark found, in seconds; power: how the driver's part of a fit grows."""

    tokens: float
    documents: float
    workers: float
    ray: float
    read: float
    fit: float
    power: float
    joined: float
    report: float

    @classmethod
    def of(cls, figures: dict[str, float]) -> Measured:
        """From the figures by name."""
        prefix = "raw_text_to_labels"
        fits = sorted(
            (int(match[1]), value)
            for name, value in figures.items()
            if (match := re.fullmatch(r"span_fit_(\d+)_tokens", name))
        )
        (low, first), (high, last) = fits[0], fits[-1]
        return cls(
            figures[f"{prefix}_size"],
            figures[f"{prefix}_documents"],
            figures[f"{prefix}_by_the_workers"],
            max(figures["ray2_seconds_over_local2"], 1.0),
            figures[f"{prefix}_read_by_the_driver"],
            figures[f"{prefix}_fit_by_the_driver"],
            math.log(last / first) / math.log(high / low),
            figures[f"{prefix}_joined_by_the_driver"],
            figures[f"{prefix}_report_by_the_driver"],
        )


def main(arguments: list[str]) -> int:
    """Write the table into the page."""
    argparse.ArgumentParser(prog="python -m benchmarks cluster", description=__doc__).parse_args(
        arguments
    )
    figures = {row["figure"]: float(row["value"]) for row in results("scale")}
    try:
        measured = Measured.of(figures)
    except (KeyError, IndexError) as error:
        raise InputError(
            f"results/scale.json: no figure {error}; run 'python -m benchmarks scale' in full first"
        ) from None
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(MARK)
    after = rest.partition(END)[2]
    write_text(PAGE, f"{before}{MARK}\n{arithmetic(measured)}\n{END}{after}")
    return 0


def arithmetic(measured: Measured) -> str:
    """The table: one billion documents on the cluster."""
    factor = DOCUMENTS / measured.documents
    grown = f"grown as measured (tokens to the power {measured.power:.2f})"
    rows = [
        ("tokens in all", f"{measured.tokens * factor:.3g}"),
        (
            "tokens, votes, counts, prediction, spread over the cluster",
            _time(measured.workers / (NODES * CORES) * factor * measured.ray),
        ),
        ("reading the input, on the driver alone", _time(measured.read * factor)),
        (f"the fit without its walks, on the driver alone, {grown}", _fit(measured, factor)),
        ("joining one export file, on the driver alone", _time(measured.joined * factor)),
        ("report, on the driver alone, at most", _time(measured.report * factor)),
        ("files of shards, votes, labels", f"{3 * DOCUMENTS // SHARD_DOCUMENTS:,}"),
    ]
    return markdown(["of one billion documents", "estimate"], rows)


def _fit(measured: Measured, factor: float) -> str:
    return _time(measured.fit * factor**measured.power)


def _time(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
