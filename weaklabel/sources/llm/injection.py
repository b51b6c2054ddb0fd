"""Documents that may have talked the model over: the LLM stands alone, and the text reads like
instructions. They belong before a person; nothing is decided here."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ...corpus import Shard
from ...votes import Votes

_PHRASES = (
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|any|"
    r"your)\b.{0,20}\b(?:instruction|prompt|rule|direction|guideline|message)s?",
    r"\byou (?:are|must|should|will) (?:now|instead|only)\b",
    r"\b(?:system|developer) (?:prompt|message|instruction)s?\b",
    r"\bnew instructions?\s*:",
    r"\b(?:answer|respond|reply|output|return)\b.{0,20}\b(?:only|with|exactly|the word)\b",
    r"\b(?:label|classify|mark|tag|annotate|rate)\b.{0,30}\b(?:this|every|all|the following|it)\b"
    r".{0,30}\b(?:as|with)\b",
    r"\bdo not (?:label|tag|annotate|extract|mark|flag|report)\b",
    r"\b(?:as an?|dear) (?:ai|assistant|language model|llm|chatbot|annotator)\b",
    r"</?(?:document|example|system|instructions?|user|assistant)\b[^>]{0,40}>",
    r"<\|?(?:im_start|im_end|endoftext|system|assistant)\|?>|\[/?INST\]|<<SYS>>",
    r"^\s*(?:system|assistant|user)\s*:",
    r"\b(?:ignoriere|vergiss)\b.{0,40}\banweisung|\bignore[zr]?\b.{0,30}\binstructions\b",
    r"\bignora\b.{0,40}\binstruc",
    r"\{\s*\"(?:entities|answer|label)\"\s*:",
)
_INSTRUCTION = re.compile("|".join(_PHRASES), re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Suspicion:
    """A document to look at: its index, and [start, end) characters that read like instructions."""

    document: int
    start: int
    end: int


def suspicious(
    shard: Shard, votes: Votes, prompts: Collection[str] | None = None
) -> list[Suspicion]:
    """Documents on which the prompts agree with no other source, and which hold instructions.

    prompts: the names of the prompt sources; by default those whose group begins with "llm:".
    Silence of the prompts where others vote counts as disagreement too: a text may ask for it.
    """
    names = _prompts(votes) if prompts is None else set(prompts)
    found = []
    for d, text in enumerate(shard.texts):
        if _alone(votes, d, names):
            match = _INSTRUCTION.search(text)
            if match is not None:
                found.append(Suspicion(d, *match.span()))
    return found


def _prompts(votes: Votes) -> set[str]:
    return {v.name for v in votes.voters if (v.group or "").startswith("llm:")}


def _alone(votes: Votes, document: int, prompts: Collection[str]) -> bool:
    mine: set[tuple[int, int, int]] = set()
    theirs: set[tuple[int, int, int]] = set()
    for row in range(votes.indptr[document], votes.indptr[document + 1]):
        place = (int(votes.start[row]), int(votes.end[row]), int(votes.label[row]))
        (mine if votes.names[votes.source[row]] in prompts else theirs).add(place)
    asked = any(
        looked is None or document in looked
        for name, looked in zip(votes.names, votes.looked, strict=True)
        if name in prompts
    )
    return asked and bool(mine or theirs) and not mine & theirs
