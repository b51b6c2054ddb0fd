"""Rules for persons."""

from __future__ import annotations

from .lexicon import has
from .page import Page
from .rule import rule
from .tokens import Mask


def _other(p: Page) -> Mask:
    """Stretches that some word marks as an organisation, an event or a place."""
    marked = has(p.last, "org_tail", "event_tail", "loc_tail", "compound", "demonyms")
    return (
        marked
        | has(p.any, "digit", "ampersand")
        | has(p.known, "country", "place", "city", "organisation", "company", "team")
    )


def _institution(p: Page) -> Mask:
    return has(p.any, "org_head", "org_tail") & (p.length > 1)


def _elsewhere(p: Page) -> Mask:
    places = has(p.first, "country", "place", "city", "region", "town", "abbreviated_states")
    return places | has(p.first, "demonyms", "common", "mixed", "initial") | ~has(p.first, "cap")


def _surname(p: Page) -> Mask:
    return (p.length == 1) & has(p.first, "last") & ~_elsewhere(p) & ~_other(p)


def _could_be(p: Page) -> Mask:
    return (p.length <= 4) & ~_other(p) & ~has(p.first, "compass", "demonyms", "country", "place")


@rule("PER")
def person_full_name(p: Page) -> Mask:
    """A first name and more: "Anna Berg"."""
    return (p.length >= 2) & has(p.first, "first") & _could_be(p) & ~has(p.first, "org_head")


@rule("PER")
def person_initials(p: Page) -> Mask:
    """Initials and a surname: "J. Berg", "J.P. Berg"."""
    second = p.flags_at(p.word(1))
    initial = has(p.first, "initial") | (has(second, "initial") & (p.length > 2))
    place = has(p.first, "country", "place", "organisation")
    return initial & (p.length >= 2) & ~_other(p) & ~place & has(p.last, "cap")


@rule("PER")
def person_middle_initial(p: Page) -> Mask:
    """An initial in the middle: "Anna B. Berg"."""
    second = p.flags_at(p.word(1))
    plain = has(p.first, "cap") & has(p.last, "cap") & (p.length == 3)
    return plain & has(second, "initial") & ~_other(p) & ~has(p.first, "initial")


@rule("PER")
def person_titled(p: Page) -> Mask:
    """After a title: "Mr Berg", "President Berg"."""
    before = p.before_flags
    title = has(before, "titles") & has(before, "cap") & ~p.loud
    return title & _could_be(p)


@rule("PER")
def person_in_role(p: Page) -> Mask:
    """After a role: "spokesman Berg", "striker Anna Berg"."""
    before = p.before_flags
    role = has(before, "roles") & has(before, "lower")
    return role & _could_be(p)


@rule("PER")
def person_speaks(p: Page) -> Mask:
    """Beside a verb of speech: "Berg said", "said Berg"."""
    after, before = p.after_flags, p.before_flags
    end = p.after_flags
    said = has(after, "speech") | (has(before, "speech") & has(end, "stop", "comma", "punctuation"))
    alone = ~has(p.known, "country", "place", "city", "organisation", "demonyms", "newspaper")
    alone &= ~_institution(p) & ~p.is_word(p.after2, "it", "its")
    return said & alone & _could_be(p) & has(p.last, "cap") & ~p.loud


@rule("PER")
def person_of_age(p: Page) -> Mask:
    """Before an age: "Anna Berg , 35 ,"."""
    digits = has(p.after2_flags, "digit") & ~has(p.after2_flags, "score")
    ends = has(p.after3_flags, "comma", "stop")
    return has(p.after_flags, "comma") & digits & ends & _could_be(p) & (p.length >= 2)


@rule("PER")
def person_from_country(p: Page) -> Mask:
    """Before a country in parentheses, in a sport of single persons: "Anna Berg ( Norway )"."""
    inside = has(p.after2_flags, "country", "place")
    return has(p.after_flags, "opening") & inside & p.sport & ~p.teams & ~_other(p)


@rule("PER")
def person_known_athlete(p: Page) -> Mask:
    """In the user's list of athletes."""
    return has(p.known, "athlete") & (p.length >= 2) & ~has(p.known, "place", "country", "team")


@rule("PER")
def person_known_politician(p: Page) -> Mask:
    """In the user's list of politicians."""
    return has(p.known, "politician") & (p.length >= 2) & ~has(p.known, "place", "country", "team")


@rule("PER")
def person_known_parts(p: Page) -> Mask:
    """A known first name and a known surname."""
    two = (p.length >= 2) & has(p.first, "first") & has(p.last, "last")
    return two & _could_be(p)


@rule("PER")
def person_surname(p: Page) -> Mask:
    """A known surname alone that is no known place."""
    return _surname(p) & ~p.sport


@rule("PER")
def person_surname_in_sport(p: Page) -> Mask:
    """The same in documents about sport."""
    return _surname(p) & p.sport & ~has(p.known, "team")


@rule("PER")
def person_first_name(p: Page) -> Mask:
    """A known first name alone that is no known place."""
    return (p.length == 1) & has(p.first, "first") & ~_elsewhere(p) & ~has(p.first, "last")


@rule("PER")
def person_particle(p: Page) -> Mask:
    """A particle inside: "Anna van der Berg"."""
    particle = p.contains(p.tokens.has("particles") & p.tokens.has("lower"))
    return particle & ~_other(p) & (p.length <= 5) & has(p.last, "cap") & ~_institution(p)


@rule("PER")
def person_in_scorecard(p: Page) -> Mask:
    """In a cricket scorecard: "A. Berg c Holm b Lund 31", "A. Berg not out 94"."""
    word, second = p.is_word(p.after, "b", "c", "lbw", "st"), p.is_word(p.after2, "out")
    dismissed = p.is_word(p.before, "b", "c") & p.sport
    return (word | (p.is_word(p.after, "not", "run") & second) | dismissed) & ~p.loud & p.sport


@rule("PER")
def person_scored(p: Page) -> Mask:
    """Before the minute of a goal or a count in parentheses: "Berg ( 35th minute )"."""
    minute = has(p.after2_flags, "digit") & has(p.after_flags, "opening")
    listed = has(p.before_flags, "opening", "comma") & has(p.after_flags, "ordinal")
    return (minute | listed) & p.sport & p.teams & ~_other(p) & ~has(p.after2_flags, "score")
