"""What a server said other than an answer, and what to do about it: one table of judgement."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum

from .reply import completion, one_line


@dataclass(frozen=True)
class Reply:
    """What came back on the wire. code 0: nothing did, and ``problem`` says why.

    sent: whether the server may have done (and charge for) the work although no answer came.
    """

    code: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    sent: bool = False


class Verdict(Enum):
    """What to do next."""

    ANSWERED = "answered"
    AGAIN = "again"
    WAIT = "wait"
    UNFIT = "unfit"
    REFUSED = "refused"
    FAILED = "failed"
    FATAL = "fatal"


_AGAIN = (408, 409, 425)
_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "credit_balance_exhausted")


def judge(reply: Reply) -> Verdict:
    """The verdict on a reply to a chat completion.

    Retried are what openai-python retries (408, 409, 429, 5xx), lost connections and bodies cut
    short; ``x-should-retry`` overrules. A quota that is used up is no rate limit.
    """
    if reply.code == 0:
        return Verdict.AGAIN if reply.sent else Verdict.WAIT
    if reply.code == 200:
        return _judge_body(reply)
    if reply.code == 402 or (reply.code == 429 and set(_codes(reply)) & set(_QUOTA)):
        return Verdict.FATAL
    if reply.headers.get("x-should-retry") == "false" and reply.code not in (401, 403, 404):
        return Verdict.FAILED
    if reply.code == 500 and b"validation error" in reply.body[:4000]:
        return Verdict.UNFIT  # llama-cpp-python says so what others say with 422
    if reply.code == 429 or (reply.code == 503 and retry_after(reply.headers) is not None):
        return Verdict.WAIT
    if reply.code in _AGAIN or reply.code >= 500 or reply.headers.get("x-should-retry") == "true":
        return Verdict.AGAIN
    if reply.code in (400, 422):
        return Verdict.REFUSED if "content_filter" in _codes(reply) else Verdict.UNFIT
    if reply.code in (401, 403, 404, 405) or 300 <= reply.code < 400:
        return Verdict.FATAL
    return Verdict.FAILED


def _judge_body(reply: Reply) -> Verdict:
    if completion(reply.body) is not None:
        return Verdict.ANSWERED
    # A page of HTML will be one for every call; JSON cut short is a bad moment of the server.
    return Verdict.FATAL if reply.body.lstrip()[:1] == b"<" else Verdict.AGAIN


def complaint(reply: Reply) -> str:
    """What the server said was wrong, on one line."""
    if reply.problem:
        return one_line(reply.problem)
    error = _error(reply)
    said = error.get("message") or (reply.body[:300].decode("utf-8", "replace"))
    return one_line(f"HTTP {reply.code}: {said}" if said else f"HTTP {reply.code}")


def parameters(reply: Reply) -> str:
    """All words of a 400 that may name the parameter it is about."""
    return reply.body[:4000].decode("utf-8", "replace")


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the server asks to wait: ``retry-after-ms``, seconds, or an HTTP date.

    now: Unix time, for the date. None: it does not say, or nothing that can be understood.
    """
    milliseconds, given = headers.get("retry-after-ms"), headers.get("retry-after")
    for value, unit in ((milliseconds, 1000.0), (given, 1.0)):
        try:
            seconds = float(value) / unit if value is not None else -1.0
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(given or "")
    except (ValueError, TypeError, OverflowError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - (time.time() if now is None else now))


def _error(reply: Reply) -> dict[str, object]:
    try:
        error = json.loads(reply.body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {"message": error}


def _codes(reply: Reply) -> list[str]:
    error = _error(reply)
    return [str(error.get("code")), str(error.get("type"))]
