"""The pages as HTML: Jinja templates with everything escaped, and the plain values they need."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from .agreement import agreement_of
from .sessions import Session
from .store import Filter, Item, Store
from .suspects import ISSUES

WINDOW = 300
"""Tokens shown on either side of an item; a document may be a book."""
COLOURS = 8
_TYPES = {
    "review.js": "text/javascript; charset=utf-8",
    "review.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Pages:
    """Renders every page of a store; ``static`` holds the files that pages load."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._templates = environment()
        folder = files(__package__) / "static"
        self.static = {n: ((folder / n).read_bytes(), kind) for n, kind in _TYPES.items()}
        self.tasks: dict[str, dict[str, Any]] = store.fact("tasks", {})
        self.sources: list[str] = store.fact("sources", [])

    def review(
        self, session: Session, wanted: Filter, item: Item | None, *, note: str, fragment: bool
    ) -> str:
        """The page of one item, or of an empty queue. fragment: only what changes."""
        labels = sorted({label for task in self.tasks.values() for label in task["labels"]})
        query = {name: value for name, value in asdict(wanted).items() if value and value != "open"}
        values = {
            "session": session,
            "wanted": wanted,
            "query": urlencode(query),
            "tasks": list(self.tasks),
            "labels": labels,
            "sources": self.sources,
            "issues": ISSUES,
            "progress": self.store.progress(),
            "note": note,
            "item": None if item is None else self._item(item, session.reviewer),
        }
        name = "item.html" if fragment else "review.html"
        return str(self._templates.get_template(name).render(values))

    def _item(self, item: Item, reviewer: str) -> dict[str, Any]:
        document, payload = self.store.document(item.document)
        task = self.tasks[item.task]
        said = self.store.decisions_on(item.id)
        mine = [d for d in said if d.reviewer == reviewer]
        return {
            **item_view(item, document, payload, task, self.store.fact("trust", {})),
            "said": said if mine or not said else [],
            "decided": bool(said),
            "by_others": any(d.reviewer != reviewer for d in said),
            "mine": mine[-1] if mine else None,
        }

    def name(self, session: Session) -> str:
        """The page that asks who reviews."""
        return str(self._templates.get_template("name.html").render({"session": session}))

    def message(self, text: str) -> str:
        """A page that says one thing."""
        return str(self._templates.get_template("message.html").render({"text": text}))

    def agreement(self, session: Session) -> str:
        """Who decided how much, how far reviewers agree, and where they do not."""
        rows = []
        for item in self.store.disputed():
            document, payload = self.store.document(item.document)
            quote = payload["text"][item.start : item.end] or payload["text"][:80]
            rows.append((item, document, quote, self.store.decisions_on(item.id)))
        values = {
            "session": session,
            "agreement": agreement_of(self.store.decisions()),
            "disputed": rows,
            "progress": self.store.progress(),
        }
        return str(self._templates.get_template("agreement.html").render(values))


def environment() -> Any:
    """The templates, everything escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("weaklabel.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def item_view(
    item: Item, document: str, payload: dict[str, Any], task: dict[str, Any], trust: dict[str, Any]
) -> dict[str, Any]:
    """What a template needs of one item."""
    detail, text, labels = item.detail, payload["text"], task["labels"]
    quality = trust.get(item.task, {})
    votes = [
        {
            "source": source,
            "label": label,
            "colour": colour_of(label, labels),
            "quote": text[start:end],
            "exact": (start, end) == (item.start, item.end),
            "trust": quality.get(source, {}).get(label),
            "confidence": confidence,
        }
        for source, label, start, end, confidence in detail["votes"]
    ]
    votes.sort(key=lambda vote: -(vote["trust"] or 0))
    guess = detail.get("guess")
    if guess == [item.start, item.end, item.label]:
        guess = None
    return {
        "id": item.id,
        "kind": task["kind"],
        "multi": task["multi"],
        "task": item.task,
        "document": document,
        "label": item.label,
        "colour": colour_of(item.label, labels),
        "issue": item.issue,
        "why": why(item, guess),
        "score": item.score,
        "detail": detail,
        "labels": [(name, colour_of(name, labels)) for name in labels],
        "quote": text[item.start : item.end],
        "guess": None
        if not guess
        else {
            "label": guess[2],
            "quote": text[guess[0] : guess[1]],
            "moved": guess[:2] != [item.start, item.end],
            "colour": colour_of(guess[2], labels),
        },
        "votes": votes,
        **pieces(item, payload, labels),
    }


def why(item: Item, guess: list[Any] | None) -> str:
    """Why an item is asked, in a sentence."""
    sure = f"{1 - item.detail['doubt']:.0%}"
    sentences = {
        "doubt": f"The label model is {sure} sure of what stands here.",
        "missed": "Nothing is labelled here; a model that has not seen that finds something.",
        "spurious": "A model that has not seen this label finds nothing here.",
        "wrong type": "A model that has not seen this label gives it another type.",
        "wrong boundary": "A model that has not seen this label draws its boundaries elsewhere.",
        "wrong class": "A model that has not seen this label reads the text as another class.",
        "near duplicate": "Another document says nearly the same.",
        "outlier": "No other document is like this one.",
        "unintelligible": "This hardly reads as text.",
    }
    more = " Its sources disagree." if item.detail["disagreement"] > 0.2 else ""
    return sentences[item.issue] + more


def colour_of(label: str, labels: list[str]) -> int:
    """The number of a label's colour; names always stand beside it, for colours repeat."""
    plain = label.removeprefix("!")
    return labels.index(plain) % COLOURS if plain in labels else COLOURS


def pieces(item: Item, payload: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    """The document as tokens and the white space between them, each with the span it lies in.

    One piece is (text, token number or -1, colour or -1, label if it ends a span, in the item).
    """
    text, tokens = payload["text"], payload["tokens"]
    spans = sorted(payload["spans"].get(item.task, []))
    low = next((i for i, (_, end) in enumerate(tokens) if end > item.start), 0)
    first = max(0, low - WINDOW)
    last = min(len(tokens), low + WINDOW + 1)
    result = []
    position = tokens[first][0] if first else 0
    stop = tokens[last][0] if last < len(tokens) else len(text)
    at = 0
    for number in range(first, last):
        start, end = tokens[number]
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        inside = spans[at] if at < len(spans) and spans[at][0] < end else None
        colour = colour_of(inside[2], labels) if inside else -1
        if position < start:
            joined = inside is not None and inside[0] < start
            result.append((text[position:start], -1, colour if joined else -1, "", False))
        name = inside[2] if inside and inside[1] <= end else ""
        focus = item.start < end and item.end > start
        result.append((text[start:end], number, colour, name, focus))
        position = end
    result.append((text[position:stop], -1, -1, "", False))
    inside_item = [i for i in range(first, last) if result and _inside(tokens[i], item)]
    return {
        "pieces": result,
        "cut_before": first > 0,
        "cut_after": last < len(tokens),
        "first": inside_item[0] if inside_item else low,
        "last": inside_item[-1] if inside_item else low,
    }


def _inside(token: list[int], item: Item) -> bool:
    return item.start < token[1] and item.end > token[0]
