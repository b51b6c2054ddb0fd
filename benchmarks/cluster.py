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
SOURCES = 71


@dataclass(frozen=True)
class Measured:
    """What the scale benchmark found. rate: tokens a second of two cores. rest: s on the driver."""

    rate: float
    tokens: float
    documents: float
    ray: float
    fit: float
    rest: float
    power: float

    @classmethod
    def of(cls, figures: dict[str, float]) -> Measured:
        """From the figures by name."""
        prefix = "raw_text_to_labels"
        driver = {s: figures[f"{prefix}_{s}_on_the_driver"] for s in ("fit", "export", "report")}
        fits = sorted(
            (int(match[1]), value)
            for name, value in figures.items()
            if (match := re.fullmatch(r"span_fit_(\d+)_tokens", name))
        )
        (low, first), (high, last) = fits[0], fits[-1]
        return cls(
            figures[prefix],
            figures[f"{prefix}_size"],
            figures[f"{prefix}_documents"],
            max(figures["ray2_seconds_over_local2"], 1.0),
            driver["fit"],
            driver["export"] + driver["report"],
            math.log(last / first) / math.log(high / low),
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
    seconds = measured.tokens / measured.rate
    spread = seconds - measured.fit - measured.rest
    factor = DOCUMENTS / measured.documents
    workers = NODES * CORES
    shards = DOCUMENTS // SHARD_DOCUMENTS
    rows = [
        ("tokens in all", f"{measured.tokens * factor:.3g}"),
        (
            "reading, votes, prediction, spread over the cluster",
            _time(spread * 2 / workers * factor * measured.ray),
        ),
        (
            f"fit on the driver, grown as measured (tokens to the power {measured.power:.2f})",
            _time(measured.fit * factor**measured.power),
        ),
        ("export and report, on the driver alone", _time(measured.rest * factor)),
        ("vote files", f"{shards * SOURCES:,}"),
    ]
    return markdown(["of one billion documents", "estimate"], rows)


def _time(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
