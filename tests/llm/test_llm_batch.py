"""The Batch API in two phases, against the server: partial, failed and expired results, crashes."""

from __future__ import annotations

import json

import pytest
from server import Server, document_of, oracle_spans
from test_llm_session import LABELS, bound, cast_spans, people, shard_of, texts, truth

from weaklabel.errors import JobError, RunError
from weaklabel.sources.llm import batch
from weaklabel.sources.llm.batch import BatchPending
from weaklabel.sources.llm.session import Session


def lines_sent(server) -> list[int]:
    return [len(server.files[b["input_file_id"]].splitlines()) for b in server.batches.values()]


def submit_and_collect(source, shard, rounds: int = 1):
    for _ in range(rounds):
        with pytest.raises(BatchPending, match="run again later"):
            source(shard)
    return source(shard)


def test_submit_then_collect_and_share_answers_with_live_calls(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batch, "MOST_LINES", 7)
    documents = texts(20)
    with Server() as server:
        live = people()
        bound(live, server, cache=tmp_path / "c.sqlite")
        live(shard_of(*documents[:3]))
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", batch=True)
        cast = submit_and_collect(source, shard_of(*documents))
        assert cast_spans(cast) == truth(documents)
        assert len(server.done) == 20
        assert lines_sent(server) == [7, 7, 3]
        line = json.loads(server.files["file-0"].splitlines()[0])
        assert set(line) == {"custom_id", "method", "url", "body"}
        assert line["url"] == "/v1/chat/completions"
        assert len(line["custom_id"]) == 64
        assert cast_spans(live(shard_of(*documents))) == truth(documents)
        assert len(server.done) == 20


def test_nothing_is_submitted_twice_while_it_is_under_way(tmp_path) -> None:
    with Server() as server:
        server.batch_polls = 3
        source = people()
        for _ in range(3):
            bound(source, server, cache=tmp_path / "c.sqlite", batch=True)
            with pytest.raises(BatchPending, match="5 LLM calls are under way in 1 batches"):
                source(shard_of(*texts(5)))
        assert cast_spans(source(shard_of(*texts(5)))) == truth(texts(5))
        assert len(server.batches) == 1


def test_failed_lines_are_asked_again_and_given_up_in_the_end(tmp_path) -> None:
    with Server() as server:
        server.batch_fault = lambda line: "500" if "doc 2 " in document_of(line["body"]) else None
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", batch=True)
        cast = submit_and_collect(source, shard_of(*texts(5)), rounds=3)
        assert cast.failed == {2: "http_error: HTTP 500: server had a bad moment"}
        assert cast_spans(cast) == truth(texts(5), {2})
        assert lines_sent(server) == [5, 1, 1]


def test_an_expired_batch_keeps_what_it_has(tmp_path) -> None:
    with Server() as server:
        server.batch_status = "expired"
        gone = iter(["expired"] * 2 + [None] * 100)
        server.batch_fault = lambda line: next(gone)
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", batch=True, budget={"tokens": 10**6})
        cast = submit_and_collect(source, shard_of(*texts(5)), rounds=2)
        assert cast_spans(cast) == truth(texts(5))
        assert len(server.done) == 5
        assert source.session.budget.spent.held_tokens == 0
        assert source.session.budget.spent.tokens == sum(server.spent)


def test_a_rejected_batch_is_one_line(tmp_path) -> None:
    with Server() as server:
        server.batch_status = "failed"
        server.batch_fault = lambda line: "expired"
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", batch=True)
        with pytest.raises(BatchPending):
            source(shard_of("Anna"))
        server.batches["batch-0"]["errors"] = {"data": [{"message": "line 1: no such\nmodel"}]}
        with pytest.raises(JobError, match="rejects batch batch-0: line 1: no such model"):
            source(shard_of("Anna"))


@pytest.mark.parametrize("after", ["/files", "/batches"])
def test_a_run_that_dies_between_the_steps_buys_nothing_twice(tmp_path, after, monkeypatch) -> None:
    """The process ends right after the server did its part and before we could write it down."""

    class Killed(BaseException):
        pass

    from weaklabel.sources.llm.client import Client

    send = Client._send

    async def dying(self, method, path, **rest):
        reply = await send(self, method, path, **rest)
        if method == "POST" and path == after:
            raise Killed
        return reply

    with Server() as server:
        source = people()
        settings = {"cache": tmp_path / "c.sqlite", "batch": True, "budget": {"tokens": 10**6}}
        session = bound(source, server, **settings)
        monkeypatch.setattr(Client, "_send", dying)
        with pytest.raises(Killed):
            source(shard_of(*texts(4)))
        monkeypatch.undo()
        session.close()
        session = bound(source, server, **settings)
        with pytest.raises(BatchPending):
            source(shard_of(*texts(4)))
        assert cast_spans(source(shard_of(*texts(4)))) == truth(texts(4))
        assert len(server.batches) == 1
        assert len(server.done) == 4
        assert session.budget.spent.held_tokens == 0


def test_the_budget_holds_for_batches_at_their_price(tmp_path) -> None:
    prices = tmp_path / "p.yaml"
    prices.write_text(
        "date: 2026-11-01\ncurrency: USD\nmodels: {m: {input: 100, output: 400, batch: 0.5}}\n"
    )
    documents = texts(60)
    with Server() as server:
        source = people(max_tokens=100)
        settings = {"cache": tmp_path / "c.sqlite", "batch": True, "prices": prices}
        session = bound(source, server, budget={"cost": 1.0}, on_budget="skip", **settings)
        bought = -1
        while True:
            try:
                cast = source(shard_of(*documents))
                break
            except BatchPending:
                assert len(server.done) > bought
                bought = len(server.done)
                spent = session.budget.spent
                assert spent.nano + spent.held_nano <= 10**9
        real = (server.spent[0] * 100 + server.spent[1] * 400) / 1e6 * 0.5
        assert 0.5 < real <= 1.0
        assert session.budget.spent.nano == round(real * 1e9)
        assert 0 < len(cast.failed) < 60
        assert set(oracle_spans(documents[0], list(LABELS))) == {
            s[1:] for s in cast_spans(cast) if s[0] == 0
        }
        session = bound(source, server, budget={"cost": 1.0}, **settings)
        with pytest.raises(RunError, match="llm.budget"):
            source(shard_of(*documents))


def test_hostile_result_lines_change_nothing(tmp_path) -> None:
    with Server() as server:
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", batch=True)
        with pytest.raises(BatchPending):
            source(shard_of("Anna"))
        other = Session(server.url, "m", cache=tmp_path / "c.sqlite")
        run = server._run_batch

        def tampered(wish):
            run(wish)
            lines = [
                b"not json",
                b"[]",
                b'{"custom_id": 3}',
                b'{"custom_id": "' + b"ab" * 32 + b'"}',
            ]
            server.files[wish["output_file_id"]] += b"\n".join(lines)

        server._run_batch = tampered
        assert cast_spans(source(shard_of("Anna"))) == truth(["Anna"])
        assert len(other.cache) == 1
