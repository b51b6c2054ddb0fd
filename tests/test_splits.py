"""Splits: nothing alike on two sides, against a comparison of all pairs."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.errors import InputError
from weaklabel.splits import families, split

SENTENCE = "anna berg met the minister in oslo on a cold monday before trade talks with acme"
WORDS = SENTENCE.split()


def shingles(text: str) -> set[str]:
    plain = " ".join(text.casefold().split())
    return {plain[i : i + 5] for i in range(max(len(plain) - 4, 1))}


def planted(n: int, seed: int) -> list[str]:
    """Texts of which half are another one with a word changed."""
    dice = random.Random(seed)
    texts: list[str] = []
    for _ in range(n):
        if texts and dice.random() < 0.5:
            words = dice.choice(texts).split()
            words[dice.randrange(len(words))] = dice.choice(WORDS)
            texts.append("  ".join(words).upper() if dice.random() < 0.5 else " ".join(words))
        else:
            texts.append(" ".join(dice.choices(WORDS, k=dice.randint(1, 40))))
    return texts


def brute_force_families(texts: list[str], similarity: float) -> list[int]:
    sets = [shingles(text) for text in texts]
    root = list(range(len(texts)))
    for i in range(len(texts)):
        for j in range(i):
            alike = len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= similarity
            if alike and root[i] != root[j]:
                low, high = sorted((root[i], root[j]))
                root = [low if r == high else r for r in root]
    return root


@pytest.mark.parametrize("similarity", [0.7, 0.8, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_families_are_those_of_a_comparison_of_all_pairs(similarity: float, seed: int) -> None:
    texts = planted(150, seed)
    found = families(texts, similarity=similarity)
    assert found == brute_force_families(texts, similarity)
    assert len(set(found)) < len(texts)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 5)), max_size=25), st.integers(0, 9))
def test_groups_and_duplicates_are_never_torn_apart(items, seed) -> None:
    texts, groups = [text for text, _ in items], [group for _, group in items]
    names = split(texts, groups=groups, seed=seed)
    for i in range(len(items)):
        for j in range(i):
            same_text = texts[i].casefold().split() == texts[j].casefold().split()
            if groups[i] == groups[j] or same_text:
                assert names[i] == names[j]


def test_fractions_are_met_and_the_seed_decides() -> None:
    texts = [f"{i * 7919 % 100_003:06d} {i * 104_729 % 999_983:06d}" for i in range(1000)]
    names = split(texts, seed=1)
    assert Counter(names) == {"train": 800, "dev": 100, "test": 100}
    assert names == split(texts, seed=1)
    assert names != split(texts, seed=2)
    halves = split(texts, fractions={"a": 0.5, "b": 0.5})
    assert Counter(halves) == {"a": 500, "b": 500}


def test_no_texts_and_surrogates_and_scripts_without_spaces() -> None:
    assert split([]) == []
    assert families(["", " ", "東京は日本の首都です。", "東京は日本の首都です", "\ud800x"]) == [
        0,
        0,
        2,
        2,
        4,
    ]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"fractions": {"a": 0.5}}, "add up to 0.5, expected 1"),
        ({"fractions": {"a": 1.5, "b": -0.5}}, "between 0 and 1"),
        ({"groups": [1]}, "1 groups for 2 texts"),
        ({"similarity": 0}, "similarity 0 should be above 0"),
    ],
)
def test_wrong_settings(settings_, message) -> None:
    with pytest.raises(InputError, match=message):
        split(["a", "b"], **settings_)
