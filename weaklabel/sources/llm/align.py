"""Quotes -> character offsets. A model quotes; the places are found in the document itself.

1. every place of each quote between word boundaries: verbatim, else folded (see ``fold``);
2. a dynamic programme over all quotes in the order given picks the longest chain of places that
   follow one another, so that repeated mentions take successive places; a numbered occurrence
   that is consistent settles the place first (langextract's resolver is the model);
3. quotes out of order take the first free place;
4. what is left is matched fuzzily, and dropped if even that finds nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass

from .fold import Folded, fold, fold_string

FOLDED = 0.95
"""Quality of a match that holds only after folding; a fuzzy one has its similarity or less."""

_FUZZY_SCORE = 88.0
_FUZZY_LEAST = 5
_MOST_PLACES = 2000


@dataclass(frozen=True)
class Match:
    """Where a quote is: characters, end exclusive; quality in (0, 1], 1 for verbatim."""

    start: int
    end: int
    quality: float = 1.0


def align_quotes(
    text: str,
    quotes: Sequence[str],
    occurrences: Sequence[int] | None = None,
    tokens: tuple[Container[int], Container[int]] | None = None,
) -> list[Match | None]:
    """The place of each quote, None where it does not occur.

    quotes: in the order of the answer. occurrences: from 1, which one of the same words is meant,
    0 for unknown. tokens: where tokens start and end; places of whole tokens are preferred.
    """
    document = _Document(text)
    places = [document.places(quote) for quote in quotes]
    found: list[Match | None] = [None] * len(quotes)
    fixed = _numbered(quotes, places, occurrences or [0] * len(quotes))
    free = [_of_whole_tokens(own, tokens) for own in places]
    for i, match in _assign(free, fixed).items():
        found[i] = match
    for i, own in enumerate(free):
        if found[i] is None:
            taken = [match for match in found if match is not None]
            found[i] = _first_free(own, taken)
    for i, quote in enumerate(quotes):
        if found[i] is None and not places[i]:
            near = document.fuzzy(quote)
            found[i] = near if near not in found else None
    return found


def _of_whole_tokens(
    places: list[Match], tokens: tuple[Container[int], Container[int]] | None
) -> list[Match]:
    if tokens is None:
        return places
    starts, ends = tokens
    return [p for p in places if p.start in starts and p.end in ends] or places


def _numbered(
    quotes: Sequence[str], places: Sequence[Sequence[Match]], occurrences: Sequence[int]
) -> dict[int, Match]:
    """Numbered occurrences, where those of the same words are possible and differ.

    Models often number every mention 1; then the numbers say nothing. Nor do they for a quote that
    is not verbatim: what its occurrences are is not clear.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for i, quote in enumerate(quotes):
        groups[fold_string(quote)].append(i)
    fixed: dict[int, Match] = {}
    for members in groups.values():
        if all(0 < occurrences[i] <= len(places[i]) for i in members):
            meant = {i: places[i][occurrences[i] - 1] for i in members}
            verbatim = all(place.quality == 1 for place in meant.values())
            if verbatim and len(set(meant.values())) == len(members):
                fixed |= meant
    return fixed


def _assign(free: Sequence[Sequence[Match]], fixed: dict[int, Match]) -> dict[int, Match]:
    """The longest chain, numbered places first; numbers that lead to an overlap are not believed.

    Whether "Anna" in "Anna Berg" counts as an occurrence of "Anna", every model sees differently.
    """
    chosen = dict(_chain([[fixed[i]] if i in fixed else own for i, own in enumerate(free)]))
    wrong: set[int] = set()
    for i in sorted(fixed.keys() - chosen.keys()):
        crossing = {j for j, place in chosen.items() if _overlap(place, fixed[i])}
        if crossing:
            wrong |= {i} | (crossing & fixed.keys())
        else:
            chosen[i] = fixed[i]
    if wrong:
        return _assign(free, {i: place for i, place in fixed.items() if i not in wrong})
    return chosen


def _overlap(one: Match, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def _chain(candidates: Sequence[Sequence[Match]]) -> list[tuple[int, Match]]:
    """The longest run of (quote, place) in which places follow one another; early ends win."""
    ends: list[int] = []
    links: list[tuple[int, Match, int]] = []
    best: list[int] = []
    for i, places in enumerate(candidates):
        if len(places) > _MOST_PLACES:
            places = places[:_MOST_PLACES]
        updates: dict[int, Match] = {}
        for place in places:
            length = bisect_right(ends, place.start)
            if length == len(ends) or place.end < ends[length]:
                old = updates.get(length)
                if old is None or place.end < old.end:
                    updates[length] = place
        for length in sorted(updates, reverse=True):
            links.append((i, updates[length], best[length - 1] if length else -1))
            if length == len(ends):
                ends.append(updates[length].end)
                best.append(len(links) - 1)
            else:
                ends[length], best[length] = updates[length].end, len(links) - 1
    chosen, at = [], best[-1] if best else -1
    while at >= 0:
        i, place, at = links[at]
        chosen.append((i, place))
    return chosen[::-1]


def _first_free(places: Sequence[Match], taken: Sequence[Match]) -> Match | None:
    """The first place that overlaps nothing, else the first that is not taken itself (nested)."""
    spans = {(match.start, match.end) for match in taken}
    free = [place for place in places if (place.start, place.end) not in spans]
    for place in free:
        if not any(_overlap(place, other) for other in taken):
            return place
    return free[0] if free else None


class _Document:
    """One text, folded once and only when needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._folded: Folded | None = None

    @property
    def folded(self) -> Folded:
        if self._folded is None:
            self._folded = fold(self.text)
        return self._folded

    def places(self, quote: str) -> list[Match]:
        """Every place of a quote, in order: verbatim ones if there are any."""
        bare = quote.strip()
        if not bare:
            return []
        found = _find_all(self.text, bare)
        places = [Match(at, at + len(bare)) for at in found if self._whole(at, at + len(bare))]
        if places:
            return places
        words = fold_string(bare)
        spans = [self.folded.back(at, at + len(words)) for at in _find_all(self.folded.text, words)]
        return [Match(start, end, FOLDED) for start, end in spans if self._whole(start, end)]

    def fuzzy(self, quote: str) -> Match | None:
        """The most similar stretch of whole words, if it is similar enough."""
        from rapidfuzz import fuzz

        words = fold_string(quote)
        if not _FUZZY_LEAST <= len(words) <= len(self.folded.text):
            return None
        rough = fuzz.partial_ratio_alignment(words, self.folded.text, score_cutoff=_FUZZY_SCORE - 8)
        if rough is None or rough.dest_end <= rough.dest_start:
            return None
        start, end = self._widen(*self.folded.back(rough.dest_start, rough.dest_end))
        similarity = fuzz.ratio(words, fold_string(self.text[start:end]))
        return Match(start, end, similarity / 100) if similarity >= _FUZZY_SCORE else None

    def _whole(self, start: int, end: int) -> bool:
        return not (_in_word(self.text, start) or _in_word(self.text, end))

    def _widen(self, start: int, end: int) -> tuple[int, int]:
        while start and self.text[start - 1].isalnum() and self.text[start].isalnum():
            start -= 1
        while end < len(self.text) and self.text[end].isalnum() and self.text[end - 1].isalnum():
            end += 1
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        return start, end


def _in_word(text: str, cut: int) -> bool:
    """Whether a cut lies inside a word. Scripts without spaces have no such thing."""
    if not 0 < cut < len(text):
        return False
    left, right = text[cut - 1], text[cut]
    if not (left.isalnum() and right.isalnum()):
        return False
    return not (_spaceless(left) or _spaceless(right))


def _spaceless(character: str) -> bool:
    """Han, kana, Thai, Lao, Khmer, Burmese: words are not set apart there."""
    code = ord(character)
    return (
        0x0E00 <= code <= 0x0EFF
        or 0x1000 <= code <= 0x109F
        or 0x1780 <= code <= 0x17FF
        or 0x3040 <= code <= 0x30FF
        or 0x3400 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    )


def _find_all(text: str, part: str) -> list[int]:
    places: list[int] = []
    at = text.find(part) if part else -1
    while at >= 0:
        places.append(at)
        at = text.find(part, at + 1)
    return places
