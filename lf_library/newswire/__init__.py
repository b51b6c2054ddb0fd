"""Persons, places, organisations and miscellaneous names in English newswire, by rules and lists.

Nothing here was trained. The rules see a shard through one ``Page``, in whole columns.
"""

from __future__ import annotations

from pathlib import Path

from weaklabel.errors import SourceError
from weaklabel.sources.base import AnySource

from . import miscellany, organisations, people, places, sport
from .again import HOW, Again
from .rule import RULES, NewsRule

__all__ = ["miscellany", "newswire", "organisations", "people", "places", "sport"]


def newswire(gazetteers: str | Path | None = None, name: str = "newswire") -> list[AnySource]:
    """The pack's sources, for the labels PER, LOC, ORG and MISC.

    gazetteers: a folder of lists to know more names by (see ``folder``); the pack works without.
    name: another than the pack's own goes before the name of each source.
    """
    prefix = "" if name == "newswire" else f"{name}_"
    if gazetteers is not None and not Path(gazetteers).is_dir():
        raise SourceError(f"gazetteers: {str(gazetteers)!r} is no folder")
    lists = None if gazetteers is None else str(gazetteers)
    rules = [NewsRule(prefix + title, (label,), find, lists) for title, label, find in RULES]
    return [*rules, *(Again(f"{prefix}again_{how}", how, gazetteers=lists) for how in HOW)]
