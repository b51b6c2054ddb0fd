"""The text of an answer -> values. Tolerant of what models wrap JSON in; never guesses a label."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_COMMA = re.compile(r",(\s*[}\]])")
_LINE = re.compile(r"^\s*(?:\d+[.)]|[-*•])?\s*(?P<quote>\S.*?)\s*\|\s*(?P<label>[^|]+?)\s*$")
_NOTHING = re.compile(r"\A\W*(?:none|nothing|no (?:entities|mentions|spans)\b.*|n/?a)\W*\Z", re.I)
_SORRY = re.compile(
    r"\A\W*(?:i['’]?m sorry|sorry,|i can(?:no|['’])t|i am (?:unable|not able)|i won['’]t|"
    r"as an ai\b)",
    re.I,
)
_QUOTE_KEYS = ("quote", "mention", "text", "span", "entity", "value")
_LABEL_KEYS = ("label", "type", "category", "tag", "class")
_LABEL_PLACE = re.compile(r'"(?:label|answer)"\s*:\s*"')


@dataclass(frozen=True)
class Mention:
    """One item of a span answer: occurrence counts from 1, 0 where the model did not say."""

    quote: str
    label: str
    occurrence: int = 0
    confidence: float | None = None


def is_refusal(text: str) -> bool:
    """Whether prose reads as a refusal."""
    return _SORRY.search(text[:200]) is not None


def read_json(text: str) -> Any:
    """The JSON in a text: bare, in a code fence, or amid prose. ValueError if there is none."""
    body = _THOUGHT.sub("", text).strip()
    for candidate in _candidates(body):
        for read in (json.loads, _repaired, ast.literal_eval):
            try:
                value = read(candidate)
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                continue
            if isinstance(value, dict | list):
                return value
    raise ValueError("no JSON in the answer")


def _candidates(text: str) -> Iterator[str]:
    yield text
    for match in _FENCE.finditer(text):
        yield match.group(1).strip()
    for opening, closing in ("{}", "[]"):
        start, stop = text.find(opening), text.rfind(closing)
        if 0 <= start < stop:
            yield text[start : stop + 1]
    try:
        start = text.index("{")
        yield text[start : start + json.JSONDecoder().raw_decode(text[start:])[1]]
    except (ValueError, RecursionError):
        return


def _repaired(text: str) -> Any:
    return json.loads(_COMMA.sub(r"\1", text))


def read_mentions(text: str) -> list[Mention]:
    """The mentions in a span answer; ValueError if it is none.

    Understands ``{"entities": [{quote, label, ...}]}``, a bare list of these, ``{label: [quotes]}``
    and lines ``n. mention | label``.
    """
    try:
        value = read_json(text)
    except ValueError:
        return _read_lines(text)
    if isinstance(value, dict):
        listed = [v for v in value.values() if isinstance(v, list)]
        if "entities" in value and isinstance(value["entities"], list):
            value = value["entities"]
        elif len(value) == 1 and listed and all(isinstance(x, dict) for x in listed[0]):
            value = listed[0]
        elif _first(value, _QUOTE_KEYS) is not None:
            value = [value]
        elif value and len(listed) == len(value):
            return _by_label(value)
        else:
            raise ValueError("JSON without entities")
    return [_mention(item) for item in value]


def _by_label(value: Mapping[str, Any]) -> list[Mention]:
    pairs = [(label, quote) for label, quotes in value.items() for quote in quotes]
    if not all(isinstance(quote, str) for _, quote in pairs):
        raise ValueError("JSON without entities")
    return [Mention(quote, label) for label, quote in pairs]


def _mention(item: Any) -> Mention:
    if isinstance(item, Mapping):
        quote, label = _first(item, _QUOTE_KEYS), _first(item, _LABEL_KEYS)
        occurrence = item.get("occurrence")
        number = occurrence if isinstance(occurrence, int) and occurrence > 0 else 0
        if isinstance(quote, str) and isinstance(label, str):
            return Mention(quote, label.strip(), number, as_probability(item.get("confidence")))
    elif isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2:
        quote, label = item
        if isinstance(quote, str) and isinstance(label, str):
            return Mention(quote, label.strip())
    raise ValueError("an entity without quote and label")


def _first(item: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((item[key] for key in keys if isinstance(item.get(key), str)), None)


def _read_lines(text: str) -> list[Mention]:
    body = _THOUGHT.sub("", text).strip()
    if _NOTHING.search(body):
        return []
    matches = [_LINE.match(line) for line in body.strip("`").splitlines() if "|" in line]
    mentions = [Mention(_unquoted(m["quote"]), m["label"].strip("*_` ")) for m in matches if m]
    if not mentions:
        raise ValueError("neither JSON nor lines of 'mention | label'")
    return mentions


def _unquoted(quote: str) -> str:
    pairs = {'"': '"', "'": "'", "“": "”", "«": "»", "`": "`"}
    bare = quote.strip("*_") or quote
    if len(bare) > 2 and pairs.get(bare[0]) == bare[-1]:
        return bare[1:-1]
    return bare


def read_choice(text: str, answers: Sequence[str]) -> tuple[list[str], float | None]:
    """The answers chosen of a closed set, and the confidence that the model claims.

    ``{"answer": ...}``, ``{"answers": [...]}`` or the bare word, alone or after "Answer:". Case and
    a final stop do not matter. ValueError for anything outside the set.
    """
    known = {answer.casefold(): answer for answer in answers}
    confidence: float | None = None
    try:
        value = read_json(text)
    except ValueError:
        value = _bare_word(text)
    if isinstance(value, dict):
        confidence = as_probability(value.get("confidence"))
        keys = ("answer", "label", "answers", "labels", "class", "category")
        value = next((value[key] for key in keys if key in value), None)
    items = value if isinstance(value, list) else [value]
    chosen = [known.get(str(item).strip().strip(".\"'*`").casefold(), "") for item in items]
    if not all(chosen):
        raise ValueError("an answer outside the closed set")
    return list(dict.fromkeys(chosen)), confidence


def _bare_word(text: str) -> str:
    body = _THOUGHT.sub("", text).strip().strip("`").strip()
    match = re.search(r"\banswer\W{1,4}([^\n]+)\s*\Z", body, re.IGNORECASE)
    return match.group(1) if match else body


def as_probability(value: Any) -> float | None:
    """A confidence between 0 and 1, or a percentage; anything else is none at all."""
    if isinstance(value, str):
        try:
            value = float(value.strip().rstrip("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    share = value / 100 if 1 < value <= 100 else value
    return float(share) if 0 <= share <= 1 else None


def label_places(text: str) -> list[int]:
    """Where the values of "label" or "answer" begin in a JSON text, in order.

    Inside a JSON string a quotation mark is escaped, so a quote cannot fake a place.
    """
    return [match.end() for match in _LABEL_PLACE.finditer(text)]
