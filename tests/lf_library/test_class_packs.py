"""Spam, sentiment and news topics: what each source must and must not fire on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import weaklabel as wl
from lf_library.lexical import Balance, Length, read_lists
from lf_library.news_topics import news_topics
from lf_library.sentiment import sentiment
from lf_library.spam import spam
from weaklabel.formats.wrench import read_wrench

PACKS = {"spam": spam(), "sentiment": sentiment(), "news_topics": news_topics()}

FIRES = {
    "spam_link": "see www.example.org now", "spam_subscribe": "please SUBSCRIBE to me",
    "spam_check_out": "check this guy out", "spam_my_channel": "visit my new channel",
    "spam_please": "please could you help us", "spam_money": "earn money at home, $ 500",
    "spam_offer": "claim it, a prize", "spam_social": "I am on Facebook",
    "spam_giveaway": "a giveaway of phones", "spam_self": "I'm a rapper from Oslo",
    "spam_likes": "thumbs up if you agree", "ham_loves": "I love this so much",
    "ham_praises": "what a great song", "ham_about_it": "the lyrics say it all",
    "ham_small_talk": "hahaha lol", "ham_views": "two billion views", "ham_short": "so sad",
    "words": "an awful, boring evening", "words_clear": "awful boring dull stupid film",
    "positive_recommends": "I highly recommend it", "positive_returns": "we will be back",
    "positive_best": "it is the best in town", "positive_loved": "we really enjoyed it",
    "positive_ten": "ten out of ten", "negative_waste": "what a waste of time",
    "negative_never": "never going there", "negative_worst": "the worst film of all",
    "negative_money_back": "I want a refund", "negative_plot": "it has no plot",
    "negative_low_marks": "one star for this", "negative_least": "mediocre at best",
    "world_war": "Troops killed near the border", "world_politics": "The president met voters",
    "world_place": "Talks in Gaza went on", "world_disaster": "An earthquake and floods",
    "sports_game": "In the season's first game", "sports_sport": "Olympic swimming and tennis",
    "sports_people": "The coach and his players", "sports_result": "They won 3-1, a shutout",
    "sports_club": "The Red Sox and Real Madrid", "business_market": "Stocks and bonds fell",
    "business_results": "Quarterly profits rose", "business_deal": "A takeover and layoffs",
    "business_economy": "Inflation and the Fed", "business_industry": "Oil prices and Boeing",
    "technology_computers": "Linux on servers", "technology_internet": "A worm sent spam online",
    "technology_gadgets": "A handset with a camera", "technology_science": "NASA sees Saturn",
}  # fmt: skip
"""Source -> a text on which it fires."""

PLAIN = "The meeting of the garden society was held on a Tuesday in the usual room by the river."
"""A text on which none does."""


def fired(source: object, texts: list[str]) -> list[int]:
    shard = wl.Corpus.from_texts(texts).one_shard()
    return sorted(source(shard).document.tolist())  # type: ignore[operator]


@pytest.mark.parametrize("name", [s.name for pack in PACKS.values() for s in pack])
def test_a_source_fires_on_its_text_and_not_on_plain_prose(name: str) -> None:
    source = next(s for pack in PACKS.values() for s in pack if s.name == name)
    assert fired(source, [FIRES[name], PLAIN, ""][: 2 if name == "ham_short" else 3]) == [0]


def test_parts_of_words_do_not_count_for_topics() -> None:
    texts = ["A warm reward for the award", "Hotfixes and steamboats", "An agreement was recoined"]
    for source in PACKS["news_topics"]:
        assert fired(source, texts) == [], source.name


def test_negation_turns_a_word_around() -> None:
    balance = Balance("b", ("bad", "good"), {"great": 1.0, "awful": -1.0})
    texts = ["a great day", "not a great day", "it was n't awful", "great but awful", "a day"]
    cast = balance(wl.Corpus.from_texts(texts).one_shard())
    assert dict(zip(cast.document.tolist(), cast.label.tolist(), strict=True)) == {0: 1, 1: 0, 2: 1}


def test_lengths_are_counted_in_tokens() -> None:
    texts = ["", "one", "one two", "one two three"]
    assert fired(Length("l", ("x",), low=1, high=2), texts) == [1, 2]


def test_labels_can_be_renamed() -> None:
    renamed = [*spam(name="s", spam="1", ham="0"), *news_topics(technology="Tech")]
    labels = {label for source in renamed for label in source.labels}
    assert labels == {"0", "1", "World", "Sports", "Business", "Tech"}
    assert renamed[0].name == "s_spam_link"


def test_every_list_is_a_list_of_strings() -> None:
    for name in PACKS:
        for subjects in read_lists(name).values():
            for parts in subjects.values():
                assert parts
                assert all(isinstance(part, str) for part in parts)


@pytest.mark.parametrize(
    ("dataset", "labels", "pack", "floor"),
    [
        ("youtube", ("HAM", "SPAM"), "spam", 0.80),
        ("yelp", ("negative", "positive"), "sentiment", 0.75),
        ("agnews", ("World", "Sports", "Business", "Sci/Tech"), "news_topics", 0.60),
    ],
)
def test_a_plain_majority_of_the_pack_is_far_above_chance(
    shared_data: Path, dataset: str, labels: tuple[str, ...], pack: str, floor: float
) -> None:
    split = read_wrench(shared_data / "wrench" / dataset, "valid")
    shard, truth = split.shard().select_documents(np.arange(100)), split.gold.label[:100]
    task = wl.Task("classes", labels)
    votes = wl.apply_sources(shard, PACKS[pack], task).votes
    counts = np.zeros((100, len(labels)))
    np.add.at(counts, (votes.document, votes.label), 1)
    best = counts == counts.max(axis=1, keepdims=True)
    assert (best[np.arange(100), truth] / best.sum(axis=1)).mean() > floor
