"""The flags of a run as one HTML file, for those without a server."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from ..atomic import write_text
from .pages import environment, item_view
from .queue import Reviewable, open_queue
from .store import Store

MOST = 500
"""Items in the file; who wants more wants the page."""


def write(
    run: Reviewable,
    path: Path | str,
    *,
    order: str = "gain",
    budget: int | None = None,
) -> int:
    """Write the first flags of a run's queue, up to 500; returns how many there are."""
    store = open_queue(run, order, budget)
    try:
        text, count = render(store, run.folder.name)
    finally:
        store.close()
    write_text(path, text)
    return count


def render(store: Store, title: str) -> tuple[str, int]:
    """The report as HTML with its style inside, and how many items it shows."""
    tasks: dict[str, Any] = store.fact("tasks", {})
    trust = store.fact("trust", {})
    views = [
        item_view(item, *store.document(item.document), tasks[item.task], trust)
        for item in store.first(MOST)
    ]
    style = (files(__package__) / "static" / "review.css").read_text(encoding="utf-8")
    values = {"title": title, "items": views, "style": style, "progress": store.progress()}
    html: str = environment().get_template("report.html").render(values)
    return html.encode("utf-8", "replace").decode(), len(views)
