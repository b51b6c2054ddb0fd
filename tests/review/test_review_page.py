"""The page in a real browser and over a real socket: keys, looks, hostile text and requests."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from weaklabel.review.app import create_app
from weaklabel.review.guard import hosts_of
from weaklabel.review.queue import open_queue
from weaklabel.review.store import Store

TOKEN = "open-sesame"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def served(tiny_run) -> Iterator[tuple[Store, int]]:
    import uvicorn

    store = open_queue(tiny_run)
    app = create_app(store, token=TOKEN, hosts=hosts_of("127.0.0.1"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield store, listener.getsockname()[1]
        server.should_exit = True
        thread.join()
    store.close()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "the page is tested in Debian's chromium, which is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


def opened(browser, port: int, name: str = "Ada", scheme: str = "light"):
    page = browser.new_context(color_scheme=scheme).new_page()
    page.set_default_timeout(60_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
    page.on("dialog", lambda dialog: page.problems.append("dialog: " + dialog.message))
    page.goto(f"http://127.0.0.1:{port}/open?token={TOKEN}")
    page.fill("#reviewer", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#main[data-item]")
    return page


def press(page, key: str) -> None:
    """Press a key that sends an answer, and wait for the next item."""
    page.eval_on_selector("#main", "main => main.classList.add('before')")
    page.keyboard.press(key)
    page.wait_for_selector("#main:not(.before)")


def current(page) -> int:
    return int(page.get_attribute("#main", "data-item"))


def go(page, port: int, query: str) -> int:
    page.goto(f"http://127.0.0.1:{port}/?{query}")
    return current(page)


def result(store: Store, item: int) -> dict:
    return store.decisions_on(item)[-1].result


def test_keys_decide_move_add_comment_and_undo(served, browser) -> None:
    store, port = served
    page = opened(browser, port)
    first = store.item(go(page, port, "task=entities&label=PER"))
    press(page, "a")
    assert result(store, first.id)["spans"] == [[first.start, first.end, "PER"]]
    second = current(page)
    press(page, "r")
    item = store.item(second)
    assert result(store, second) == {"spans": [], "none": [[item.start, item.end]]}
    press(page, "u")
    assert current(page) == second
    assert store.decisions_on(second) == []
    press(page, "2")
    assert result(store, second)["spans"][0][2] == "LOC"
    third = store.item(current(page))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.keyboard.type("longer")
    page.keyboard.press("Escape")
    press(page, "Enter")
    said = result(store, third.id)
    assert said["none"] == [[third.start, third.end]]
    assert said["spans"][0][0] == third.start
    assert said["spans"][0][1] > third.end
    assert store.decisions_on(third.id)[0].comment == "longer"
    fourth = current(page)
    page.keyboard.press("n")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("3")
    page.keyboard.press("d")
    press(page, "a")
    said = result(store, fourth)
    assert said["complete"] is True
    assert any(label == "ORG" for _, _, label in said["spans"])
    skipped = current(page)
    press(page, "x")
    assert store.item(skipped).state == 3
    left = current(page)
    press(page, "j")
    assert store.item(left).state == 0
    assert page.problems == []


def test_dragging_an_end_moves_it_and_drawing_adds(served, browser) -> None:
    store, port = served
    page = opened(browser, port)
    item = store.item(go(page, port, "task=entities&label=LOC"))
    end = page.locator("#text .f.end").bounding_box()
    index = int(page.get_attribute("#text .f.end", "data-i"))
    target = page.locator(f"#text .t[data-i='{index + 1}']").bounding_box()
    page.mouse.move(end["x"] + end["width"] - 2, end["y"] + end["height"] / 2)
    page.mouse.down()
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"] / 2)
    page.mouse.up()
    assert page.is_visible("#save")
    press(page, "Enter")
    assert result(store, item.id)["spans"][0][1] > item.end
    assert page.problems == []


def test_classes_are_chosen_by_digit(served, browser) -> None:
    store, port = served
    page = opened(browser, port)
    item = go(page, port, "task=topic")
    press(page, "2")
    assert result(store, item) == {"classes": ["trade"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_names_and_language_in_both_schemes(served, browser, scheme: str) -> None:
    _, port = served
    page = opened(browser, port, scheme=scheme)
    for address in ("/?task=entities", "/?task=topic", "/agreement", "/name"):
        page.goto(f"http://127.0.0.1:{port}{address}")
        poor = page.evaluate(CONTRAST)
        assert poor == []
        assert page.evaluate(NAMELESS) == []
        assert page.get_attribute("html", "lang") == "en"
        assert page.locator("h1").count() == 1
    assert page.problems == []


def test_a_document_is_text_whatever_it_says(served, browser) -> None:
    store, port = served
    page = opened(browser, port)
    hostile = next(
        i
        for i in store.first(1000)
        if "<script>" in store.document(i.document)[1]["text"] and i.task == "entities"
    )
    page.goto(f"http://127.0.0.1:{port}/item/{hostile.id}")
    text = page.locator("#text").text_content()
    assert "<script>alert(1)</script>" in text
    assert "javascript:alert(1)" in text
    assert page.locator("#text script, #text a").count() == 0
    assert page.problems == []


def test_two_reviewers_a_second_opinion_and_the_agreement_page(served, browser) -> None:
    store, port = served
    ada, bo = opened(browser, port, "Ada"), opened(browser, port, "Bo <b>")
    item = go(ada, port, "task=entities")
    assert go(bo, port, "task=entities") != item
    press(ada, "a")
    assert go(bo, port, "task=entities&queue=second") == item
    assert "second opinion" in bo.inner_text("main")
    bo.keyboard.press("r")
    bo.wait_for_function("() => document.body.innerText.includes('Saved')")
    assert store.item(item).state == 2
    bo.goto(f"http://127.0.0.1:{port}/agreement")
    assert "Bo <b>" in bo.inner_text("main")
    assert "0%" in bo.inner_text("main")


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (c) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const says = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!says || !e.checkVisibility() || e.matches("option")) continue;
    const pair = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
    const [a, b] = pair.sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName} ${ratio.toFixed(2)} ${e.textContent}`);
  }
  return poor;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a, select, textarea, input")]
  .filter(e => e.type !== "hidden")
  .filter(e => e.checkVisibility() && !(e.getAttribute("aria-label") || e.textContent.trim() ||
    (e.labels && e.labels.length))).map(e => e.outerHTML)"""


class Client:
    """A plain HTTP client with a session."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""
        _, headers, _ = self.send("GET", f"/open?token={TOKEN}")
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.flags = headers["set-cookie"].lower()
        self.csrf = re.search('name="csrf" value="([^"]+)"', self.send("GET", "/name")[2])[1]
        self.post("/name", reviewer="Ada")

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"cookie": self.cookie, **given})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text

    def post(self, path: str, **form: str):
        body = urlencode({"csrf": self.csrf, **form}).encode()
        return self.send("POST", path, body, content_type="application/x-www-form-urlencoded")


def test_no_token_no_cookie_no_csrf_no_entry(served) -> None:
    store, port = served
    client = Client(port)
    assert "httponly" in client.flags
    assert "samesite=strict" in client.flags
    item = store.next("Ada")
    cookie, client.cookie = client.cookie, ""
    assert client.send("GET", "/")[0] == 403
    assert client.send("GET", "/open?token=guess")[0] == 403
    assert client.post("/decide", item=str(item.id), action="reject")[0] == 403
    client.cookie = cookie
    body = urlencode({"item": item.id, "action": "reject"}).encode()
    kind = "application/x-www-form-urlencoded"
    assert client.send("POST", "/decide", body, content_type=kind)[0] == 403
    assert store.decisions() == []
    assert client.send("GET", "/", host="evil.example")[0] == 421


def test_headers_forbid_inline_script_and_framing(served) -> None:
    _, port = served
    _, headers, page = Client(port).send("GET", "/")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert re.search(r"<script(?! src=)|\son\w+=|style=|https?://(?!127)", page) is None


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/decide", {"item": "1", "action": "explode"}, 400),
        ("/decide", {"item": "999999", "action": "accept"}, 404),
        ("/decide", {"item": "-1", "action": "accept"}, 400),
        ("/decide", {"item": "1" * 40, "action": "accept"}, 400),
        ("/decide", {"item": "1", "action": "accept", "comment": "x" * 3000}, 400),
        ("/decide?queue=nowhere", {"item": "1", "action": "accept"}, 400),
        ("/name", {"reviewer": "a\u0000b"}, 400),
        ("/name", {"reviewer": "x" * 100}, 400),
    ],
)
def test_odd_forms_are_refused_in_one_line(served, path: str, form, status: int) -> None:
    store, port = served
    found, _, text = Client(port).post(path, **form)
    assert found == status
    assert "Traceback" not in text
    assert store.decisions() == []


def test_impossible_spans_are_refused(served) -> None:
    store, port = served
    client = Client(port)
    item = next(i for i in store.first(100) if i.task == "entities")
    for extra in (
        {"action": "adjust", "start": "5", "end": "2", "label": "PER"},
        {"action": "adjust", "start": "0", "end": "9999", "label": "PER"},
        {"action": "relabel", "start": "0", "end": "0", "label": "<b>"},
        {"action": "accept", "add": "nonsense"},
    ):
        assert client.post("/decide", item=str(item.id), **extra)[0] == 400
    assert store.decisions() == []


def test_malformed_and_oversize_requests_get_4xx(served) -> None:
    _, port = served
    client = Client(port)
    kind = "application/x-www-form-urlencoded"
    assert client.send("POST", "/decide", b"x" * 70_000, content_type=kind)[0] == 413
    assert client.send("POST", "/decide", b"\xff\xfe=%zz", content_type=kind)[0] == 400
    assert client.send("POST", "/decide", b"{}", content_type="application/json")[0] == 400
    assert client.send("PUT", "/decide")[0] == 405
    assert client.send("GET", "/item/..%2f..%2fetc%2fpasswd")[0] in (400, 404)
    for path in (
        "/static/../store.py",
        "/static/..%2fstore.py",
        "/static/%2e%2e/app.py",
        "/run.json",
    ):
        assert client.send("GET", path)[0] == 404
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(
            b"POST /decide HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(70):
            raw.sendall(b"400\r\n" + b"a" * 1024 + b"\r\n")
        raw.sendall(b"0\r\n\r\n")
        assert raw.recv(100).split()[1][:1] == b"4"
