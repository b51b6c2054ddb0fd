"""Persons, places, organisations and miscellaneous names in English newswire, by rules and lists.

Nothing here was trained. The rules see a shard through one ``Page``, in whole columns.
"""

from __future__ import annotations

from weaklabel.sources.base import AnySource

from . import miscellany, organisations, people, places, sport
from .rule import RULES, NewsRule

__all__ = ["miscellany", "newswire", "organisations", "people", "places", "sport"]


def newswire(gazetteers: str | None = None, name: str = "") -> list[AnySource]:
    """The pack's sources, for the labels PER, LOC, ORG and MISC.

    gazetteers: a folder of lists to know more names by (see ``folder``); the pack works without.
    name: put before each source's name, to tell two packs apart.
    """
    return [NewsRule(name + title, (label,), find, gazetteers) for title, label, find in RULES]
