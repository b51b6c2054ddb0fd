"""Names from a user's folder of gazetteers, by file name; what is missing is left out."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from weaklabel.errors import SourceError

from .packages import plain_too

LISTS = {
    "freebase/sports.pro_athlete": "athlete",
    "freebase/government.politician": "politician",
    "freebase/sports.sports_team": "team",
    "freebase/sports.sports_league": "league",
    "freebase/book.newspaper": "newspaper",
    "freebase/tv.tv_network": "newspaper",
    "freebase/government.government_agency": "agency",
    "freebase/education.university": "university",
    "freebase/business.sponsor": "company",
    "freebase/venture_capital.venture_funded_company": "company",
    "freebase/business.consumer_company": "company",
    "freebase/automotive.make": "company",
    "freebase/time.recurring_event": "event",
    "freebase/award.award": "event",
    "freebase/location.country": "country",
    "freebase/firstname.5k": "first",
    "freebase/lastname.5000": "last",
    "freebase/people.family_name": "last",
    "names/first_names/all.txt": "first",
    "names/first_names/us.txt": "first",
    "names/surnames/all.txt": "last",
    "names/surnames/us.txt": "last",
}
"""Files of one name a line, and the list each adds to."""


def names(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(list, names) pairs of every known file that the folder has."""
    for place, kind in LISTS.items():
        if (folder / place).is_file():
            yield kind, plain_too(_lines(folder / place))
    for place, read in _TABLES.items():
        if (folder / place).is_file():
            for kind, found in read(folder / place):
                yield kind, plain_too(found)


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return [line.strip() for line in text.splitlines()]


def _json(path: Path) -> Any:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return json.loads(data)
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(f"gazetteers: {path} is no JSON file ({error})") from None


def _countries(path: Path) -> Iterator[tuple[str, list[str]]]:
    countries = _json(path)
    yield "country", [country["name"]["common"] for country in countries]
    yield "city", [capital for country in countries for capital in country.get("capital", ())]
    english = [country.get("demonyms", {}).get("eng", {}) for country in countries]
    yield "demonyms", [name for names in english for name in names.values()]


def _cities(path: Path) -> Iterator[tuple[str, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    yield "town", [row["name"] for row in rows]
    yield "region", sorted({row["subcountry"] for row in rows})


def _places(path: Path) -> Iterator[tuple[str, list[str]]]:
    yield "region", [name for group in _json(path).values() for name in group]


def _companies(path: Path) -> Iterator[tuple[str, list[str]]]:
    # start-ups are named by single words of any kind: those say nothing
    yield "company", [n for group in _json(path).values() for n in group if " " in n]


def _first_names(path: Path) -> Iterator[tuple[str, list[str]]]:
    yield "first", _json(path)


_TABLES: dict[str, Callable[[Path], Iterator[tuple[str, list[str]]]]] = {
    "countries/countries.json": _countries,
    "world-cities/world-cities.csv": _cities,
    "skweak/geonames.json": _places,
    "skweak/first_names.json": _first_names,
    "skweak/crunchbase_companies.json.gz": _companies,
}
