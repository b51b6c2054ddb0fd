"""How sure an answer is, as one of few symbols, so that a label model can calibrate each without
gold: a model that always claims 0.95 is believed as far as its votes bear out.

"logprob" (of the label's tokens), "samples" (self-consistency), "verbalised", or "none".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from .status import Token

Confidence = Literal["none", "verbalised", "logprob", "samples"]

BINS = 5
_IMPOSSIBLE = -100.0


def binned(value: float, bins: int = BINS) -> float:
    """The upper edge of the bin of a probability: 0.81 -> 1.0, 0.55 -> 0.6; never 0."""
    return min(bins, max(1, math.ceil(value * bins - 1e-9))) / bins


def label_probabilities(
    tokens: Sequence[Token], start: int, labels: Iterable[str], closing: str = '"'
) -> dict[str, float] | None:
    """The probability of each label of a closed set, from the tokens of the one written.

    start: character at which the label begins in the text that the tokens make up. At every token
    the alternatives are kept that still spell a label; the mass of those that part from the
    written one is theirs. The rest is left out and the sum made 1, so fixed JSON around the
    label counts for nothing. None: the tokens do not cover the label.
    """
    ends = {label: label + closing for label in labels}
    alive, written, reached = set(ends), "", 1.0
    mass = dict.fromkeys(ends, 0.0)
    for lead, token in _from(tokens, start):
        step = _step(token, lead, written, {label: ends[label] for label in alive})
        own = written + token.text[len(lead) :]
        stay = {label for label in alive if _agree(ends[label], own)}
        for label in alive - stay:
            mass[label] += reached * step.get(label, 0.0)
        reached *= step.get("", 0.0)
        alive, written = stay, own
        if len(alive) <= 1 or reached == 0:
            break
    else:
        return None
    for label in alive:
        mass[label] += reached / len(alive)
    total = sum(mass.values())
    return {label: share / total for label, share in mass.items()} if total > 0 else None


def _from(tokens: Sequence[Token], start: int) -> Iterable[tuple[str, Token]]:
    """The tokens from a character on, each with the part of it that lies before."""
    at = 0
    for token in tokens:
        stop = at + len(token.text)
        if stop > start:
            yield token.text[: max(0, start - at)], token
        at = stop


def _step(token: Token, lead: str, written: str, alive: dict[str, str]) -> dict[str, float]:
    """Mass of each label that parts here, and of the written token's own way under ""."""
    own = written + token.text[len(lead) :]
    share: dict[str, float] = {}
    for text, logprob in token.choices:
        if not text.startswith(lead) or logprob <= _IMPOSSIBLE:
            continue
        spelt = written + text[len(lead) :]
        probability = math.exp(min(0.0, logprob))
        if text == token.text:
            share[""] = share.get("", 0.0) + probability
            continue
        agreeing = [label for label, full in alive.items() if _agree(full, spelt)]
        parting = [label for label in agreeing if not _agree(alive[label], own)]
        # An alternative spelling of the written label's own beginning goes the same way.
        for label in parting:
            share[label] = share.get(label, 0.0) + probability / len(agreeing)
        staying = len(agreeing) - len(parting)
        if staying:
            share[""] = share.get("", 0.0) + probability * staying / len(agreeing)
    return share


def _agree(full: str, spelt: str) -> bool:
    return bool(spelt) and (full.startswith(spelt) or spelt.startswith(full))
