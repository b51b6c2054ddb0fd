"""Praise and blame in reviews: words weighed against each other, and phrases that seldom err."""

from __future__ import annotations

from weaklabel.sources.base import AnySource

from .lexical import Balance, patterns, read_lists


def sentiment(
    name: str = "sentiment", positive: str = "positive", negative: str = "negative"
) -> list[AnySource]:
    """The pack's sources.

    positive, negative: what the task calls the two classes. name: another than the pack's own goes
    before the name of each source.
    """
    prefix = "" if name == "sentiment" else f"{name}_"
    lists = read_lists("sentiment")
    words = lists.pop("words")
    weights = dict.fromkeys(words["positive"], 1.0) | dict.fromkeys(words["negative"], -1.0)
    both = (negative, positive)
    return [
        Balance(f"{prefix}words", both, weights, margin=1.0),
        Balance(f"{prefix}words_clear", both, weights, margin=3.0),
        *patterns(lists, {"positive": positive, "negative": negative}, prefix),
    ]
