"""Which documents the text is learned from: the smallest hashes, however the corpus is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.corpus import Document, Shard
from weaklabel.models.context import Choice, text_keys

WORDS = ("a", "b", "a b", "c c c", "d e f g", "", "b a", "same same")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(1, 6),
)
def test_the_smallest_keys_up_to_enough_tokens(texts: list[str], enough: int, size: int) -> None:
    whole = Shard.from_documents(Document(str(i), text) for i, text in enumerate(texts))
    keys, length = text_keys(whole).tolist(), whole.n_tokens.tolist()
    order = sorted(range(len(texts)), key=lambda i: (keys[i], i))
    taken: set[int] = set()
    for n, i in enumerate(order):
        if sum(length[j] for j in order[:n]) < enough and n < enough:
            taken.add(i)
    last = max(keys[i] for i in taken)

    chosen = Choice(enough)
    parts = [np.arange(i, min(i + size, len(texts))) for i in range(0, len(texts), size)]
    for index in reversed(range(len(parts))):
        part = Choice(enough)
        part.add(index, whole.select_documents(parts[index]))
        chosen.plus(part)
    found = {int(parts[i][d]) for i, docs in chosen.by_shard().items() for d in docs}
    assert taken <= found
    assert all(keys[i] == last for i in found - taken)  # only texts like the last one
