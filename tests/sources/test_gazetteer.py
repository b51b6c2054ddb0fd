"""Gazetteers against a naive longest match, against skweak, and on names that are hard to tokenize."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

import weaklabel as wl

ATOM = re.compile(r"[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9]")


def naive(tokens: list[str], names: dict[str, list[str]], fold: bool) -> list[tuple]:
    """Leftmost longest: a span of whole tokens is a name if both have the same atoms."""

    def atoms(text: str) -> tuple[str, ...]:
        return tuple(ATOM.findall(text.lower() if fold else text))

    known: dict[tuple, set[str]] = {}
    for label, values in names.items():
        for value in values:
            known.setdefault(atoms(value), set()).add(label)
    known.pop((), None)
    found, i = [], 0
    while i < len(tokens):
        for j in range(len(tokens), i, -1):
            words = atoms(" ".join(tokens[i:j]))
            labels = set(known.get(words, set()))
            if not labels and len(atoms(tokens[j - 1])) > 1 and words[-1] == ".":
                labels = set(known.get(words[:-1], set()))
            if labels:
                found += [(i, j, label) for label in sorted(labels)]
                i = j - 1
                break
        i += 1
    return found


def matches(source, shard, document=0) -> list[tuple]:
    cast = source(shard)
    rows = zip(cast.document, cast.start, cast.end, cast.label, strict=True)
    return sorted((a, b, cast.labels[k]) for d, a, b, k in rows if d == document)


words = st.sampled_from(["a", "B", "b", "Inc", "Inc.", "3", "-", "x-y", "A3", ".", "U.S.", "US"])
phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(words, max_size=25),
    st.lists(phrases, max_size=6),
    st.lists(phrases, max_size=6),
    st.booleans(),
)
def test_matches_are_the_leftmost_longest_ones(tmp_path_factory, tokens, first, second, fold):
    cache = tmp_path_factory.getbasetemp() / "tries"
    names = {"A": first, "B": second}
    case = "insensitive" if fold else "exact"
    source = wl.Gazetteer("g", names=names, case=case, cache=cache)
    shard = wl.Shard.from_documents([wl.Document.from_tokens("0", [tokens])])
    assert matches(source, shard) == sorted(naive(tokens, names, fold))
