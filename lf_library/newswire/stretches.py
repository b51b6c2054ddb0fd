"""Where names may stand: runs of capitalised words, cut and joined as English newswire does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard

from .lexicon import has

Flags = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]


def nxt(mask: Mask, same: Mask, k: int = 1) -> Mask:
    """Whether the k-th next token of the same sentence is in the mask."""
    out = np.zeros_like(mask)
    out[:-k] = mask[k:]
    for step in range(k):
        out[: len(out) - 1 - step] &= same[1 + step :]
        out[len(out) - 1 - step :] = False
    return out


def prv(mask: Mask, same: Mask, k: int = 1) -> Mask:
    """Whether the k-th previous token of the same sentence is in the mask."""
    out = np.zeros_like(mask)
    out[k:] = mask[:-k]
    for step in range(k):
        out[step:] &= same[: len(out) - step]
        out[:step] = False
    return out


def name_words(
    flags: Flags, document: Index, folded: Flags, initial: Mask, shouting: Mask
) -> Mask:
    """(T,) the words that may be part of a name."""
    capital = has(flags, "cap", "upper", "initial") & ~has(flags, "months", "digit", "punctuation")
    function = has(flags, "function") & (shouting | ~has(flags, "upper"))
    names = capital & ~function
    doubtful = names & (initial | shouting)
    known = has(flags, "country", "place", "demonyms", "organisation", "first", "city")
    following = np.append(names[1:] & ~doubtful[1:], False) & ~shouting
    compass = has(flags, "compass", "loc_head", "common") & ~has(flags, "titles", "pretitles")
    compass &= ~np.append(known[1:], False) | has(flags, "compass")
    ordinary = has(flags, "common") & ~has(flags, "upper") | (has(flags, "common") & shouting)
    ordinary &= doubtful & ~(compass & following)
    where = np.flatnonzero(doubtful & ~ordinary & ~known)
    ordinary[where] = _seen_in_lower_case(where, flags, document, folded)
    return names & ~ordinary


def _seen_in_lower_case(where: Index, flags: Flags, document: Index, folded: Flags) -> Mask:
    """Which of some tokens stand in lower case elsewhere in their document."""
    keys = _key(document[where], folded[where])
    lower = np.flatnonzero(has(flags, "lower"))
    distinct = np.unique(keys)
    if not len(distinct):
        return np.zeros(0, dtype=bool)
    others = _key(document[lower], folded[lower])
    at = np.minimum(np.searchsorted(distinct, others), len(distinct) - 1)
    seen = np.zeros(len(distinct), dtype=bool)
    seen[at[distinct[at] == others]] = True
    return seen[np.searchsorted(distinct, keys)]


def _key(document: Index, folded: Flags) -> Flags:
    return folded ^ (document.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def stretches(
    shard: Shard, flags: Flags, low: Index, names: Mask, shouting: Mask, of: Mask, the: Mask
) -> tuple[Index, Index]:
    """(C,) first and past-the-last tokens of the names' extents."""
    size = len(flags)
    if not size:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    same = np.zeros(size, dtype=bool)
    same[1:] = low[1:] == low[:-1]
    glued = np.zeros(size, dtype=bool)
    glued[1:] = same[1:] & (shard.starts[1:] == shard.ends[:-1])
    names = names.copy()
    # lower-case particles and the hyphens of "Jean-Paul" hold a name together
    particle = has(flags, "particles") & ~shouting & has(flags, "lower")
    inner = particle & prv(names, same) & (
        nxt(names, same) | (nxt(particle, same) & nxt(names, same, 2))
    )
    inner |= particle & prv(inner, same) & nxt(names, same)
    dash = has(flags, "dash") & glued & nxt(glued, same) & prv(names, same) & nxt(names, same)
    ampersand = has(flags, "ampersand") & prv(names, same) & nxt(names, same)
    joined = names | inner | dash | ampersand
    # "Bank of England", "Republic of the Congo"
    head = names & has(flags, "org_head", "org_tail", "event_tail", "loc_tail") & ~shouting
    tie = of & prv(head, same) & (nxt(names, same) | (nxt(the, same) & nxt(names, same, 2)))
    tie |= the & prv(tie, same)
    joined |= tie
    # a title is no part of the name behind it
    title = names & has(flags, "titles", "pretitles") & ~shouting
    title &= has(flags, "titles") | nxt(title, same)
    tail_later = _later_in_run(has(flags, "org_tail", "event_tail"), joined, same)
    title &= ~tail_later & ~tie
    title &= ~(has(flags, "org_tail") & prv(names, same) & ~nxt(names, same))
    joined &= ~title
    # a people before a name is another name, unless the two make an organisation or event
    breaks = np.zeros(size, dtype=bool)
    people = has(flags, "demonyms", "compound") & joined & ~shouting
    breaks[1:] = people[:-1] & ~tail_later[:-1] & ~has(flags[1:], "demonyms")
    begin = joined & (~prv(joined, same) | breaks)
    begins = np.flatnonzero(begin)
    stops = np.flatnonzero(joined & (~nxt(joined, same) | nxt(begin, same))) + 1
    return _trim(flags, begins, stops, names)


def _later_in_run(mask: Mask, joined: Mask, same: Mask) -> Mask:
    """Whether a later token of the same run is in the mask (within five tokens)."""
    later = np.zeros_like(mask)
    reach = joined.copy()
    for k in range(1, 6):
        reach &= nxt(joined, same, k)
        later |= reach & nxt(mask, same, k)
    return later


def _trim(flags: Flags, begins: Index, stops: Index, names: Mask) -> tuple[Index, Index]:
    """Extents begin and end with a word of a name."""
    while True:
        inner = stops > begins
        begins, stops = begins[inner], stops[inner]
        front = ~names[begins]
        back = ~names[stops - 1]
        if not (front | back).any():
            return begins, stops
        begins = begins + front
        stops = stops - (back & ~front)
