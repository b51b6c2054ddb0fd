"""What became of one call, and what was read from one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """The end of one call for one document, source and sample.

    Only ``OK`` and ``ABSTAINED`` are evidence. After any other the source is missing on the
    document, which is neither a vote nor silence.
    """

    OK = "ok"
    ABSTAINED = "abstained"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"
    UNALIGNED = "unaligned"
    HTTP_ERROR = "http_error"
    OVER_BUDGET = "over_budget"

    @property
    def evidence(self) -> bool:
        """Whether the label model may learn from it."""
        return self in (Status.OK, Status.ABSTAINED)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer: its text, and the likeliest texts there with their log
    probabilities, its own among them."""

    text: str
    choices: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: text to be read if ``status`` is OK, else why there is none."""

    status: Status
    text: str = ""
    reason: str = ""
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote of one sample: characters (0, 0 for classes), index of the label, confidence."""

    start: int
    end: int
    label: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer read against one document; ``counts`` tells what was dropped on the way."""

    status: Status
    votes: tuple[Vote, ...] = ()
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
