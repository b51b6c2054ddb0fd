"""Rules for places."""

from __future__ import annotations

from .lexicon import has
from .page import Page
from .rule import rule
from .tokens import Mask


def _marked(p: Page) -> Mask:
    return has(p.last, "org_tail", "event_tail") & (p.length > 1)


@rule("LOC")
def place_dateline(p: Page) -> Mask:
    """Before a date at a line's start: "OSLO 1996-08-22", "BERGEN , Norway 1996-08-22"."""
    at_start = p.at_start | has(p.before_flags, "comma")
    apart = has(p.after_flags, "digit") & has(p.after2_flags, "dash") & (p.sentence_length <= 8)
    return at_start & (has(p.after_flags, "date") | (apart & has(p.last, "upper", "initial")))


@rule("LOC")
def place_dateline_agency(p: Page) -> Mask:
    """Before an agency or a dash: "OSLO (Reuters) -", "OSLO, Aug 22 (AP) -", "OSLO - "."""
    capitals = p.at_start & has(p.last, "upper") & ~has(p.first, "initial", "sport") & ~p.loud
    opened = has(p.after_flags, "opening") & has(p.after2_flags, "organisation")
    dated = has(p.after_flags, "comma") & has(p.after2_flags, "months")
    dashed = has(p.after_flags, "dash") & has(p.known, "city", "town", "country", "place")
    return capitals & (opened | dated | dashed)


@rule("LOC")
def place_dateline_city(p: Page) -> Mask:
    """The city of a dateline that names the state or country too."""
    at_start = p.at_start
    comma = has(p.after_flags, "comma")
    size = p.sentence_length
    short = (size <= 6) & has(p.flags_at(p.tokens.high[p.start] - 1), "date", "stop")
    return at_start & comma & short & has(p.last, "upper")


@rule("LOC")
def place_country(p: Page) -> Mask:
    """A country."""
    return has(p.known, "country")


@rule("LOC")
def place_known(p: Page) -> Mask:
    """A place of the pack's own list: regions, seas, spellings of the news."""
    table = p.teams & has(p.after_flags, "small")
    return has(p.known, "place") & ~has(p.known, "organisation") & ~table


@rule("LOC")
def place_state(p: Page) -> Mask:
    """An abbreviated state after a comma: "Bergen , N.D ."."""
    state = has(p.known, "abbreviated_states") & has(p.before_flags, "comma")
    return state & (p.length == 1)


@rule("LOC")
def place_city(p: Page) -> Mask:
    """A large city, in documents that are not about teams."""
    return has(p.known, "city") & ~p.teams & ~has(p.known, "organisation", "athlete")


@rule("LOC")
def place_city_in_sport(p: Page) -> Mask:
    """A large city after "in" or "at", in documents about teams."""
    return has(p.known, "city") & p.teams & p.is_word(p.before, "in", "at", "near", "from")


@rule("LOC")
def place_town(p: Page) -> Mask:
    """A smaller town or a part of a country, after a preposition of place."""
    known = has(p.known, "town", "region") & ~has(p.known, "common")
    return known & p.is_word(p.before, "in", "near", "at", "from", "to", "outside")


@rule("LOC")
def place_after_in(p: Page) -> Mask:
    """After "in", "near", "outside"."""
    before = p.is_word(p.before, "in", "near", "outside", "throughout")
    person = has(p.first, "first") & (p.length > 1)
    marked = _marked(p) | has(p.known, "organisation", "demonyms", "compound", "misc_words")
    return before & ~person & ~marked & ~p.loud & ~has(p.any, "digit") & (p.length <= 3)


@rule("LOC")
def place_before_country(p: Page) -> Mask:
    """Before a comma and a country: "Bergen , Norway"."""
    country = has(p.after2_flags, "country", "place", "abbreviated_states")
    upper = has(p.after2_flags, "cap", "upper", "initial")
    comma = has(p.after_flags, "comma")
    ends = ~p.is_word(p.after3, "and") & ~has(p.before_flags, "comma")
    person = has(p.first, "first") & (p.length > 1)
    return comma & country & upper & ends & (p.length <= 3) & ~person & ~_marked(p)


@rule("LOC")
def place_in_parentheses(p: Page) -> Mask:
    """A known place alone in parentheses: "( Norway )"."""
    alone = has(p.before_flags, "opening") & has(p.after_flags, "closing")
    return alone & has(p.known, "country", "place", "city")


@rule("LOC")
def place_by_kind(p: Page) -> Mask:
    """Named with its kind: "Glomma River", "Lake Mjosa"."""
    tail = has(p.last, "loc_tail") & ~has(p.last, "org_tail", "event_tail")
    tail &= ~p.sport & ~has(p.first, "first")
    head = p.is_word(p.start, "lake", "mount", "cape", "fort", "gulf") & ~_marked(p)
    return (tail | head) & (p.length >= 2) & (p.length <= 4) & ~p.loud


@rule("LOC")
def place_compass(p: Page) -> Mask:
    """A point of the compass and a known place: "southern Norway" is not, "South Norway" is."""
    rest = p.flags_at(p.word(1))
    known = has(rest, "country", "place", "city", "region")
    return has(p.first, "compass") & known & (p.length == 2) & ~p.loud & ~p.teams


@rule("LOC")
def place_shouted(p: Page) -> Mask:
    """A country or large city in a line of capitals."""
    return p.loud & has(p.known, "country", "place")
