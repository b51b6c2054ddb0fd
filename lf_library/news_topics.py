"""The topic of a short news item: world affairs, sports, business, science and technology."""

from __future__ import annotations

from weaklabel.sources.base import AnySource

from .lexical import patterns, read_lists


def news_topics(
    name: str = "news_topics",
    world: str = "World",
    sports: str = "Sports",
    business: str = "Business",
    technology: str = "Sci/Tech",
) -> list[AnySource]:
    """The pack's sources.

    world, sports, business, technology: what the task calls the classes. name: another than the
    pack's own goes before the name of each source.
    """
    prefix = "" if name == "news_topics" else f"{name}_"
    called = {"world": world, "sports": sports, "business": business, "technology": technology}
    return patterns(read_lists("news_topics"), called, prefix, whole_words=True)
