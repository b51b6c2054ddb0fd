"""``python -m benchmarks llm``: LLM sources against a server on loopback that misbehaves.

The server (``tests/llm/server.py``) runs in a process of its own and knows the right answers, so
that every vote can be checked. Nothing is bought: no endpoint outside this machine is asked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import weaklabel as wl
from benchmarks.results import Figure, print_table, write_json
from weaklabel.errors import InputError, RunError
from weaklabel.sources.base import registry
from weaklabel.sources.llm.align import align_quotes
from weaklabel.sources.llm.session import Session

_ROOT = Path(__file__).parents[1]
_SERVER = _ROOT / "tests" / "llm" / "server.py"
_LABELS = ("PER", "ORG", "LOC")
_NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)*")
_FIRST = ("Anna", "Bela", "Carl", "Dora", "Emil", "Fritz", "Gerda", "Hanna")
_LAST = ("Berg", "Cohen", "Dietz", "Engel", "Fuchs", "Gross", "Hahn", "Jung")
_WHERE = ("Oslo", "Lima", "Kyoto", "Quito", "Accra", "Turin", "Basel", "Minsk")


def main(argv: list[str]) -> int:
    """Measure every figure and write them; 0 if all that has a target met it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks llm", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute")
    parser.add_argument("--data", type=Path, help="folder with conll2003/, for quotes to offsets")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(argv)
    rows: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows += reread(folder, 3_000 if options.quick else 100_000)
        rows += quotes(options.data)
        rows += throughput(3_000 if options.quick else 5_000)
        rows += kills(folder, 400 if options.quick else 5_000, 3 if options.quick else 20)
        rows += failures(600 if options.quick else 5_000)
        rows += budget(folder, 200 if options.quick else 1_000)
    print_table(rows, ("figure", "value", "unit", "target", "met"))
    write_json(options.json, rows)
    return 0 if all(row.met is not False for row in rows) else 1


def texts(n: int) -> list[str]:
    """Short documents with names, all different."""
    draw = random.Random(0)
    return [
        f"doc {i}: {draw.choice(_FIRST)} {draw.choice(_LAST)} flew to {draw.choice(_WHERE)} "
        f"with {draw.choice(_FIRST)}, and stayed in {draw.choice(_WHERE)}."
        for i in range(n)
    ]


def shard_of(documents: list[str]) -> wl.Shard:
    """The documents, tokenized by a plain rule: spaCy (and torch with it) is not measured here."""
    tokens = [[m.span() for m in re.finditer(r"\w+|[^\w\s]", text)] for text in documents]
    flat = np.asarray([span for spans in tokens for span in spans], dtype=np.int32)
    words = [t[a:b] for t, spans in zip(documents, tokens, strict=True) for a, b in spans]
    ids = {word: i for i, word in enumerate(dict.fromkeys(words))}
    nothing = tuple({} for _ in documents)
    return wl.Shard(
        tuple(str(i) for i in range(len(documents))),
        tuple(documents),
        np.cumsum([0, *(len(spans) for spans in tokens)]).astype(np.int64),
        np.ascontiguousarray(flat[:, 0]),
        np.ascontiguousarray(flat[:, 1]),
        np.asarray([ids[word] for word in words], dtype=np.int32),
        tuple(ids),
        np.zeros(len(flat), dtype=bool),
        nothing,
        nothing,
        nothing,
    )


def truth(documents: list[str]) -> list[set[tuple[int, int, str]]]:
    """The spans that the server's oracle gives, computed here anew."""
    return [
        {(m.start(), m.end(), _label(m.group())) for m in _NAME.finditer(text)}
        for text in documents
    ]


def _label(name: str) -> str:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    return _LABELS[number % len(_LABELS)]


def people() -> Any:
    """The source that is measured."""
    return registry.make("llm_spans", name="people", labels=list(_LABELS), max_tokens=256)


def spans(cast: wl.Cast, n: int) -> list[set[tuple[int, int, str]]]:
    """The votes of a cast, by document."""
    found: list[set[tuple[int, int, str]]] = [set() for _ in range(n)]
    for d, start, end, label in zip(cast.document, cast.start, cast.end, cast.label, strict=True):
        found[d].add((int(start), int(end), cast.labels[label]))
    return found


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The server in a process of its own; its base URL."""
    command = [sys.executable, str(_SERVER), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def throughput(n: int) -> list[Figure]:
    """n documents at 200 ms a call, 64 at once, against n * 0.2 s / 64."""
    shard = shard_of(texts(n))
    source = people()
    with served("--latency", "0.2") as url, tempfile.TemporaryDirectory() as folder:
        session = Session(url, "m", concurrency=64, cache=Path(folder) / "llm.sqlite")
        source.bind(session)
        started = time.perf_counter()
        session.check([source])
        cast = source(shard)
        took = time.perf_counter() - started
    right = spans(cast, n) == truth(texts(n))
    share = n * 0.2 / 64 / took
    return [Figure("llm-throughput-share-of-ideal", share, "fraction", 0.9, share >= 0.9 and right)]


def kills(folder: Path, n: int, times: int) -> list[Figure]:
    """Kill a run at random moments and start it again, until one ends undisturbed."""
    log, cache = folder / "server.log", folder / "killed.sqlite"
    draw = random.Random(1)
    again = under_way = killed = 0
    with served("--latency", "0.1", "--log", str(log)) as url:
        done: set[str] = set()
        seen = 0
        while True:
            command = [sys.executable, "-m", "benchmarks.llm_child", url, str(cache), str(n)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
            assert process.stdout is not None
            process.stdout.readline()
            if killed < times:
                time.sleep(draw.uniform(0, 1.2))
                killed += process.poll() is None
                process.kill()
            output = process.stdout.read()
            process.wait()
            served_now = log.read_text().splitlines()[seen:] if log.exists() else []
            seen += len(served_now)
            again += sum(document in done for document in served_now)
            done = _answered(url, cache, n)
            if output:
                break
        # Given by the server after the process that asked was dead: nobody could keep them.
        under_way = sum(c - 1 for c in Counter(log.read_text().splitlines()).values())
        undisturbed = truth(texts(n))
        labels = [{(a, b, c) for a, b, c in one} for one in json.loads(output)]
    differ = sum(mine != right for mine, right in zip(labels, undisturbed, strict=True))
    return [
        Figure("llm-kills", killed, "times"),
        Figure("llm-answers-bought-twice", again, "answers", 0, again == 0),
        Figure("llm-labels-that-differ", differ, "documents", 0, differ == 0),
        Figure("llm-answers-under-way-when-killed", under_way, "answers"),
    ]


def _answered(url: str, cache: Path, n: int) -> set[str]:
    """Which documents the cache has an answer for, as the server's log names them."""
    source = people()
    session = Session(url, "m", cache=cache)
    source.bind(session)
    shard = shard_of(texts(n))
    have = {
        shard.texts[int(call.document)][:24]
        for call in source.calls(shard)
        if session.cache.get(call.request.key(session.base_url)) is not None
    }
    session.close()
    return have


def failures(n: int) -> list[Figure]:
    """One call in ten fails, in every way there is; passing failures pass, the others stay."""
    documents = texts(n)
    shard = shard_of(documents)
    source = people()
    with served("--faults", "0.1", "--slow", "5", "--latency", "0.01") as url:
        source.bind(Session(url, "m", concurrency=64, timeout=1.5, fail_above=0.2))
        cast = source(shard)
    found, right = spans(cast, n), truth(documents)
    failed = set(cast.failed)
    lost = sum(d not in failed and right[d] != found[d] for d in range(n))
    http = sum(reason.startswith("http_error") for reason in cast.failed.values())
    invented = sum(len(found[d] - right[d]) for d in range(n))
    invented += sum(len(found[d]) for d in failed)
    return [
        Figure("llm-documents-lost", lost + http, "documents", 0, lost + http == 0),
        Figure("llm-votes-invented", invented, "votes", 0, invented == 0),
        Figure("llm-documents-with-a-lasting-failure", len(failed), "documents"),
    ]


def budget(folder: Path, n: int) -> list[Figure]:
    """Spend until the limit stops it, with many calls at once; the server counts what it gave."""
    prices = folder / "prices.yaml"
    prices.write_text("date: 2026-11-01\ncurrency: USD\nmodels: {m: {input: 1, output: 4}}\n")
    shard = shard_of(texts(n))
    source = people()
    limit = n * 0.4 * 4e-4
    with served("--latency", "0.02") as url:
        session = Session(
            url, "m", cache=folder / "b.sqlite", budget={"cost": limit}, prices=prices
        )
        source.bind(session)
        stopped = False
        try:
            source(shard)
        except RunError:
            stopped = True
        with urllib.request.urlopen(f"{url}/spent") as reply:
            prompt, written = json.load(reply)
        real = (prompt + 4 * written) / 1e6
    beyond = max(0.0, real - limit)
    return [
        Figure("llm-spent-beyond-the-budget", beyond, "USD", 0, beyond == 0 and stopped),
        Figure("llm-share-of-the-budget-used", real / limit, "fraction"),
    ]


def reread(folder: Path, n: int) -> list[Figure]:
    """n cached answers -> votes, in a process of its own, whose memory is what is measured."""
    cache = folder / "full.sqlite"
    command = [sys.executable, "-m", "benchmarks.llm_child", "fill", str(cache), str(n)]
    subprocess.run(command, check=True, cwd=_ROOT)
    command[3] = "reread"
    told = subprocess.run(command, check=True, cwd=_ROOT, capture_output=True, text=True).stdout
    seconds, mb, right = json.loads(told)
    target = 20 * n / 100_000
    return [
        Figure("llm-answers-reread", n, "answers"),
        Figure("llm-reread-seconds", seconds, "s", target, seconds < target and right),
        Figure("llm-reread-peak-memory", mb, "MiB", 500, mb < 500),
    ]


def quotes(data: Path | None) -> list[Figure]:
    """CoNLL-2003 test gold as quotes, whole articles, back to offsets: verbatim, and with noise."""
    path = data / "conll2003" / "test.txt" if data is not None else None
    if path is None or not path.exists():
        if data is not None:
            raise InputError(f"--data: {data}: no conll2003/test.txt in it")
        print("quotes to offsets left out: give --data DIR with conll2003/", file=sys.stderr)
        return []
    articles = list(_articles(path))
    rows = []
    for slug, noise, numbered, target in (
        ("llm-quotes-verbatim", False, True, 0.999),
        ("llm-quotes-with-noise", True, True, 0.98),
        ("llm-quotes-verbatim-without-numbers", False, False, None),
        ("llm-quotes-with-noise-without-numbers", True, False, None),
    ):
        draw = random.Random(2)
        right = total = 0
        for text, gold in articles:
            said = [text[a:b] for a, b in gold]
            numbers = [_number(text, a, b) if numbered else 0 for a, b in gold]
            if noise:
                said = [_noisy(quote, draw) for quote in said]
            found = align_quotes(text, said, numbers)
            right += sum(
                m is not None and (m.start, m.end) == place
                for m, place in zip(found, gold, strict=True)
            )
            total += len(gold)
        share = right / total
        met = None if target is None else share >= target
        rows.append(Figure(slug, share, "fraction", target, met))
    return rows


def _articles(path: Path) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), "-DOCSTART- O"]:
        parts = line.split()
        if parts and parts[0] == "-DOCSTART-":
            if words:
                yield _article(words, tags)
            words, tags = [], []
        elif parts:
            words.append(parts[0])
            tags.append(parts[-1])


def _article(words: list[str], tags: list[str]) -> tuple[str, list[tuple[int, int]]]:
    gold: list[tuple[int, int]] = []
    at, inside = 0, ""
    for word, tag in zip(words, tags, strict=True):
        prefix, _, kind = tag.partition("-")
        if prefix == "I" and kind == inside:
            gold[-1] = (gold[-1][0], at + len(word))
        elif prefix in ("B", "I"):
            gold.append((at, at + len(word)))
        inside = kind
        at += len(word) + 1
    return " ".join(words), gold


def _number(text: str, start: int, end: int) -> int:
    """Which occurrence of the words this is, counted between word boundaries."""
    pattern = rf"(?<!\w){re.escape(text[start:end])}(?!\w)"
    return 1 + sum(m.start() < start for m in re.finditer(pattern, text))


def _noisy(quote: str, draw: random.Random) -> str:
    """One of the ways in which models change what they quote."""
    kind = draw.choice(("case", "space", "dash", "quote", "none"))
    if kind == "case":
        return draw.choice((quote.upper(), quote.lower(), quote.title()))
    if kind == "space":
        return draw.choice((quote.replace(" ", "  "), quote.replace(" .", "."), f" {quote} "))
    if kind == "dash":
        return quote.replace("-", draw.choice("–—‑"))
    if kind == "quote":
        return quote.replace("'", "’").replace('"', draw.choice("“”"))
    return quote
