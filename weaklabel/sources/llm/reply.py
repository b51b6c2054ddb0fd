"""The raw body of a chat completion -> an answer. Bodies are other people's data: nothing in one
may raise."""

from __future__ import annotations

import json
from typing import Any

from .status import Answer, Status, Token


def completion(body: bytes) -> dict[str, Any] | None:
    """The first choice, if the body is a chat completion at all, else None."""
    try:
        choice = json.loads(body)["choices"][0]
        return choice if isinstance(choice["message"], dict) else None
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None


def usage(body: bytes) -> tuple[int, int] | None:
    """Prompt and completion tokens that the server counted, if it says."""
    try:
        counts = json.loads(body)["usage"]
        prompt, written = int(counts["prompt_tokens"]), int(counts["completion_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return (prompt, written) if prompt >= 0 and written >= 0 else None


def read_reply(body: bytes) -> Answer:
    """The answer in a completion: refusals and cut answers are told apart before any parsing."""
    choice = completion(body)
    if choice is None:
        return Answer(Status.UNPARSABLE, reason="no chat completion")
    message, finish = choice["message"], choice.get("finish_reason")
    refusal = message.get("refusal")
    if refusal or finish == "content_filter":
        return Answer(Status.REFUSED, reason=one_line(refusal or "content filter"))
    text = _content(message.get("content"))
    if finish == "length":
        return Answer(Status.TRUNCATED, text, "answer reached max_tokens")
    if not text.strip():
        return Answer(Status.UNPARSABLE, text, "empty answer")
    return Answer(Status.OK, text, tokens=_tokens(choice.get("logprobs")))


def one_line(text: object, limit: int = 200) -> str:
    """Foreign text for an error message: printable, on one line, not long."""
    plain = "".join(c if c.isprintable() else " " for c in str(text)[: 4 * limit])
    words = " ".join(plain.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _content(content: object) -> str:
    """Some servers give a list of parts instead of a string."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _tokens(logprobs: object) -> tuple[Token, ...]:
    try:
        return tuple(_token(entry) for entry in logprobs["content"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return ()


def _token(entry: dict[str, Any]) -> Token:
    own = (str(entry["token"]), float(entry["logprob"]))
    top = [(str(t["token"]), float(t["logprob"])) for t in entry.get("top_logprobs") or ()]
    return Token(own[0], tuple(top) if own[0] in dict(top) else (own, *top))
