"""Corpus, votes and apply on small inputs whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.corpus import Document, check_ids
from weaklabel.errors import InputError, SourceError, VotesError

TASK = wl.Task("spans", ("PER", "LOC"), groups={"ENT": ("PER", "LOC")})
TEXT = "Zoë 👩‍👩‍👧 met Anna\r\nBerg in Os\u0301lo. \u05e9\u05dc\u05d5\u05dd"


def test_offsets_are_exact_through_emoji_combining_marks_crlf_and_rtl() -> None:
    shard = wl.Corpus.from_texts([TEXT, "", "  ", "Oslo"]).one_shard()
    for d in range(len(shard)):
        low, high = shard.indptr[d], shard.indptr[d + 1]
        words = [
            shard.texts[d][a:b]
            for a, b in zip(shard.starts[low:high], shard.ends[low:high], strict=True)
        ]
        assert words == shard.tokens(d)
        assert "".join(words) == "".join(shard.texts[d].split())
        assert len(shard.doc(d)) == len(words)


def test_align_widens_to_tokens_and_says_what_was_exact() -> None:
    shard = wl.Corpus.from_texts(["x", "Anna Berg lives"]).one_shard()
    start, end, exact = shard.align([1, 1, 1, 1], [0, 5, 2, 4], [9, 9, 7, 5])
    assert start.tolist() == [0, 1, 0, 1]
    assert end.tolist() == [2, 2, 2, 1]
    assert exact.tolist() == [True, True, False, False]


def test_long_text_is_cut_only_at_white_space(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Dr. Anna O'Neil's e-mail: a.b@c.de, (Oslo) U.S.A. isn't\n\n" * 40
    whole = wl.Corpus.from_texts([text]).one_shard()
    monkeypatch.setattr("weaklabel.tokenizer._PIECE", 37)
    pieces = wl.Corpus.from_texts([text]).one_shard()
    assert pieces.tokens(0) == whole.tokens(0)
    assert (pieces.starts == whole.starts).all()


def test_votes_round_trip_and_select(tmp_path) -> None:
    votes = wl.Votes.build(
        TASK,
        ["a", wl.Voter("b", ("PER",), "exhaustive", "g")],
        [5, 0, 3],
        document=[2, 0, 0],
        start=[0, 1, 1],
        end=[2, 3, 3],
        source=[1, 0, 0],
        label=[0, 1, 1],
        confidence=[0.5, 0.2, 0.9],
        looked=[None, [2, 0]],
    )
    assert len(votes) == 2
    assert votes.confidence[0] == np.float32(0.9)
    votes.save(tmp_path / "v.parquet")
    again = wl.Votes.load(tmp_path / "v.parquet")
    assert again.task == votes.task
    assert again.voters == votes.voters
    assert again.looked[1].tolist() == [0, 2]
    part = votes.select_documents([2])
    assert part.document.tolist() == [0]
    assert part.looked[1].tolist() == [0]
    both = wl.Votes.concatenate([votes, votes])
    assert both.document.tolist() == [0, 2, 3, 5]
    assert both.looked[1].tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": [9]}, "label 9, expected 0 to 2"),
        ({"end": [9]}, "tokens 0 to 9 of document 0, which has 5"),
        ({"confidence": [float("nan")]}, "confidence nan"),
    ],
)
def test_bad_votes_are_one_clear_line(change, message) -> None:
    columns = {"document": [0], "start": [0], "end": [1], "source": [0], "label": [0]} | change
    with pytest.raises(VotesError, match=message):
        wl.Votes.build(TASK, ["a"], [5], **columns)


class Caps:
    name, labels, kind, group = "caps", ("ENT",), "spotter", None

    def __init__(self, cast: wl.Cast) -> None:
        self.cast = cast

    def __call__(self, shard: wl.Shard) -> wl.Cast:
        return self.cast


def test_apply_counts_what_it_drops() -> None:
    shard = wl.Corpus.from_texts(["Anna Berg lives in Oslo"]).one_shard()
    cast = wl.Cast.of(("ENT",), [0, 0, 0], [0, 5, 1], [9, 9, 3], unit="character")
    applied = wl.apply_sources(shard, [Caps(cast)], TASK)
    counts = applied.counts["caps"]
    assert (counts.votes, counts.overlapping, counts.misaligned) == (1, 1, 1)
    assert applied.votes.start.tolist() == [0]
    assert applied.votes.label.tolist() == [2]


def test_a_failed_document_is_missing_not_silent() -> None:
    shard = wl.Corpus.from_texts(["a b", "c d"]).one_shard()
    cast = wl.Cast.of(("ENT",), [1, 0], [0, 0], [1, 1], failed={1: "ValueError: x"})
    with pytest.raises(SourceError, match="'caps' failed on document '1': ValueError: x"):
        wl.apply_sources(shard, [Caps(cast)], TASK)
    applied = wl.apply_sources(shard, [Caps(cast)], TASK, on_error="skip")
    assert applied.votes.looked[0].tolist() == [0]
    assert applied.votes.document.tolist() == [0]


@pytest.mark.parametrize("twice", [7, 41, 130])
def test_an_id_that_comes_again_is_found_however_far_back(
    twice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weaklabel.corpus.ID_BLOCK", 40)
    ids = [str(i) for i in range(200)]
    assert [d.id for d in check_ids(Document(i, "") for i in ids)] == ids
    ids[150] = str(twice)
    with pytest.raises(InputError, match=f"document 150: id '{twice}' was used before"):
        list(check_ids(Document(i, "") for i in ids))
