"""Queue, leases, decisions and their way back: planted answers, two reviewers, a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weaklabel as wl
from weaklabel.review.agreement import agreement_of, cohen_kappa, krippendorff_alpha
from weaklabel.review.decided import decided_gold
from weaklabel.review.queue import open_queue
from weaklabel.review.store import AlreadyDecided, Filter, Store


@pytest.fixture
def store(tiny_run):
    opened = open_queue(tiny_run)
    yield opened
    opened.close()


def test_two_reviewers_never_hold_the_same_item(store) -> None:
    seen = {}
    for turn in range(6):
        for name in ("Ada", "Bo"):
            item = store.next(name)
            assert seen.setdefault(item.id, name) == name
            if turn % 2:
                store.decide(item.id, name, "reject", {"spans": [], "none": []})


def test_a_lease_runs_out(store) -> None:
    first = store.next("Ada", now=0.0)
    assert store.next("Bo", now=1.0).id != first.id
    assert store.next("Cy", now=601.0).id == first.id


def test_filters_give_what_they_say_in_the_order_of_the_queue(store) -> None:
    for wanted in (
        Filter(label="PER"),
        Filter(issue="spurious"),
        Filter(source="caps", task="entities"),
        Filter(label="none"),
    ):
        item = store.next("Ada", wanted)
        expected = [
            i.id
            for i in store.first(1000)
            if wanted.label in ("", i.label, "none" if not i.label else "")
            and wanted.issue in ("", i.issue)
            and wanted.task in ("", i.task)
            and (not wanted.source or wanted.source in i.detail["sources"])
        ]
        assert (item.id if item else None) == (expected[0] if expected else None)


def test_second_thoughts_disagreement_and_undo(store) -> None:
    item = store.next("Ada")
    store.decide(item.id, "Ada", "accept", {"spans": [], "none": [[0, 1]]})
    with pytest.raises(AlreadyDecided):
        store.decide(item.id, "Bo", "relabel", {"spans": [[item.start, item.end, "PER"]]})
    said = {"spans": [[item.start, item.end, "PER"]], "none": []}
    store.decide(item.id, "Bo", "relabel", said, second=True)
    assert [i.id for i in store.disputed()] == [item.id]
    assert store.undo("Bo") == item.id
    assert store.disputed() == []
    assert store.progress()["decided"] == 1
    assert store.undo("Ada") == item.id
    assert store.progress()["decided"] == 0
    assert store.undo("Ada") is None


def test_skipped_items_come_back_on_request(store) -> None:
    item = store.next("Ada")
    store.skip(item.id, "Ada")
    assert store.next("Ada").id != item.id
    assert store.next("Ada", Filter(queue="skipped")).id == item.id


def test_decisions_become_gold_in_tokens(tiny_run, store) -> None:
    asked = [i for i in store.first(1000) if i.task == "entities"]
    by_quote = {store.document(i.document)[1]["text"][i.start : i.end]: i for i in reversed(asked)}
    anna, acme = by_quote["Anna Berg"], by_quote["Acme Corp"]
    moved = [acme.start, acme.end - 5, "ORG"]
    store.decide(anna.id, "Ada", "accept", {"spans": [[anna.start, anna.end, "PER"]], "none": []})
    said = {"spans": [moved], "none": [[acme.start, acme.end]], "complete": True}
    store.decide(acme.id, "Ada", "adjust", said)
    store.decide(anna.id, "Bo", "reject", {"spans": [], "none": [[0, 9]]}, second=True)
    gold = decided_gold(tiny_run.folder, tiny_run.tasks["entities"], tiny_run.shards)
    assert gold is not None
    rows = set()
    for n, one in enumerate(gold):
        shard = tiny_run.shards[n]
        for d, s, e, k in zip(one.document, one.start, one.end, one.label, strict=True):
            rows.add((shard.ids[d], " ".join(shard.tokens(d)[s:e]), int(k)))
    document = store.document(acme.document)[0]
    assert rows == {(document, "Acme", 2), (document, "Acme Corp", -1)}, "a tie says nothing"
    complete = [tiny_run.shards[n].ids[d] for n, one in enumerate(gold) for d in one.complete]
    assert complete == [document]


def test_class_decisions_become_gold(tiny_run, store) -> None:
    item = next(i for i in store.first(1000) if i.task == "topic")
    store.decide(item.id, "Ada", "relabel", {"classes": ["trade"]})
    gold = decided_gold(tiny_run.folder, tiny_run.tasks["topic"], tiny_run.shards)
    assert gold is not None
    assert [one.label.tolist() for one in gold if len(one)] == [[1]]


def test_no_decision_is_no_gold(tiny_run) -> None:
    assert decided_gold(tiny_run.folder, tiny_run.tasks["topic"], tiny_run.shards) is None


WRITER = """
import sys
from weaklabel.review.store import Store
store = Store(sys.argv[1])
while (item := store.next("Ada")) is not None:
    store.decide(item.id, "Ada", "reject", {"spans": [], "none": []})
    print(item.id, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tiny_run) -> None:
    store = open_queue(tiny_run)
    store.close()
    command = [sys.executable, "-c", WRITER, str(store.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        said += [int(line) for line in writer.stdout if line.endswith("\n")]
    again = Store(store.path)
    assert all(again.decisions_on(item) for item in said)
    again.close()


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "review.sqlite").write_text("not a database, but long enough to be looked at" * 9)
    with pytest.raises(wl.WeaklabelError, match="cannot be used as a review database"):
        Store(tmp_path / "review.sqlite")


def test_agreement_on_planted_answers(store) -> None:
    # Krippendorff (2011), nominal example with two coders
    a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    units = [[str(x), str(y)] for x, y in zip(a, b, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.095, abs=0.001)
    pairs = [(str(x), str(y)) for x, y in zip(a, b, strict=True)]
    observed, chance = 0.6, 0.8 * 0.6 + 0.2 * 0.4
    assert cohen_kappa(pairs) == pytest.approx((observed - chance) / (1 - chance))
    items = store.first(4)
    for n, item in enumerate(items):
        store.decide(item.id, "Ada", "reject", {"spans": [], "none": []})
        said = {"spans": [[item.start, item.end, "PER"]] if n == 0 else [], "none": []}
        store.decide(item.id, "Bo", "x", said, second=True)
    found = agreement_of(store.decisions())
    assert found.decided == {"Ada": 4, "Bo": 4}
    assert found.pairs[0].agreed == 0.75


def test_the_same_run_gives_the_same_queue(equal_runs: tuple[Any, Any]) -> None:
    stores = [open_queue(run) for run in equal_runs]
    assert stores[0].first(1000) == stores[1].first(1000)
    for one in stores:
        one.close()


def test_cover_asks_first_where_doubt_is_shared() -> None:
    from weaklabel.review.rank import cover

    group = np.array([[0], [0], [0], [1], [2]])
    order = cover(group, np.array([0.5, 0.5, 0.5, 0.9, 0.1]))
    assert order.tolist()[:2] == [0, 3]
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    assert cover(group, np.ones(5), most=2).tolist()[3:] == [3, 4]
