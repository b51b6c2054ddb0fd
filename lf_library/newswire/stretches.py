"""Where names may stand: runs of capitalised words, cut and joined as English newswire does."""

from __future__ import annotations

import numpy as np

from .lexicon import Flags, Keys, has
from .tokens import Index, Mask, Tokens

_MIX = np.uint64(0xD1B54A32D192ED03)


def document_keys(document: Index, hashes: Flags) -> Flags:
    """(n,) hashes of phrases as keys that differ from document to document."""
    return hashes ^ (document.astype(np.uint64) * _MIX)


def stretches(tokens: Tokens) -> tuple[Index, Index]:
    """(C,) first and past-the-last tokens of what may be names."""
    if not len(tokens.flags):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    names = _name_words(tokens)
    fixed, inside = _fixed_phrases(tokens)
    names |= fixed
    joined = names | _connectors(tokens, names) | inside
    tie = _of_ties(tokens, names)
    joined |= tie
    tail = _later_in_run(tokens, has(tokens.flags, "org_tail", "event_tail"), joined)
    joined &= ~_titles(tokens, names, tail | tie, joined) | inside | fixed
    own = _later_in_run(tokens, _ends_own_name(tokens), joined)
    kind = tail | _later_in_run(tokens, tokens.has("org_head"), joined)
    cuts = _cuts(tokens, joined, own | (tail & tokens.has("compass")), kind) & ~inside
    begin = joined & (~tokens.previous(joined) | cuts)
    stop = joined & (~tokens.next(joined) | tokens.next(begin))
    return _trim(np.flatnonzero(begin), np.flatnonzero(stop) + 1, names | inside)


def _name_words(tokens: Tokens) -> Mask:
    """(T,) the words that may be part of a name."""
    flags, shouting = tokens.flags, tokens.shouting
    capital = has(flags, "cap", "upper", "initial") & ~has(flags, "months", "digit", "punctuation")
    names = capital & ~(has(flags, "function") & (shouting | ~has(flags, "upper")))
    doubtful = names & (tokens.initial | shouting)
    known = has(flags, "country", "place", "demonyms", "organisation", "first", "city", "compound")
    sure = known | has(flags, "initial")
    ordinary = doubtful & has(flags, "common") & (shouting | ~has(flags, "upper"))
    # "Red River", "West Ham" at the start of a sentence, but not "Former Norwegian ..."
    leads = tokens.next(names & ~doubtful) & ~shouting
    leads &= has(flags, "compass") | ~(tokens.next(known) | has(flags, "titles", "pretitles"))
    ordinary &= ~leads
    where = np.flatnonzero(doubtful & ~ordinary & ~sure)
    ordinary[where] = _seen_in_lower_case(tokens, where)
    names &= ~ordinary
    event = shouting & has(flags, "event_tail") & ~has(flags, "months")
    for _ in range(2):
        names |= event & tokens.previous(names)
    return names


def _seen_in_lower_case(tokens: Tokens, where: Index) -> Mask:
    """Which of some tokens stand in lower case elsewhere in their document."""
    keys = document_keys(tokens.document[where], tokens.hashed[where])
    distinct, inverse = np.unique(keys, return_inverse=True)
    lower = np.flatnonzero(has(tokens.flags, "lower"))
    others = document_keys(tokens.document[lower], tokens.hashed[lower])
    seen = np.zeros(len(distinct), dtype=bool)
    seen[Keys(distinct).find(others)[1]] = True
    return seen[inverse]


def _fixed_phrases(tokens: Tokens) -> tuple[Mask, Mask]:
    """(T,) tokens of known phrases whose extent is sure, and those that no cut goes before."""
    fixed, inside = np.zeros(len(tokens.flags), bool), np.zeros(len(tokens.flags), bool)
    capital = has(tokens.flags, "cap", "upper", "initial")
    last = capital | has(tokens.flags, "possessive")
    for length in range(5, 1, -1):
        at = np.flatnonzero(capital & tokens.next(last, length - 1))
        at = at[tokens.lexicon.fixed.look_up(tokens.phrase_hashes(at, length)) != 0]
        for step in range(length):
            fixed[at + step] = True
            if step:
                inside[at + step] = True
    return fixed, inside


def _connectors(tokens: Tokens, names: Mask) -> Mask:
    """Particles ("van der"), hyphens of split words ("Jean - Paul"), ampersands."""
    before, after = tokens.previous(names), tokens.next(names)
    particle = tokens.has("particles") & tokens.has("lower") & ~tokens.shouting
    inner = particle & before & (after | (tokens.next(particle) & tokens.next(names, 2)))
    inner |= particle & tokens.previous(inner) & after
    dash = tokens.has("dash") & tokens.glued & tokens.next(tokens.glued) & before & after
    return inner | dash | (tokens.has("ampersand") & before & after)


def _of_ties(tokens: Tokens, names: Mask) -> Mask:
    """The "of the" of "Bank of England", "Republic of the Congo"."""
    head = names & tokens.has("org_head", "org_tail", "event_tail", "loc_tail") & ~tokens.shouting
    of, the = tokens.is_word("of", "for"), tokens.is_word("the")
    after = tokens.next(names) | (tokens.next(the) & tokens.next(names, 2))
    tie = of & tokens.previous(head) & after
    return tie | (the & tokens.previous(tie))


def _later_in_run(tokens: Tokens, mask: Mask, joined: Mask) -> Mask:
    """Whether one of the next five tokens of the same run is in the mask."""
    later, reach = np.zeros_like(mask), joined.copy()
    for k in range(1, 6):
        reach &= tokens.next(joined, k)
        later |= reach & tokens.next(mask, k)
    return later


def _ends_own_name(tokens: Tokens) -> Mask:
    """Last words of names that a people or country in front belongs to: "British Airways"."""
    ends = tokens.has("org_tail", "event_tail") & ~tokens.has("institutions")
    return ends | tokens.is_word("league", "division", "exchange", "embassy")


def _titles(tokens: Tokens, names: Mask, part: Mask, joined: Mask) -> Mask:
    """Titles, which are no part of the name behind them."""
    title = names & tokens.has("titles", "pretitles") & ~tokens.shouting & ~part
    real = title & tokens.has("titles")
    lead = title & (tokens.next(real) | (tokens.next(title) & tokens.next(real, 2)))
    ends = tokens.has("org_tail") & tokens.previous(joined) & ~tokens.next(joined)
    return (real | lead) & ~ends


def _cuts(tokens: Tokens, joined: Mask, tail: Mask, kind: Mask) -> Mask:
    """Where one name ends and the next begins: behind a people, unless they make one name."""
    people = tokens.has("demonyms") & joined & ~tail
    adjective = tokens.has("compound") & joined
    country = tokens.has("country", "place") & ~tokens.has("first", "demonyms", "loc_head")
    country &= joined & ~kind & ~tokens.next(tokens.has("loc_tail", "plural"))
    cut = tokens.previous(people) & ~tokens.has("demonyms")
    return cut | tokens.previous(adjective) | tokens.previous(country)


def _trim(start: Index, end: Index, names: Mask) -> tuple[Index, Index]:
    """Extents that begin and end with a word of a name."""
    while True:
        full = end > start
        start, end = start[full], end[full]
        front, back = ~names[start], ~names[end - 1]
        if not (front | back).any():
            return start, end
        start, end = start + front, end - (back & ~front)
