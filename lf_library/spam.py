"""Spam in short messages and comments: what asks, sells, links or begs; and what is plain talk."""

from __future__ import annotations

from weaklabel.sources.base import AnySource

from .lexical import Length, patterns, read_lists

SHORT = 5
"""Tokens of a comment too short to sell anything."""


def spam(name: str = "spam", spam: str = "SPAM", ham: str = "HAM") -> list[AnySource]:
    """The pack's sources.

    spam, ham: what the task calls the two classes. name: another than the pack's own goes before
    the name of each source.
    """
    prefix = "" if name == "spam" else f"{name}_"
    sources = patterns(read_lists("spam"), {"spam": spam, "ham": ham}, prefix)
    return [*sources, Length(f"{prefix}ham_short", (ham,), high=SHORT)]
