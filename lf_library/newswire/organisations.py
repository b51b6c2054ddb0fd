"""Rules for organisations."""

from __future__ import annotations

from .lexicon import has
from .page import Page
from .rule import rule
from .tokens import Mask


def _company_tail(p: Page) -> Mask:
    return p.is_word(
        p.end - 1, "inc", "corp", "co", "ltd", "plc", "llc", "lp", "gmbh", "ag", "sa", "nv", "bv",
        "oy", "ab", "spa", "limited", "incorporated", "corporation", "bancorp", "bhd", "berhad",
    )  # fmt: skip


@rule("ORG")
def organisation_company(p: Page) -> Mask:
    """Ends as companies do: "Berg Inc"."""
    return (p.length >= 2) & _company_tail(p)


@rule("ORG")
def organisation_by_kind(p: Page) -> Mask:
    """Ends with a kind of organisation: "Berg University"."""
    other = has(p.known, "country", "place", "league", "event") | has(p.first, "first")
    league = p.is_word(p.end - 1, "league", "union") & p.sport
    return (
        (p.length >= 2) & has(p.last, "org_tail") & ~_company_tail(p) & ~p.loud & ~other & ~league
    )


@rule("ORG")
def organisation_of(p: Page) -> Mask:
    """Begins with a kind of organisation: "Ministry of Trade", "Bank of Norway"."""
    second = p.word(1)
    third = p.word(2)
    head = has(p.first, "org_head") & p.is_word(second, "of", "for")
    later = has(p.flags_at(second), "org_head", "org_tail") & p.is_word(third, "of", "for")
    return (head | later) & ~has(p.last, "event_tail")


@rule("ORG")
def organisation_known(p: Page) -> Mask:
    """In the pack's own list."""
    return has(p.known, "organisation") & (has(p.first, "upper", "initial") | has(p.first, "cap"))


@rule("ORG")
def organisation_acronym(p: Page) -> Mask:
    """Two to five capitals in a line that is not in capitals: "OECD"."""
    known = has(p.known, "country", "place", "city", "demonyms", "misc_words", "months")
    word = has(p.first, "upper") & ~has(p.first, "initial", "common")
    word &= ~has(p.first, "mixed") & ~has(
        p.after_flags, "date", "comma", "digit", "closing", "colon"
    )
    return (p.length == 1) & word & ~known & ~p.loud & ~has(p.before_flags, "digit", "opening")


@rule("ORG")
def organisation_defined(p: Page) -> Mask:
    """Before its acronym in parentheses: "Norsk Berg ( NB )"."""
    inside = has(p.after2_flags, "upper") & has(p.after3_flags, "closing")
    known = has(p.after2_flags, "country", "place")
    return has(p.after_flags, "opening") & inside & ~known & (p.length >= 2)


@rule("ORG")
def organisation_its_acronym(p: Page) -> Mask:
    """An acronym in parentheses after a name: "Norsk Berg ( NB )"."""
    alone = has(p.before_flags, "opening") & has(p.after_flags, "closing")
    named = has(p.flags_at(p.before2), "cap") & ~has(p.flags_at(p.before2), "function")
    known = has(p.known, "country", "place")
    return alone & named & has(p.first, "upper") & (p.length == 1) & ~known & ~p.sport


@rule("ORG")
def organisation_ampersand(p: Page) -> Mask:
    """Joined by an ampersand: "Berg & Dal"."""
    return has(p.any, "ampersand")


@rule("ORG")
def organisation_company_known(p: Page) -> Mask:
    """In the user's list of companies, two words or more."""
    person = has(p.first, "first") & has(p.last, "last")
    return has(p.known, "company") & (p.length >= 2) & ~person & ~has(p.known, "place", "country")


@rule("ORG")
def organisation_agency_known(p: Page) -> Mask:
    """In the user's lists of agencies and universities."""
    return has(p.known, "agency", "university") & ~has(p.known, "country", "place", "city", "town")


@rule("ORG")
def organisation_newspaper(p: Page) -> Mask:
    """In the user's list of newspapers and broadcasters, near words of the press."""
    press = p.is_word(p.after, "newspaper", "daily", "magazine", "television", "radio", "reported")
    press |= p.is_word(p.before, "newspaper", "daily", "magazine", "television", "radio")
    return has(p.known, "newspaper") & (press | (p.length >= 2)) & ~has(p.known, "place")


@rule("ORG")
def organisation_bureau(p: Page) -> Mask:
    """The desk that signs a report: "-- Oslo newsroom , +47"."""
    desk = p.is_word(p.end - 1, "newsroom", "newsdesk", "bureau", "desk", "room")
    return desk & (p.length >= 2)


@rule("ORG")
def organisation_shares(p: Page) -> Mask:
    """Whose shares, profits or results are spoken of: "Berg shares", "Berg said it"."""
    business = p.is_word(
        p.after, "shares", "stock", "share", "profits", "profit", "q1", "q2", "q3", "q4", "unit",
        "sees", "net", "shareholders", "earnings",
    )  # fmt: skip
    said = p.is_word(p.after, "said") & p.is_word(p.after2, "it", "its")
    other = has(p.known, "country", "place", "city", "demonyms", "compound")
    return (business | said) & ~other & ~p.sport & ~has(p.any, "date") & ~p.loud


@rule("ORG")
def organisation_article(p: Page) -> Mask:
    """A foreign article and a capital: newspapers such as "La Jornada", "Le Populaire"."""
    article = p.is_word(p.start, "la", "le", "el", "les", "die", "der", "il")
    places = has(p.known, "country", "place", "city", "town", "region")
    return article & (p.length >= 2) & (p.length <= 3) & ~p.sport & ~places & ~p.loud
