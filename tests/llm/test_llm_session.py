"""Sources against a real server on loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import pickle
import re
import time
from collections import Counter

import numpy as np
import pytest
from server import FAULTS, PASSING, Server, digest, document_of, oracle_class, oracle_spans

import weaklabel as wl
from weaklabel.errors import JobError, RunError, SourceError
from weaklabel.sources.base import registry
from weaklabel.sources.llm.faults import retry_after
from weaklabel.sources.llm.pace import Pace, Rate
from weaklabel.sources.llm.plan import plan
from weaklabel.sources.llm.session import Session
from weaklabel.sources.llm.status import Status

LABELS = ("PER", "ORG", "LOC")
TASK = wl.Task("spans", LABELS)
CLASSES = wl.Task("classes", ("SPAM", "HAM"))


def shard_of(*texts: str) -> wl.Shard:
    return wl.Corpus.from_texts(texts).one_shard()


def people(**settings):
    return registry.make("llm_spans", name="people", labels=list(LABELS), **settings)


def bound(source, server, **settings):
    session = Session(server.url, "m", **settings)
    source.bind(session)
    return session


def texts(n: int) -> list[str]:
    return [f"doc {i} Anna Berg met Bob{chr(97 + i % 26)} in Oslo" for i in range(n)]


def cast_spans(cast: wl.Cast) -> set[tuple[int, int, int, str]]:
    columns = zip(cast.document, cast.start, cast.end, cast.label, strict=True)
    return {(int(d), int(a), int(b), cast.labels[k]) for d, a, b, k in columns}


def truth(documents: list[str], without: set[int] = frozenset()) -> set:
    return {
        (d, *span)
        for d, text in enumerate(documents)
        if d not in without
        for span in oracle_spans(text, list(LABELS))
    }


def test_votes_reach_the_label_model_and_a_rerun_buys_nothing(tmp_path) -> None:
    documents = [*texts(10), "nothing here", "", "   "]
    with Server() as server:
        source = people()
        session = bound(source, server, cache=tmp_path / "c.sqlite")
        applied = wl.apply_sources(shard_of(*documents), [source], TASK)
        assert cast_spans(source(shard_of(*documents))) == truth(documents)
        assert len(applied.votes) == len(truth(documents))
        assert applied.votes.voters[0].group == "llm:m"
        assert applied.votes.voters[0].kind == "exhaustive"
        assert len(server.calls) == 11
        session.close()
    again = people()
    again.bind(Session(server.url, "m", cache=tmp_path / "c.sqlite", offline=True))
    assert cast_spans(again(shard_of(*documents))) == truth(documents)


def test_equal_documents_are_bought_once() -> None:
    documents = ["Anna"] * 20 + ["Bob"] * 20
    with Server(latency=0.01) as server:
        source = people()
        bound(source, server)
        assert cast_spans(source(shard_of(*documents))) == truth(documents)
        assert len(server.calls) == 2


def test_passing_faults_lose_nothing_and_lasting_ones_are_missing_evidence() -> None:
    documents = texts(3 * len(FAULTS))
    kinds = {text: FAULTS[i % len(FAULTS)] for i, text in enumerate(documents)}

    def fault(body, attempt):
        kind = kinds[document_of(body)]
        return None if kind in PASSING and attempt else kind

    with Server(fault=fault, slow=5) as server:
        source = people()
        session = bound(source, server, timeout=0.5, fail_above=0.9)
        cast = source(shard_of(*documents))
    lasting = {d for d, text in enumerate(documents) if kinds[text] not in PASSING}
    assert set(cast.failed) == lasting
    assert cast_spans(cast) == truth(documents, lasting)
    expected = {
        "refusal": Status.REFUSED,
        "length": Status.TRUNCATED,
        "prose": Status.UNPARSABLE,
        "cut-json": Status.UNPARSABLE,
        "wrong-label": Status.UNPARSABLE,
        "invented-quote": Status.UNALIGNED,
    }
    for d in lasting:
        assert cast.failed[d].startswith(expected[kinds[documents[d]]])
    assert session.counts["people"] == Counter(
        {Status.OK: 27, Status.UNPARSABLE: 9}
        | dict.fromkeys((Status.REFUSED, Status.TRUNCATED, Status.UNALIGNED), 3)
    )
    applied = wl.apply_sources(shard_of("Anna"), [_Fixed(cast.failed)], TASK)
    assert applied.votes.looked[0].tolist() == []


class _Fixed:
    name, labels, kind, group = "fixed", ("PER",), "exhaustive", None

    def __init__(self, failed) -> None:
        self.failed = failed

    def __call__(self, shard):
        return wl.Cast.of(self.labels, failed={0: "refused"}, tolerated=True)


def test_failures_above_the_rate_stop_the_run_and_say_why() -> None:
    with Server(fault=lambda body, attempt: "refusal" if "3" in document_of(body) else None) as s:
        source = people()
        bound(source, s, fail_above=0.05)
        with pytest.raises(SourceError, match=r"'people': 1 of 10 LLM calls failed \(refused 1\)"):
            source(shard_of(*texts(10)))


def test_a_source_that_fails_on_some_documents_stops_no_run_below_the_rate() -> None:
    with Server(fault=lambda body, attempt: "refusal" if "3" in document_of(body) else None) as s:
        source = people()
        bound(source, s)
        applied = wl.apply_sources(shard_of(*texts(10)), [source], TASK, on_error="stop")
    assert applied.votes.looked[0].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert list(applied.counts["people"].failed) == ["3"]


def test_results_do_not_depend_on_the_order_of_arrival() -> None:
    documents = texts(30)
    casts = []
    for latency in (0.0, 0.01):
        busy = lambda body, attempt: "429-ms" if digest(document_of(body)) % 3 > attempt else None  # noqa: E731
        with Server(latency=latency, fault=busy, retry_after=0.002) as server:
            source = people(samples=3, temperature=1.0)
            bound(source, server, concurrency=8 if latency else 2)
            casts.append(source(shard_of(*documents)))
    for name in ("document", "start", "end", "label", "confidence"):
        assert np.array_equal(getattr(casts[0], name), getattr(casts[1], name))


def test_samples_are_one_soft_vote() -> None:
    def answer(body):
        return '{"answer": "%s"}' % ("SPAM" if body["seed"] % 5 < 3 else "HAM")

    with Server(answer=answer) as server:
        source = registry.make(
            "llm_classes", name="s", labels=["SPAM", "HAM"], confidence="samples", samples=5
        )
        bound(source, server)
        cast = source(shard_of("buy"))
        assert len(server.calls) == 5
    assert list(zip(cast.label, cast.confidence.round(4).tolist(), strict=True)) == [
        (0, pytest.approx(0.6)),
        (1, pytest.approx(0.4)),
    ]


def test_structured_output_is_dropped_where_the_server_has_none_and_that_is_remembered(
    tmp_path,
) -> None:
    reject = ("response_format", "temperature", "max_tokens")
    with Server(reject=()) as server:
        server.reject = reject[:2]
        source = people()
        bound(source, server, cache=tmp_path / "c.sqlite", concurrency=4)
        assert cast_spans(source(shard_of(*texts(6)))) == truth(texts(6))
        rejected = server.statuses[400]
        assert rejected == 4
        again = people()
        bound(again, server, cache=tmp_path / "c.sqlite")
        assert cast_spans(again(shard_of("Carl"))) == truth(["Carl"])
        assert server.statuses[400] == rejected
        assert "response_format" not in server.calls[-1]


def test_max_tokens_has_two_names() -> None:
    def raw_reject(body, attempt):
        return None

    with Server(fault=raw_reject) as server:
        server.reject = ('"max_tokens"',)
        source = people()
        session = bound(source, server)
        session.learn("m", session.dialect("m"), session.dialect("m"))
        from weaklabel.sources.llm.request import Dialect, Request

        request = Request("m", (("user", "x"),))
        said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        weaker = Dialect().after(said, request)
        assert weaker is not None
        assert weaker.body(request)["max_completion_tokens"] == 1024
        assert "max_tokens" not in weaker.body(request)


@pytest.mark.parametrize("form", ["429", "429-seconds", "429-ms", "429-date", "503"])
def test_every_form_of_being_asked_to_wait(form) -> None:
    with Server(fault=lambda body, attempt: None if attempt else form) as server:
        source = people()
        session = bound(source, server, concurrency=4)
        assert cast_spans(source(shard_of(*texts(4)))) == truth(texts(4))
        # A server that only stumbled is not one that is asked too much.
        assert (session.pace.limit < 4) == (form != "503")


def test_retry_after_is_read_in_all_its_forms() -> None:
    now = 1_700_000_000.0
    assert retry_after({"retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after-ms": "x", "retry-after": "3"}) == 3
    assert retry_after({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, now) == 30
    assert retry_after({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, now) == 0
    for strange in ("", "soon", "nan", "inf", "-1", "99999999999999999999 GMT"):
        assert retry_after({"retry-after": strange}, now) is None
    assert retry_after({}) is None


def test_a_wait_pauses_all_workers_at_once() -> None:
    hit: list[float] = []

    def fault(body, attempt):
        if attempt == 0 and "doc 7 " in document_of(body):
            hit.append(time.monotonic())
            return "429-seconds"
        return None

    with Server(fault=fault, latency=0.01, retry_after=0.6) as server:
        source = people()
        bound(source, server, concurrency=4)
        source(shard_of(*texts(40)))
        # Calls that were under way may still arrive; nobody starts in the middle of the pause.
        middle = [t for t in server.times if hit[0] + 0.1 < t < hit[0] + 0.5]
        assert middle == []
        assert server.most_running <= 4


def test_pace_halves_once_a_pause_and_creeps_up() -> None:
    now = [0.0]
    pace = Pace(16, clock=lambda: now[0])
    pace.pause(1)
    pace.pause(2)
    assert pace.limit == 8
    now[0] = 2.5
    pace.pause(1)
    assert pace.limit == 4
    for _ in range(4):
        pace.succeeded()
    assert 4.8 < pace.limit < 5.1
    for _ in range(1000):
        pace.succeeded()
    assert pace.limit == 16


def test_a_rate_is_kept_over_every_minute() -> None:
    now, taken = [0.0], []
    rate = Rate(120, lambda: now[0])
    while now[0] < 300:
        wait = rate.wait()
        now[0] += wait
        rate.take(1)
        taken.append(now[0])
    for start in range(0, 240, 7):
        assert sum(start <= t < start + 60 for t in taken) <= 122
    assert len(taken) > 590


def test_more_workers_than_the_limit_wait_their_turn() -> None:
    pace, most = Pace(3), [0]

    async def work() -> None:
        await pace.start(1)
        most[0] = max(most[0], pace.running)
        await asyncio.sleep(0.001)
        pace.end()

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(50)))

    asyncio.run(main())
    assert (most[0], pace.running) == (3, 0)


def test_a_budget_is_never_passed_and_a_higher_one_goes_on(tmp_path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("date: 2026-11-01\ncurrency: USD\nmodels: {m: {input: 100, output: 400}}\n")
    documents = texts(40)

    def usage(body, content):
        worst = sum(len(m["content"].encode()) for m in body["messages"])
        return (worst, body["max_tokens"])  # as dear as a call can be

    with Server(usage=usage, latency=0.002) as server:
        source = people(max_tokens=200)
        cost = 3.0
        settings = {"cache": tmp_path / "c.sqlite", "prices": prices}
        session = bound(source, server, budget={"cost": cost}, **settings)
        with pytest.raises(RunError, match=r"llm.budget .* of 3.0000 USD spent.*run again"):
            source(shard_of(*documents))
        spent = (server.spent[0] * 100 + server.spent[1] * 400) / 1e6
        assert cost / 2 < spent <= cost
        assert session.budget.spent.nano == round(spent * 1e9)
        assert session.budget.spent.held_nano == 0
        bought = len(server.done)
        assert 0 < bought < 40
        session = bound(source, server, budget={"cost": cost}, on_budget="skip", **settings)
        cast = source(shard_of(*documents))
        assert len(cast.failed) == 40 - bought
        assert all(reason.startswith("over_budget") for reason in cast.failed.values())
        bound(source, server, budget={"cost": 100, "tokens": 10**7}, **settings)
        assert cast_spans(source(shard_of(*documents))) == truth(documents)
        assert len(server.done) == 40


def test_what_may_have_been_charged_counts_as_spent() -> None:
    with Server(fault=lambda body, attempt: "reset") as server:
        source = people(max_tokens=100)
        session = bound(source, server, budget={"tokens": 3000}, on_budget="skip", fail_above=1)
        cast = source(shard_of("Anna"))
    assert set(cast.failed) == {0}
    assert 0 < session.budget.spent.tokens <= 3000
    assert sum(server.spent) <= session.budget.spent.tokens


def test_quota_is_no_rate_limit() -> None:
    with Server(fault=lambda body, attempt: "quota") as server:
        source = people()
        bound(source, server)
        with pytest.raises(RunError, match="account is used up"):
            source(shard_of(*texts(9)))
        assert len(server.calls) == 1


def test_a_wait_beyond_reason_ends_the_run() -> None:
    fault = lambda body, attempt: "429-seconds" if "doc 3 " in document_of(body) else None  # noqa: E731
    with Server(fault=fault, retry_after=3600) as server:
        source = people()
        bound(source, server)
        with pytest.raises(RunError, match="asks to wait 3600 s, above llm.max_wait 120"):
            source(shard_of(*texts(9)))


PAGE = (200, {"content-type": "text/html"}, b"<html>welcome</html>")


@pytest.mark.parametrize(
    ("serve", "settings", "error"),
    [
        ({"key": "right"}, {}, r"llm.api_key_env: the server rejects the key in OPENAI_API_KEY"),
        ({"models": ["some-model"]}, {"model": "some-modle"}, r"llm.model: .*did you mean 'some-"),
        ({"raw": lambda m, p: PAGE}, {}, r"llm.base_url: .* is no OpenAI-compatible API"),
        (
            {"raw": lambda m, p: (404, {}, b"not found")},
            {},
            r"llm.base_url: .* is no OpenAI-compatible API \(HTTP 404",
        ),
        (
            {"raw": lambda m, p: (302, {"location": "https://x.test"}, b"")},
            {},
            r"llm.base_url: .* is no OpenAI-compatible API \(HTTP 302",
        ),
    ],
)
def test_a_wrong_endpoint_is_one_line_after_one_call(serve, settings, error, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-and-secret")
    with Server(**serve) as server:
        source = people()
        session = Session(server.url, **{"model": "m"} | settings)
        source.bind(session)
        with pytest.raises(JobError, match=error) as caught:
            source(shard_of(*texts(9)))
        assert "\n" not in str(caught.value)
        assert "sk-wrong" not in str(caught.value)
        assert len(server.calls) <= 1
        if "models" not in serve and "not found" not in str(
            serve.get("raw", lambda m, p: "")("", "")
        ):
            with pytest.raises(JobError, match=error):
                session.check([source])


def test_a_closed_port_is_one_line() -> None:
    with Server() as server:
        pass
    source = people()
    session = bound(source, server)
    for act in (lambda: session.check([source]), lambda: source(shard_of("Anna"))):
        with pytest.raises(JobError, match="llm.base_url: cannot connect to http://127.0.0.1"):
            act()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"base_url": "ftp://x"}, "llm.base_url: 'ftp://x' is no http"),
        ({"base_url": "https://u:p@x.test/v1"}, "llm.base_url holds a user, password"),
        ({"base_url": "https://x.test/v1/chat/completions"}, "before /chat/completions"),
        ({"modle": "m"}, "llm: no setting 'modle'; did you mean 'model'"),
        ({"budget": {"money": 3}}, "llm.budget: no limit 'money'; known: cost, tokens"),
        ({"budget": {"cost": "much"}}, "llm.budget.cost: 'much' is no number"),
        ({"concurrency": 0}, "llm.concurrency: 0 is no positive number"),
        ({"on_budget": "halt"}, "llm.on_budget: 'halt'"),
        ({"budget": {"cost": 3}}, "llm.budget.cost needs a price for 'm'"),
        ({"base_url": "https://x.test/v1"}, "variable OPENAI_API_KEY is not set"),
        ({"model": None}, "llm.model is missing, and source 'people' names none"),
    ],
)
def test_wrong_settings_are_one_line_that_names_the_key(settings, error) -> None:
    good = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    with pytest.raises(JobError, match=error):
        Session.from_settings(good | settings).check([people()], network=False)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("date: 2026-11-01\ncurency: USD\nmodels: {}", "no key 'curency'; did you mean 'currency'"),
        ("date: 2026-11-01\ncurrency: USD\n", "the key 'models' is missing"),
        ("date: soon\ncurrency: USD\nmodels: {}", "date: 'soon' is no date"),
        (
            "date: 2026-11-01\ncurrency: USD\nmodels: {m: {input: 1, ouput: 2}}",
            "models.m: no key 'ouput'; did you mean 'output'",
        ),
        (
            "date: 2026-11-01\ncurrency: USD\nmodels: {m: {input: 1, output: two}}",
            "models.m.output: 'two' is no price",
        ),
        ("date: [", "line 1: no YAML"),
        ("- a", "expected the keys date, currency, models"),
    ],
)
def test_a_typo_in_the_price_table_is_named(tmp_path, text, error) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(JobError, match="llm.prices: .*" + error) as caught:
        Session("http://127.0.0.1:9/v1", "m", prices=path)
    assert "\n" not in str(caught.value)


def test_the_key_is_sent_and_nowhere_else(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")

    def echo(body):
        return {"content": '{"entities": []}', "note": "sk-very-secret"}

    with Server(answer=echo, key="sk-very-secret") as server:
        source = people()
        session = bound(source, server, cache=tmp_path / "c.sqlite")
        session.check([source])
        source(shard_of("Anna"))
        session.close()
        assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
        assert b"very-secret" not in pickle.dumps(session)
    for path in tmp_path.iterdir():
        assert b"very-secret" not in path.read_bytes()


def test_plan_counts_what_a_run_would_buy(tmp_path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("date: 2026-11-01\ncurrency: EUR\nmodels: {m: {input: 1, output: 4}}\n")
    with Server() as server:
        source, other = people(), people(model="unpriced")
        other.name = "other"
        session = bound(source, server, cache=tmp_path / "c.sqlite", prices=prices)
        other.bind(session)
        source(shard_of(*texts(20)))
        before = server.spent.copy()
        told = plan([source, other], [shard_of(*texts(50), "", texts(1)[0])], session)
        assert [(r.calls, r.cached) for r in told.rows] == [(51, 21), (51, 1)]
        assert told.rows[1].cost_low is None
        assert any("no price for unpriced" in line for line in told.lines())
        told = plan([source], [shard_of(*texts(50))], session)
        assert server.spent == before
        source(shard_of(*texts(50)))
        spent = [server.spent[0] - before[0], server.spent[1] - before[1]]
        (row,) = told.rows
        assert row.prompt_low <= spent[0] <= row.prompt_high
        assert row.written_low <= spent[1] <= row.written_high
        assert row.cost_low <= (spent[0] + 4 * spent[1]) / 1e6 <= row.cost_high
        assert re.search(r"20 cached, 30 to make.* EUR", told.lines()[0])


def test_a_notebook_with_a_running_loop_can_ask() -> None:
    with Server() as server:
        source = people()
        bound(source, server)

        async def cell() -> wl.Cast:
            return source(shard_of("Anna"))

        assert cast_spans(asyncio.run(cell())) == truth(["Anna"])


def test_prepare_answers_all_sources_together() -> None:
    with Server(latency=0.02) as server:
        one = people()
        two = registry.make("llm_classes", name="two", labels=["SPAM", "HAM"])
        session = bound(one, server, concurrency=16)
        two.bind(session)
        shards = [shard_of(*texts(4)), shard_of(*texts(12)[4:])]
        session.prepare([one, two, _Fixed({})], shards)
        assert len(server.calls) == 24
        assert server.most_running > 12
        cast = two(shards[1])
        assert len(server.calls) == 24
        want = [oracle_class(t, ["SPAM", "HAM", "unsure"]) for t in texts(12)[4:]]
        assert [two.labels[k] for k in cast.label] == [w for w in want if w != "unsure"]


def test_offline_without_answers_is_missing_not_silent(tmp_path) -> None:
    source = people()
    source.bind(Session("https://x.test/v1", "m", offline=True, fail_above=1))
    cast = source(shard_of("Anna"))
    assert cast.failed == {0: "http_error: not in the answer cache, and offline"}
    source.bind(Session("https://x.test/v1", "m", offline=True))
    with pytest.raises(SourceError, match="1 of 1 LLM calls failed"):
        source(shard_of("Anna"))


def test_a_file_that_is_no_cache_is_one_line(tmp_path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"not a database" * 100)
    source = people()
    source.bind(Session("http://127.0.0.1:9/v1", "m", cache=path))
    with pytest.raises(RunError, match="cannot be used as answer cache"):
        source(shard_of("Anna"))
