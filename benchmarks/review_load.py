"""The queue under load: a million items, twenty reviewers, and a server killed in the middle."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import numpy as np

from weaklabel.review.store import Asked, Store

from .results import Figure

TOKEN = "benchmark"
REVIEWERS, PER_SECOND = 20, 50
TEXT = "Anna Berg joined Acme Corp in Oslo and met the board of the union there ."
WORDS = TEXT.split(" ")


def figures(quick: bool) -> list[Figure]:
    """First page and next item on a large queue, then decisions lost to a kill -9."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "review.sqlite"
        size = 20_000 if quick else 1_000_000
        store = Store(path)
        began = time.perf_counter()
        store.replace_queue(documents(size), {"tasks": TASKS, "trust": {}, "sources": SOURCES})
        fill = time.perf_counter() - began
        store.close()
        server = Server(path)
        try:
            first, p95 = pages(server.port, 50 if quick else 300)
            acknowledged, rate = under_load(server, 4.0 if quick else 60.0)
        finally:
            server.kill()
        store = Store(path)
        lost = sum(
            reviewer not in {d.reviewer for d in store.decisions_on(item)}
            for reviewer, item in acknowledged
        )
        twice = len(acknowledged) - len({item for _, item in acknowledged})
        store.close()
    return [
        Figure("review-queue-items", size, "items"),
        Figure("review-queue-fill", fill, "s"),
        Figure("review-first-page", first, "s", 1.0, first <= 1.0),
        Figure("review-next-item-p95", 1000 * p95, "ms", 100.0, p95 <= 0.1),
        Figure("review-decisions-acknowledged", len(acknowledged), "decisions"),
        Figure("review-decisions-per-second", rate, "1/s", PER_SECOND, rate >= 0.95 * PER_SECOND),
        Figure("review-acknowledged-decisions-lost", lost, "decisions", 0, lost == 0),
        Figure("review-items-decided-twice", twice, "items", 0, twice == 0),
    ]


SOURCES = [f"source {j}" for j in range(10)]
TASKS = {"spans": {"kind": "spans", "labels": ["PER", "ORG", "LOC"], "multi": False}}


def documents(size: int) -> Iterator[Asked]:
    """Documents with four items each; their places in the queue are shuffled."""
    place = np.random.default_rng(0).permutation(size) + 1
    ends = np.cumsum([len(word) + 1 for word in WORDS]) - 1
    tokens = [[int(end) - len(word), int(end)] for word, end in zip(WORDS, ends, strict=True)]
    spans = [(0, 9, "PER"), (17, 26, "ORG"), (30, 34, "LOC"), (47, 52, "ORG")]
    for d in range(size // 4):
        items = []
        for n, (start, end, label) in enumerate(spans):
            votes = [[SOURCES[(d + n + j) % 10], label, start, end, 1.0] for j in range(2)]
            detail = {
                "quality": 0.4,
                "doubt": 0.5,
                "disagreement": 0.1,
                "votes": votes,
                "sources": [vote[0] for vote in votes],
            }
            items.append((int(place[4 * d + n]), "spans", start, end, label, "doubt", 0.5, detail))
        labelled = [[*span, 0.5] for span in spans]
        payload = {"text": TEXT, "tokens": tokens, "spans": {"spans": labelled}, "classes": {}}
        yield f"document {d}", payload, items


class Server:
    """A server process on a free port, started again on the same one after a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.review_server",
                str(self.path),
                str(self.port),
                TOKEN,
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the review server does not start")

    def kill(self) -> None:
        """As a power cut would: no time to tidy up."""
        self.process.kill()
        self.process.wait()


class Reviewer:
    """A browser without a face: it opens a session, reads items, sends decisions."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookie = ""
        self.request("GET", f"/open?token={TOKEN}")
        page = self.request("GET", "/name")
        self.csrf = _field(page, "csrf")
        self.request("POST", "/name", {"csrf": self.csrf, "reviewer": name})
        self.item = int(_field(self.request("GET", "/"), "item"))

    def request(self, method: str, address: str, form: dict[str, str] | None = None) -> str:
        """One request; the body of the answer."""
        headers = {"cookie": self.cookie, "x-fragment": "1"}
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, address, urlencode(form or {}), headers)
        answer = self.connection.getresponse()
        given = answer.getheader("set-cookie")
        if given:
            self.cookie = given.partition(";")[0]
        return answer.read().decode()

    def decide(self) -> int:
        """Accept the item in hand, take the next; the number of the one that was saved, or 0."""
        form = {"csrf": self.csrf, "item": str(self.item), "action": "accept"}
        page = self.request("POST", "/decide", form)
        saved = self.item if 'role="status">Saved.' in page else 0
        self.item = int(_field(page, "item"))
        return saved


def _field(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    if found is None:
        raise RuntimeError(f"the page has no field {name!r}: {page[:200]}")
    return found[1]


def pages(port: int, count: int) -> tuple[float, float]:
    """Seconds to the first page; 95th percentile of decision -> next item."""
    began = time.perf_counter()
    reviewer = Reviewer(port, "first")
    first = time.perf_counter() - began
    times = []
    for _ in range(count):
        began = time.perf_counter()
        reviewer.decide()
        times.append(time.perf_counter() - began)
    return first, float(np.quantile(times, 0.95))


def under_load(server: Server, seconds: float) -> tuple[list[tuple[str, int]], float]:
    """Decisions that were acknowledged to twenty reviewers, and how many a second.

    The server is killed in the middle and started again; reviewers come back by themselves.
    """
    acknowledged: list[tuple[str, int]] = []
    stop = threading.Event()

    def review(name: str, shift: float) -> None:
        pace = REVIEWERS / PER_SECOND
        due = time.perf_counter() + shift * pace
        reviewer: Reviewer | None = None
        while not stop.is_set():
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                reviewer = reviewer or Reviewer(server.port, name)
                item = reviewer.decide()
                if item:
                    acknowledged.append((name, item))
                due += pace
            except (OSError, http.client.HTTPException, RuntimeError):
                reviewer = None
                time.sleep(0.2)

    threads = [
        threading.Thread(target=review, args=(f"reviewer {n}", n / REVIEWERS))
        for n in range(REVIEWERS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 2)
    server.kill()
    server.start()
    time.sleep(seconds / 2)
    stop.set()
    for thread in threads:
        thread.join()
    return acknowledged, len(acknowledged) / seconds
