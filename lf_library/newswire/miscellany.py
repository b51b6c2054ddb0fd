"""Rules for what has a name but is no person, place or organisation: MISC."""

from __future__ import annotations

from .lexicon import has
from .page import Page
from .rule import Extents, rule
from .tokens import Mask


@rule("MISC")
def misc_people(p: Page) -> Mask:
    """Of a country, a people, a faith, a language: "German", "Kurds"."""
    return has(p.known, "demonyms") & ~has(p.known, "country") & (p.length == 1)


@rule("MISC")
def misc_two_peoples(p: Page) -> Mask:
    """Two such words, or one after a point of the compass: "Bosnian Serb", "South African"."""
    lead = has(p.first, "demonyms", "compass") | p.is_word(p.start, "sri", "costa", "puerto", "new")
    return (p.length == 2) & lead & has(p.last, "demonyms") & ~has(p.known, "country")


@rule("MISC")
def misc_compound(p: Page) -> Mask:
    """An adjective made of one: "German-born", "U.S.-led"."""
    return has(p.known, "compound") & (p.length == 1) & ~has(p.known, "place", "country", "city")


@rule("MISC")
def misc_event(p: Page) -> Mask:
    """Ends with a kind of event, prize or treaty: "World Cup", "Dayton Accord"."""
    return (p.length >= 2) & has(p.last, "event_tail") & ~has(p.last, "org_tail")


@rule("MISC")
def misc_event_known(p: Page) -> Mask:
    """In the user's lists of events and leagues."""
    other = has(p.known, "country", "place", "city", "town", "team", "athlete", "demonyms")
    return has(p.known, "event", "league") & ~other & (p.length >= 2)


@rule("MISC")
def misc_league(p: Page) -> Mask:
    """A league or division, in documents about sport: "National League"."""
    word = p.is_word(p.end - 1, "league", "division", "conference", "premiership", "bundesliga")
    return word & p.sport & (p.length >= 2)


@rule("MISC")
def misc_known(p: Page) -> Mask:
    """In the pack's own list: holidays, books, currencies of account."""
    return has(p.known, "misc_words") & ~has(p.known, "demonyms")


@rule("MISC")
def misc_numbered(p: Page) -> Extents:
    """A capitalised word and a number: "Euro 96", "MiG-29" is none."""
    word = p.is_word(p.end - 1, "euro", "airbus", "tupolev", "apollo", "windows", "boeing", "area")
    start = p.start[word & has(p.after_flags, "digit", "mixed")]
    return start, start + 2


@rule("MISC")
def misc_quoted_title(p: Page) -> Mask:
    """Two capitalised words or more in quotation marks: a work's title."""
    quoted = has(p.before_flags, "quote") & has(p.after_flags, "quote")
    return quoted & (p.length >= 2) & ~p.loud
