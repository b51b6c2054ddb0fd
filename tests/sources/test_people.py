"""People as sources: annotation layers, crowd tables, preferences; labels that say too little."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import weaklabel as wl
from weaklabel.errors import SourceError
from weaklabel.sources.annotations import Annotations, annotators
from weaklabel.sources.crowd import crowd, pairwise

SPANS = wl.Task("spans", ("PER", "LOC"), groups={"ENT": ("PER", "LOC")})
CLASSES = wl.Task("classes", ("yes", "no"))


def items(*ids: str) -> wl.Shard:
    return wl.Shard.from_documents([wl.Document(i, "text") for i in ids])


def test_a_layer_as_distant_supervision() -> None:
    layer = (wl.Annotation(0, 4, "person"), wl.Annotation(5, 7, "date"))
    shard = wl.Shard.from_documents(
        [
            wl.Document("a", "Anna in Oslo", spans={"old": layer}),
            wl.Document("b", "Berg", spans={"old": ()}),
            wl.Document("c", "Berg"),
        ]
    )
    source = Annotations("distant", "old", {"person": "PER"})
    applied = wl.apply_sources(shard, [source], SPANS)
    assert applied.votes.looked[0].tolist() == [0, 1]
    assert (applied.votes.start.tolist(), applied.votes.end.tolist()) == ([0], [1])
    assert applied.counts["distant"].other == {"other labels": 1}


def test_annotators_are_one_source_each_and_may_say_too_little() -> None:
    spans = {"ann": (wl.Annotation(0, 4, "ENT"),), "bob": (wl.Annotation(0, 4, "PER"),)}
    shard = wl.Shard.from_documents([wl.Document("a", "Anna", spans=spans)])
    made = annotators("team", {"Ann": "ann", "Bob": "bob"}, ["PER", "LOC", "ENT"])
    votes = wl.apply_sources(shard, made, SPANS).votes
    assert votes.names == ("team.Ann", "team.Bob")
    assert votes.label.tolist() == [SPANS.label_id("ENT"), SPANS.label_id("PER")]
    assert SPANS.compatible[votes.label[0]].tolist() == [True, True]
    assert {voter.kind for voter in votes.voters} == {"exhaustive"}


TABLE = "item,worker,label\n1,w1,yes\n2,w1,no\n2,w2,yes\n3,w2,\n"


def test_a_crowd_table_is_one_source_per_worker(tmp_path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    made = crowd("crowd", tmp_path / "t.csv")
    votes = wl.apply_sources(items("1", "2", "3", "4"), made, CLASSES).votes
    assert votes.names == ("crowd.w1", "crowd.w2")
    assert votes.class_matrix().tolist() == [[0, -1], [1, 0], [-1, -1], [-1, -1]]
    assert [looked.tolist() for looked in votes.looked] == [[0, 1], [1, 2]]


def test_parquet_and_other_names_and_numbers(tmp_path) -> None:
    table = pa.table({"task": [1, 2], "who": ["a", "a"], "answer": [1, 0]})
    pq.write_table(table, tmp_path / "t.parquet")
    columns = ("task", "who", "answer")
    made = crowd("c", tmp_path / "t.parquet", labels={"1": "yes", "0": "no"}, columns=columns)
    votes = wl.apply_sources(items("1", "2"), made, CLASSES).votes
    assert votes.class_matrix().tolist() == [[0], [1]]


def test_who_answers_twice_is_an_error_or_a_rule(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("item,worker,label\n" + "7,w,no\n7,w,yes\n7,w,yes\n")
    with pytest.raises(SourceError, match="worker 'w' answers item '7' 3 times"):
        crowd("c", path)
    (first,) = crowd("c", path, duplicates="first")
    (most,) = crowd("c", path, duplicates="majority")
    assert (first.answers, most.answers) == ({"7": "no"}, {"7": "yes"})


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("item,who,label\n", {}, "no column 'worker'; columns: item, who, label"),
        (TABLE, {"labels": {"yes": "yes"}}, r"t.csv:3: answer 'no', expected yes"),
        (TABLE, {"duplicates": "last"}, "duplicates is 'last'"),
    ],
)
def test_mistakes_in_tables_are_one_line(tmp_path, text, settings, message) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError, match=message):
        crowd("c", tmp_path / "t.csv", **settings)


def test_preferences_vote_on_a_and_b(tmp_path) -> None:
    (tmp_path / "p.csv").write_text("item,worker,choice\n1,w,A\n2,w,B\n3,w,tie\n")
    (worker,) = pairwise("p", tmp_path / "p.csv")
    task = wl.Task("classes", ("A", "B"))
    votes = wl.apply_sources(items("1", "2", "3", "4"), [worker], task).votes
    assert votes.class_matrix().tolist() == [[0], [1], [-1], [-1]]
    assert votes.looked[0].tolist() == [0, 1, 2]
