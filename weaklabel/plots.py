"""Plots of a report as inline SVG: text stays text, and takes the colour of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Axes = Any
"""matplotlib's axes; imported only when something is drawn."""

INK = "#010203"
"""Stands for the text colour of the page, which is light or dark."""

FILL = "#3b7dd8"


def draw(name: str, describe: str, paint: Callable[[Axes], None], height: float = 2.6) -> str:
    """An <svg> element. name: makes ids differ within a page. describe: for screen readers."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    } | dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color"), INK)
    with rc_context({**settings, "ytick.color": INK}):
        figure = Figure(figsize=(5.6, height), layout="constrained")
        paint(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()[out.getvalue().index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg)
    label = describe.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def line(name: str, values: Sequence[float], x: str, y: str) -> str:
    """A line over steps."""

    def paint(axes: Axes) -> None:
        axes.plot(range(1, len(values) + 1), values, color=FILL, marker="o", markersize=3)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.xaxis.get_major_locator().set_params(integer=True)

    return draw(name, f"{y} by {x}", paint)


def bars(name: str, values: Mapping[str, float], x: str) -> str:
    """Horizontal bars, one per name."""

    def paint(axes: Axes) -> None:
        places = range(len(values))
        axes.barh(places, list(values.values()), color=FILL)
        axes.set_yticks(places, [_plain(key) for key in values])
        axes.invert_yaxis()
        axes.set_xlabel(x)

    return draw(name, x, paint, height=0.9 + 0.22 * len(values))


def histogram(name: str, counts: Sequence[int], x: str, y: str) -> str:
    """Counts in equal-width bins over [0, 1]."""
    width = 1 / len(counts)

    def paint(axes: Axes) -> None:
        axes.bar([i * width for i in range(len(counts))], counts, width=width * 0.95, align="edge",
                 color=FILL)  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_xlabel(x)
        axes.set_ylabel(y)

    return draw(name, f"{y} by {x}", paint)


def reliability(name: str, bins: Sequence[Mapping[str, float]]) -> str:
    """How sure against how right; the diagonal is perfect calibration."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
        sizes = [10 + 90 * row["decisions"] / max(b["decisions"] for b in bins) for row in bins]
        axes.plot([r["confidence"] for r in bins], [r["right"] for r in bins], color=FILL)
        axes.scatter([r["confidence"] for r in bins], [r["right"] for r in bins], sizes, FILL)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share right")

    return draw(name, "Share of right labels by confidence", paint, height=3.4)


def _plain(text: str) -> str:
    """Names as they are: no mathematics between dollar signs; long ones cut."""
    return (text if len(text) <= 28 else text[:27] + "…").replace("$", r"\$")
