"""Spans on tokens: for formats that count in tokens, and for those that allow no overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from ..tags import Scheme, encode
from .record import Record, RecordSpan, Written

Placed = tuple[int, int, RecordSpan]
"""A span with its place in another unit: first token, end token."""


def on_tokens(record: Record, written: Written) -> list[Placed]:
    """The spans that lie on whole tokens, as (first token, end token, span); the rest counted."""
    starts = [start for start, _ in record.tokens]
    ends = [end for _, end in record.tokens]
    found = []
    for span in record.spans:
        first, last = bisect_left(starts, span.start), bisect_left(ends, span.end)
        exact = first <= last < len(ends)
        if exact and starts[first] == span.start and ends[last] == span.end:
            found.append((first, last + 1, span))
        else:
            written.leave_out("not on whole tokens")
    return found


def flat(spans: Iterable[Placed], length: int, written: Written) -> list[Placed]:
    """Spans that do not overlap: outer layers, then longer, then earlier ones; the rest counted.

    length: of the document, in the unit of the spans' places.
    """
    taken = bytearray(length)
    kept = []
    for first, end, span in sorted(spans, key=lambda s: (s[2].layer, s[0] - s[1], s[0])):
        if any(taken[first:end]):
            written.leave_out("inside or across another")
        else:
            taken[first:end] = b"\1" * (end - first)
            kept.append((first, end, span))
    return sorted(kept, key=lambda s: s[0])


def flat_on_tokens(record: Record, written: Written) -> list[Placed]:
    """Spans for a format of one tag per token, as (first token, end token, span)."""
    kept = flat(on_tokens(record, written), len(record.tokens), written)
    written.spans += len(kept)
    return kept


def tags_of(record: Record, spans: Iterable[Placed], scheme: Scheme) -> list[str]:
    """One tag per token."""
    placed = ((first, end, span.label) for first, end, span in spans)
    return encode(len(record.tokens), placed, scheme)


def sentences(record: Record, spans: Iterable[Placed]) -> list[tuple[int, int]]:
    """Token ranges of the sentences; where nobody said, a line of the text is one.

    A sentence never ends within a span, for tags could not carry it over the break.
    """
    n = len(record.tokens)
    starts = record.sentence_starts or tuple(
        i for i in range(1, n) if "\n" in record.text[record.tokens[i - 1][1] : record.tokens[i][0]]
    )
    inside = {i for first, end, _ in spans for i in range(first + 1, end)}
    cuts = [0, *(i for i in starts if i and i not in inside), n]
    return [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]
