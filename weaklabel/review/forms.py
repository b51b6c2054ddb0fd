"""What a browser sends, checked: filters, numbers, decisions. Anything odd is a ``BadRequest``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .store import Filter, Item

if TYPE_CHECKING:
    from fastapi import Request

_QUEUES = ("open", "skipped", "second", "disputed")
_COMMENT = 2000


class BadRequest(Exception):
    """A request that the page would never send."""


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form, URL-encoded, UTF-8."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("forms are sent as application/x-www-form-urlencoded")
    body = await request.body()
    try:
        return parse_qs(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=500
        )
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("the form cannot be read") from None


def number_of(text: str) -> int:
    """A number of an item, as it stands in an address."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BadRequest("an item is named by its number")
    return int(text)


def filter_of(query: Mapping[str, str]) -> Filter:
    """The part of the queue that an address names."""
    values = {name: query.get(name, "")[:200] for name in ("task", "label", "source", "issue")}
    queue = query.get("queue", "open") or "open"
    if queue not in _QUEUES:
        raise BadRequest(f"no queue of that name; known: {', '.join(_QUEUES)}")
    return Filter(**values, queue=queue)


def decision_of(
    form: dict[str, list[str]], item: Item, payload: dict[str, Any], tasks: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The action of a form and what it says is true, in characters of the document."""
    if len(form.get("comment", [""])[0]) > _COMMENT:
        raise BadRequest(f"a comment has at most {_COMMENT} characters")
    action = form.get("action", [""])[0]
    task = tasks[item.task]
    if task["kind"] == "classes":
        return action, _classes(action, form, item, task)
    tokens = payload["tokens"]
    result = _spans(action, form, item, task, tokens)
    result["spans"] += [_span(text, task, tokens) for text in form.get("add", [])]
    if form.get("complete", [""])[0] == "1":
        result = _completed(result, item, payload)
    return action, result


def _classes(
    action: str, form: dict[str, list[str]], item: Item, task: dict[str, Any]
) -> dict[str, Any]:
    if action == "accept":
        chosen = item.detail["classes"]
    elif action == "suggestion":
        chosen = item.detail["guess_classes"]
    elif action == "reject":
        chosen = []
    elif action == "relabel":
        chosen = form.get("label", [])
    else:
        raise BadRequest("no such action")
    if any(label not in task["labels"] for label in chosen):
        raise BadRequest("no such label")
    if len(chosen) > 1 and not task["multi"]:
        raise BadRequest("a document of this task has one label")
    return {"classes": list(chosen)}


def _spans(
    action: str,
    form: dict[str, list[str]],
    item: Item,
    task: dict[str, Any],
    tokens: list[list[int]],
) -> dict[str, Any]:
    here = [item.start, item.end]
    guess = item.detail.get("guess")
    if action == "reject" or (action == "accept" and not item.label):
        return {"spans": [], "none": [here]}
    if action == "accept":
        span = [*here, item.label]
    elif action == "suggestion":
        if not guess:
            return {"spans": [], "none": [here]}
        span = list(guess)
    elif action in ("relabel", "adjust"):
        span = _span(
            ":".join(form.get(k, [""])[0] for k in ("start", "end", "label")), task, tokens
        )
    else:
        raise BadRequest("no such action")
    return {"spans": [span], "none": [] if span[:2] == here else [here]}


def _span(text: str, task: dict[str, Any], tokens: list[list[int]]) -> list[Any]:
    """ "first token:last token:label" in characters of the document."""
    first, _, rest = text.partition(":")
    last, _, label = rest.partition(":")
    low, high = number_of(first), number_of(last)
    if not low <= high < len(tokens):
        raise BadRequest("a span runs from a token of the document to the same or a later one")
    if label not in task["labels"]:
        raise BadRequest("no such label")
    return [tokens[low][0], tokens[high][1], label]


def _completed(result: dict[str, Any], item: Item, payload: dict[str, Any]) -> dict[str, Any]:
    """The reviewer vouches for the whole document: what else is labelled in it is right too."""
    touched = [*result["spans"], *([*place, ""] for place in result["none"])]
    for start, end, label, _ in payload["spans"].get(item.task, []):
        if not any(start < b and end > a for a, b, *_ in touched):
            result["spans"].append([start, end, label])
    return {**result, "complete": True}
