"""Tags <-> spans: the one owner of how IOB1, IOB2, BIOES and BILOU are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from .errors import InputError

Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU"]

_OPENS = frozenset("BSUW")
_CLOSES = frozenset("ELSUW")
_KNOWN = frozenset("BIMELSUW")


def decode(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans (first token, end token, label) of one sentence's tags, in order.

    One rule reads every scheme, for their valid sequences never contradict one another: B, S, U, W
    open a span, E, L, S, U, W close it after their token, I and M (and E, L) carry on. A sequence
    that is valid in none is repaired as seqeval's default mode does: what would carry on a span
    of its label that is not open begins one, and a span that nobody closes ends before the next.
    """
    spans: list[tuple[int, int, str]] = []
    start, open_label = 0, ""
    for position, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        if open_label and (prefix in _OPENS or label != open_label):
            spans.append((start, position, open_label))
            open_label = ""
        if label and not open_label:
            start, open_label = position, label
        if prefix in _CLOSES:
            spans.append((start, position + 1, open_label))
            open_label = ""
    if open_label:
        spans.append((start, len(tags), open_label))
    return spans


def split_tag(tag: str) -> tuple[str, str]:
    """ "B-PER" as ("B", "PER"), "O" as ("", "")."""
    if tag == "O":
        return "", ""
    prefix, dash, label = tag.partition("-")
    if prefix not in _KNOWN or not dash or not label:
        raise InputError(
            f"tag {tag!r} is of no known scheme; expected O, or B-, I-, E-, L-, S-, U-, M-, W- "
            "and a label"
        )
    return prefix, label


def encode(
    n_tokens: int, spans: Iterable[tuple[int, int, str]], scheme: Scheme = "IOB2"
) -> list[str]:
    """One tag per token for spans (first token, end token, label) that do not overlap."""
    if scheme not in ("IOB1", "IOB2", "BIOES", "BILOU"):
        raise InputError(f"no tag scheme {scheme!r}; known: IOB1, IOB2, BIOES, BILOU")
    tags = ["O"] * n_tokens
    last, single = ("L", "U") if scheme == "BILOU" else ("E", "S")
    for start, end, label in sorted(spans):
        before = tags[start - 1] if start else "O"
        begin = "I" if scheme == "IOB1" and before[2:] != label else "B"
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[start] = f"{begin}-{label}"
        if scheme in ("BIOES", "BILOU"):
            tags[end - 1] = f"{last}-{label}"
            if end - start == 1:
                tags[start] = f"{single}-{label}"
    return tags
