"""Rules for sport: who stands in results and tables is a team, even if it has a city's name."""

from __future__ import annotations

from .lexicon import has
from .page import Page
from .rule import rule
from .tokens import Mask


def _nation(p: Page) -> Mask:
    return has(p.known, "country") | (
        p.is_word(p.end - 1, "england", "scotland", "wales", "ireland", "yugoslavia")
        & (p.length <= 2)
    )


def _at_line_start(p: Page) -> Mask:
    return p.at_start


@rule("ORG")
def team_result(p: Page) -> Mask:
    """In a line of two teams and their goals: "Brann 2 Viking 1"."""
    number = has(p.after_flags, "digit") & ~has(p.after_flags, "date", "score")
    second = has(p.after2_flags, "cap", "upper", "initial")
    before = p.before_flags
    first_of_two = number & second & p.at_start
    second_of_two = has(before, "digit") & number & (p.sentence_length <= 14)
    second_of_two &= has(p.flags_at(p.tokens.low[p.start]), "cap", "upper", "initial")
    return (first_of_two | second_of_two) & p.teams & ~_nation(p)


@rule("ORG")
def team_standing(p: Page) -> Mask:
    """At the start of a table's row: "Brann 3 2 1 0"."""
    first, second, third = p.after_flags, p.after2_flags, p.after3_flags
    row = has(first, "digit") & has(second, "digit") & has(third, "digit", "dash")
    return row & p.at_start & p.teams & ~_nation(p)


@rule("ORG")
def team_known(p: Page) -> Mask:
    """In the user's list of teams, in documents about sport."""
    place = has(p.known, "country", "place", "city", "town", "region")
    person = has(p.first, "first") & has(p.last, "last") & (p.length > 1) & ~p.teams
    person |= has(p.known, "athlete")
    return has(p.known, "team") & p.sport & ~place & ~person & ~has(p.first, "sport")


@rule("ORG")
def team_by_name(p: Page) -> Mask:
    """Named as clubs are: "Brann FC", "Lillestrom United"."""
    tail = p.is_word(
        p.end - 1, "fc", "united", "city", "rovers", "wanderers", "rangers", "athletic", "albion",
        "county", "hotspur", "villa", "town", "palace", "forest", "wednesday",
    )  # fmt: skip
    head = p.is_word(
        p.start, "fc", "f.c", "ac", "real", "dynamo", "dinamo", "spartak", "cska", "lokomotiv",
        "sporting", "borussia", "bayern", "maccabi", "hapoel", "ifk", "racing", "atletico",
        "olympique", "inter", "sparta", "slavia", "torpedo", "partizan", "steaua", "rapid",
        "psv", "nec", "rkc", "nac", "hansa", "fortuna", "werder", "vfb", "sv", "msv", "1860",
    )  # fmt: skip
    return (tail | head) & p.sport & (p.length >= 2)


@rule("ORG")
def team_city(p: Page) -> Mask:
    """A city or town in a document about teams that no preposition of place goes before."""
    place = has(p.known, "city", "town", "region") & ~_nation(p)
    where = p.is_word(p.before, "in", "at", "near", "from", "of", "to", "outside")
    date = has(p.after_flags, "date", "comma") | has(p.before_flags, "comma")
    person = has(p.first, "first") & (p.length == 1)
    return place & p.teams & ~where & ~date & ~person


@rule("ORG")
def team_the(p: Page) -> Mask:
    """A plural after "the" in a document about teams: "the Bruins"."""
    the = p.is_word(p.before, "the") & (p.length == 1)
    return the & p.teams & has(p.first, "cap") & ~has(p.first, "demonyms", "country") & _plural(p)


def _plural(p: Page) -> Mask:
    return has(p.known, "team") | has(p.first, "plural")


@rule("ORG")
def team_in_parentheses(p: Page) -> Mask:
    """A club in parentheses behind a player: "Anna Berg ( Brann )"."""
    alone = has(p.before_flags, "opening") & has(p.after_flags, "closing")
    person = has(p.flags_at(p.before2), "cap", "upper")
    return alone & person & p.teams & ~_nation(p) & ~has(p.known, "country", "place")


@rule("ORG")
def team_from_country(p: Page) -> Mask:
    """Before a country in parentheses, in a sport of teams: "Brann ( Norway )"."""
    inside = has(p.after2_flags, "country", "place")
    person = has(p.first, "first", "initial") | has(p.known, "athlete") | has(p.first, "country")
    return has(p.after_flags, "opening") & inside & p.teams & ~person


@rule("ORG")
def team_against(p: Page) -> Mask:
    """Who plays whom, in a document about teams: "beat Brann", "Brann v Viking"."""
    verbs = ("beat", "v", "vs", "against", "over", "defeated", "edged", "drew", "lost", "won")
    before = p.is_word(p.before, *verbs[:7])
    after = p.is_word(p.after, "beat", "v", "vs", "drew", "lost", "won", "defeated")
    person = has(p.first, "first", "initial") & (p.length > 1)
    return (before | after) & p.teams & ~_nation(p) & ~person & ~has(p.known, "place", "demonyms")


@rule("ORG")
def team_of_racer(p: Page) -> Mask:
    """Behind a racer's country: "1. Anna Berg ( Norway ) Lotto 4:12:05"."""
    country = has(p.before_flags, "closing") & has(p.flags_at(p.before2), "country", "place")
    person = has(p.first, "first") & (p.length > 1)
    return country & p.sport & ~p.teams & ~person & ~has(p.after_flags, "opening")


@rule("ORG")
def team_scheduled(p: Page) -> Mask:
    """Who plays away in a schedule in capitals: "BRANN AT VIKING"."""
    return p.loud & p.teams & p.is_word(p.after, "at") & (p.sentence_length <= 8)


@rule("LOC")
def place_scheduled(p: Page) -> Mask:
    """Where it is played: "BRANN AT VIKING"."""
    return p.loud & p.teams & p.is_word(p.before, "at") & (p.sentence_length <= 8)
