"""The two forms an answer can have, quoted spans and a choice from a closed set: what to ask for,
and how to read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...corpus import Shard
from .align import align_quotes
from .confidence import BINS, Confidence, binned, label_probabilities
from .examples import Example
from .parse import is_refusal, label_places, read_choice, read_json, read_mentions
from .status import Answer, Reading, Status, Vote

_SURE = ', "confidence": how sure you are, from 0 to 1'

_LEAST_MASS = 0.1
"""A label below this probability is not worth a row of a soft vote."""


class Form(Protocol):
    """What a prompt asks for."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the answer."""
        ...

    @property
    def instructions(self) -> str:
        """The end of the system message: how to answer."""
        ...

    @property
    def least(self) -> int:
        """A lower bound of the tokens of an answer."""
        ...

    def solve(self, example: Example) -> str:
        """The answer to an example, as the model should write it."""
        ...

    def read(self, shard: Shard, document: int, answer: Answer) -> Reading:
        """The votes in an answer."""
        ...


def read_answer(form: Form, shard: Shard, document: int, answer: Answer) -> Reading:
    """The votes in whatever a call gave; nothing a model writes may raise here."""
    if answer.status is not Status.OK:
        return Reading(answer.status, reason=answer.reason)
    try:
        return form.read(shard, document, answer)
    except ValueError as error:
        status = Status.REFUSED if is_refusal(answer.text) else Status.UNPARSABLE
        return Reading(status, reason=str(error))


@dataclass(frozen=True)
class SpanForm:
    """Quotes with labels; offsets are found, never asked for."""

    labels: tuple[str, ...]
    confidence: Confidence = "none"
    least: int = 6

    @property
    def schema(self) -> Mapping[str, Any]:
        """Strict JSON schema within the subset that all vendors take."""
        properties: dict[str, Any] = {
            "quote": {"type": "string"},
            "label": {"type": "string", "enum": list(self.labels)},
            "occurrence": {"type": "integer"},
        }
        if self.confidence == "verbalised":
            properties["confidence"] = {"type": "number"}
        return _object({"entities": {"type": "array", "items": _object(properties)}})

    @property
    def instructions(self) -> str:
        """How to answer."""
        sure = (
            ', "confidence": how sure you are, from 0 to 1'
            if self.confidence == "verbalised"
            else ""
        )
        return (
            'Answer with JSON only: {"entities": [{"quote": "the exact words of the document", '
            f'"label": "one of {", ".join(self.labels)}", '
            f'"occurrence": 1 if it is the first time these words occur, 2 for the second...{sure}'
            "}]}. List every mention in the order of the document, repeated ones too. "
            'If there are none: {"entities": []}.'
        )

    def solve(self, example: Example) -> str:
        """The answer to an example, as the model should write it."""
        entities = []
        for start, end, label in example.spans:
            quote = example.text[start:end]
            number = _count_before(example.text, quote, start) + 1
            entities.append({"quote": quote, "label": label, "occurrence": number})
        return json.dumps({"entities": entities}, ensure_ascii=False)

    def read(self, shard: Shard, document: int, answer: Answer) -> Reading:
        """Votes in characters; what is not in the document or not a label is dropped, counted."""
        mentions = read_mentions(answer.text)
        if not mentions:
            return Reading(Status.ABSTAINED)
        known = {label.casefold(): i for i, label in enumerate(self.labels)}
        sure = [m.confidence for m in mentions]
        if self.confidence == "logprob":
            sure = _mention_logprobs(answer, self.labels, len(mentions))
        kept = [(m, s) for m, s in zip(mentions, sure, strict=True) if m.label.casefold() in known]
        counts = Counter({"label unknown": len(mentions) - len(kept)})
        if not kept:
            return Reading(Status.UNPARSABLE, reason="only labels outside the set", counts=+counts)
        found = align_quotes(
            shard.texts[document],
            [m.quote for m, _ in kept],
            [m.occurrence for m, _ in kept],
            _token_edges(shard, document),
        )
        votes = tuple(
            Vote(match.start, match.end, known[m.label.casefold()], (s or 1.0) * match.quality)
            for (m, s), match in zip(kept, found, strict=True)
            if match is not None
        )
        counts["quote not found"] = len(kept) - len(votes)
        counts["quote found inexactly"] = sum(m is not None and m.quality < 1 for m in found)
        status = Status.OK if votes else Status.UNALIGNED
        reason = "" if votes else "no quote occurs in the document"
        return Reading(status, votes, reason, +counts)


@dataclass(frozen=True)
class ChoiceForm:
    """One answer of a closed set, or several.

    labels: what may be voted. votes: answer -> label, None to abstain.
    """

    labels: tuple[str, ...]
    votes: Mapping[str, str | None]
    several: bool = False
    confidence: Confidence = "none"
    least: int = 5

    @property
    def schema(self) -> Mapping[str, Any]:
        """Strict JSON schema within the subset that all vendors take."""
        choice: dict[str, Any] = {"type": "string", "enum": list(self.votes)}
        properties: dict[str, Any] = {"answer": choice}
        if self.several:
            properties = {"answers": {"type": "array", "items": choice}}
        if self.confidence == "verbalised":
            properties["confidence"] = {"type": "number"}
        return _object(properties)

    @property
    def instructions(self) -> str:
        """How to answer."""
        names = ", ".join(json.dumps(answer, ensure_ascii=False) for answer in self.votes)
        sure = _SURE if self.confidence == "verbalised" else ""
        if self.several:
            return f'Answer with JSON only: {{"answers": [all that fit of {names}]{sure}}}.'
        return f'Answer with JSON only: {{"answer": one of {names}{sure}}}.'

    def solve(self, example: Example) -> str:
        """The answer to an example, as the model should write it."""
        if self.several:
            return json.dumps({"answers": list(example.labels)}, ensure_ascii=False)
        return json.dumps({"answer": (example.labels or ("",))[0]}, ensure_ascii=False)

    def read(self, shard: Shard, document: int, answer: Answer) -> Reading:
        """Votes on the whole document; with logprobs one soft vote."""
        chosen, sure = read_choice(answer.text, tuple(self.votes))
        if len(chosen) != 1 and not self.several:
            raise ValueError("several answers where one was asked for")
        shares = dict.fromkeys(chosen, sure or 1.0)
        if self.confidence == "logprob" and not self.several:
            shares = self._logprobs(answer) or shares
        votes = []
        for name, share in shares.items():
            label = self.votes[name]
            if label is not None:
                votes.append(Vote(0, 0, self.labels.index(label), share))
        merged = _merge(votes)
        return Reading(Status.OK if merged else Status.ABSTAINED, merged)

    def _logprobs(self, answer: Answer) -> dict[str, float] | None:
        places, closing = label_places(answer.text), '"'
        if not places:
            try:
                read_json(answer.text)
            except ValueError:
                places, closing = [len(answer.text) - len(answer.text.lstrip())], ""
        if not places or not answer.tokens:
            return None
        found = label_probabilities(answer.tokens, places[0], self.votes, closing)
        return {k: v for k, v in found.items() if v >= _LEAST_MASS} if found else None


def _merge(votes: Sequence[Vote]) -> tuple[Vote, ...]:
    """Answers that mean the same label add up."""
    shares: dict[int, float] = {}
    for vote in votes:
        shares[vote.label] = min(1.0, shares.get(vote.label, 0.0) + vote.confidence)
    return tuple(Vote(0, 0, label, share) for label, share in sorted(shares.items()))


def combine(readings: Sequence[Reading], *, bins: int = BINS, hard: bool = False) -> list[Vote]:
    """Several samples of one source as one soft vote: how often each thing was said, binned.

    readings: those that are evidence; an abstention counts as saying nothing. Spans that cross
    compete: the more frequent stays, then the longer, then the one further left. hard: a single
    sample that claims no confidence keeps its quality unbinned.
    """
    shares: dict[tuple[int, int, int], float] = {}
    for reading in readings:
        for vote in reading.votes:
            place = (vote.start, vote.end, vote.label)
            shares[place] = shares.get(place, 0.0) + vote.confidence / len(readings)
    votes = [
        Vote(*place, share if hard else binned(min(1.0, share), bins))
        for place, share in shares.items()
    ]
    votes.sort(key=lambda v: (-v.confidence, v.start - v.end, v.start, v.label))
    clear: list[Vote] = []
    for vote in votes:
        if len(readings) == 1 or all(_compatible(vote, other) for other in clear):
            clear.append(vote)
    return sorted(clear, key=lambda v: (v.start, v.end, v.label))


def _compatible(one: Vote, other: Vote) -> bool:
    same = (one.start, one.end) == (other.start, other.end)
    return same or one.end <= other.start or other.end <= one.start


def _mention_logprobs(answer: Answer, labels: Sequence[str], size: int) -> list[float | None]:
    places = label_places(answer.text)
    if len(places) != size or not answer.tokens:
        return [None] * size
    sure: list[float | None] = []
    for place in places:
        written = next((x for x in labels if answer.text.startswith(x + '"', place)), None)
        found = label_probabilities(answer.tokens, place, labels)
        sure.append(found[written] if found and written else None)
    return sure


def _token_edges(shard: Shard, document: int) -> tuple[set[int], set[int]]:
    low, high = shard.indptr[document], shard.indptr[document + 1]
    return set(shard.starts[low:high].tolist()), set(shard.ends[low:high].tolist())


def _count_before(text: str, quote: str, start: int) -> int:
    count, at = 0, text.find(quote)
    while 0 <= at < start:
        count, at = count + 1, text.find(quote, at + 1)
    return count


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": dict(properties),
    }
