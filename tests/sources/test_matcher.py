"""Token patterns against spaCy's own Matcher."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.matcher import Matcher

import weaklabel as wl
from weaklabel.errors import SourceError
from weaklabel.language import blank

TASK = wl.Task("spans", ("X", "Y"))
PATTERNS = [
    [{"IS_TITLE": True}, {"LOWER": "corp"}],
    [{"IS_TITLE": True, "OP": "+"}, {"LOWER": {"IN": ["corp", "inc."]}}],
    [{"TEXT": {"REGEX": "^[A-Z]"}}, {"IS_PUNCT": True, "OP": "?"}, {"LIKE_NUM": True}],
    [{"LENGTH": {">=": 4}}],
    [{}, {"LOWER": "of"}, {"OP": "!"}],
    [{"LOWER": "acme", "OP": "{2}"}],
    [{"TEXT": {"FUZZY": "Acme"}}],
]
words = st.sampled_from(["Acme", "acme", "Corp", "Inc.", "of", ",", "12", "Acne", "X"])


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(words, max_size=9), min_size=1, max_size=3))
def test_the_votes_are_spacys_longest_matches(pattern, documents) -> None:
    shard = wl.Shard.from_documents(
        [wl.Document.from_tokens(str(i), [tokens]) for i, tokens in enumerate(documents)]
    )
    source = wl.TokenPattern("m", pattern, "X")
    votes = wl.apply_sources(shard, [source], TASK).votes
    matcher = Matcher(blank("en").vocab)
    matcher.add("m", [pattern])
    expected = []
    for d in range(len(shard)):
        taken: list[tuple[int, int]] = []
        matches = {(a, b) for _, a, b in matcher(shard.doc(d))}
        for a, b in sorted(matches, key=lambda span: (span[0] - span[1], span[0])):
            if all(b <= low or high <= a for low, high in taken):
                taken.append((a, b))
        expected += [(d, a, b) for a, b in sorted(taken)]
    columns = (votes.document.tolist(), votes.start.tolist(), votes.end.tolist())
    assert list(zip(*columns, strict=True)) == expected


def test_several_labels_in_one_source() -> None:
    source = wl.TokenPattern("m", {"X": [{"LOWER": "a"}], "Y": [[{"LOWER": "b"}], [{"TEXT": "c"}]]})
    votes = wl.apply_sources(wl.Corpus.from_texts(["A b c C"]).one_shard(), [source], TASK).votes
    assert votes.label.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("patterns", "label", "message"),
    [
        ([{"LOWR": "a"}], "X", "LOWR"),
        ([{"LOWER": "a"}], None, "set 'label'"),
        ("abc", "X", "a pattern is a list"),
    ],
)
def test_a_wrong_pattern_is_one_line(patterns, label, message) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        wl.TokenPattern("m", patterns, label)
    assert "\n" not in str(caught.value)
