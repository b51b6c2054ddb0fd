"""Tags against seqeval: strict for valid sequences, its default mode for all others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from weaklabel.errors import InputError
from weaklabel.tags import decode, encode, split_tag

STRICT = {"IOB1": IOB1, "IOB2": IOB2, "BIOES": IOBES, "BILOU": BILOU}
LABELS = ("PER", "LOC", "B-X")


@st.composite
def span_lists(draw):
    n = draw(st.integers(0, 12))
    spans, position = [], 0
    while position < n:
        if draw(st.booleans()):
            end = draw(st.integers(position + 1, n))
            spans.append((position, end, draw(st.sampled_from(LABELS))))
            position = end
        else:
            position += 1
    return n, spans


def strict(tags: list[str], scheme: str) -> list[tuple[int, int, str]]:
    entities = Entities([tags], STRICT[scheme]).entities[0] if tags else []
    return [(e.start, e.end, e.tag) for e in entities]


@pytest.mark.parametrize("scheme", STRICT)
@given(span_lists())
def test_what_is_encoded_is_what_seqeval_strict_and_we_decode(scheme, case) -> None:
    n, spans = case
    tags = encode(n, spans, scheme)
    assert len(tags) == n
    assert decode(tags) == spans
    assert strict(tags, scheme) == spans


def sequences(prefixes: str):
    tag = st.one_of(
        st.just("O"), st.builds("{}-{}".format, st.sampled_from(prefixes), st.sampled_from(LABELS))
    )
    return st.lists(tag, max_size=15)


def inclusive(tags: list[str]) -> list[tuple[int, int, str]]:
    return [(start, end + 1, label) for label, start, end in get_entities(tags)]


@given(sequences("BI"))
def test_broken_iob_is_repaired_as_seqeval_does(tags) -> None:
    assert decode(tags) == inclusive(tags)


@given(sequences("BIES"))
def test_broken_bioes_is_repaired_as_seqeval_does(tags) -> None:
    assert decode(tags) == inclusive(tags)


@given(sequences("BILU"))
def test_bilou_is_bioes_with_other_letters(tags) -> None:
    letters = str.maketrans({"L": "E", "U": "S"})
    assert decode(tags) == decode([tag[:1].translate(letters) + tag[1:] for tag in tags])


@pytest.mark.parametrize("tag", ["PER", "B-", "X-PER", "-PER", "", "b-PER", "B", "BPER", "o"])
def test_unknown_tags_are_named(tag) -> None:
    with pytest.raises(InputError, match="is of no known scheme; expected O, or B-"):
        decode(["O", tag])


def test_labels_may_hold_dashes_and_schemes_are_known() -> None:
    assert split_tag("B-creative-work") == ("B", "creative-work")
    with pytest.raises(InputError, match="no tag scheme 'IOB'; known: IOB1"):
        encode(1, [], "IOB")
