"""Our file in a real Label Studio, an annotation made there, its export back: same offsets.

Opt-in: ``make test-label-studio`` installs Label Studio in an environment of its own (it does not
get along with our dependencies) and names its program in LABEL_STUDIO. The server listens on
loopback and keeps SQLite in a temporary folder; whatever it would send out meets a closed port.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import weaklabel as wl
from weaklabel import formats
from weaklabel.corpus import Annotation
from weaklabel.formats.label_studio import label_config
from weaklabel.formats.record import Record, RecordSpan

pytestmark = pytest.mark.label_studio

TASKS = {
    "entities": wl.Task("spans", ("PER", "LOC"), name="entities"),
    "topic": wl.Task("classes", ("sport", "trade <&> more"), name="topic"),
}
TEXTS = [
    "🙂 Anna Berg lives in Oslo.",
    "👩‍👩‍👧 met Zoe\u0301 A\u030astro\u0308m\r\nin 東京 with 𝒜da.",
    "שלום Anna Berg, مرحبا Oslo",
    "<script>alert(1)</script> 🙂 & Oslo",
]
NAMES = ("Anna Berg", "Zoe\u0301 A\u030astro\u0308m", "𝒜da", "Oslo", "東京")


@dataclass
class Server:
    address: str
    token: str

    def call(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Any:
        """The JSON answer to a request."""
        headers = {"Authorization": f"Token {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        try:
            with DIRECT.open(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from None

    def upload(self, project: int, path: Path) -> Any:
        """Import a file, as the page does."""
        edge = secrets.token_hex(16)
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
        )
        head += "Content-Type: application/json\r\n\r\n"
        body = head.encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        return self.call("POST", f"/api/projects/{project}/import", body, kind)


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    program = os.environ.get("LABEL_STUDIO")
    assert program, "LABEL_STUDIO should name its program; 'make test-label-studio' does"
    folder, port, token = tmp_path_factory.mktemp("studio"), free_port(), secrets.token_hex(20)
    nowhere = f"http://127.0.0.1:{free_port()}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_USERNAME": "ada@example.org",
        "LABEL_STUDIO_PASSWORD": secrets.token_hex(16),
        "LABEL_STUDIO_USER_TOKEN": token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "FEATURE_FLAGS_OFFLINE": "True",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), nowhere),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [program, "start", "--no-browser", "--internal-host", "127.0.0.1"]
    command += ["--port", str(port), "--data-dir", str(folder)]
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=out, stderr=out)
        made = Server(f"http://127.0.0.1:{port}", token)
        try:
            _wait(made, process, log)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.call("GET", "/api/projects")
            return
        except (OSError, AssertionError):
            time.sleep(1)
    pytest.fail(f"Label Studio did not start:\n{log.read_text(errors='replace')[-3000:]}")


def our_records() -> list[Record]:
    made = []
    for i, text in enumerate(TEXTS):
        found = [(text.find(n), n, "PER" if k < 3 else "LOC") for k, n in enumerate(NAMES)]
        spans = [RecordSpan(s, s + len(n), label, 0.9) for s, n, label in found if s >= 0]
        classes = {"sport": 0.3, "trade <&> more": 0.7}
        in_order = tuple(sorted(spans, key=lambda span: span.start))
        made.append(
            Record(f"d{i}", text, spans=in_order, classes=classes, chosen=("trade <&> more",))
        )
    return made


def test_what_a_person_annotates_there_comes_back_at_the_same_offsets(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "tasks.json"
    formats.write("label_studio", path, our_records(), TASKS, model_version="v7")
    config = (tmp_path / "tasks.json.config.xml").read_text()
    assert config == label_config(TASKS)
    wanted = json.dumps({"title": "round trip", "label_config": config}).encode()
    project = server.call("POST", "/api/projects", wanted)["id"]
    server.upload(project, path)
    listed = server.call("GET", f"/api/tasks?project={project}&fields=all&page_size=100")["tasks"]
    assert [task["data"]["text"] for task in listed] == TEXTS
    for task in listed[1:]:
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "v7"
        submit(server, task["id"], prediction["result"])
    corrected = listed[0]["predictions"][0]["result"]
    oslo = TEXTS[0].encode("utf-16-le").index("Oslo".encode("utf-16-le")) // 2
    (place,) = [item for item in corrected if item["value"].get("start") == oslo]
    place["value"]["labels"] = ["PER"]
    submit(server, listed[0]["id"], corrected)
    exported = tmp_path / "exported.json"
    rows = server.call("GET", f"/api/projects/{project}/export?exportType=JSON")
    exported.write_text(json.dumps(rows))
    documents = {document.id: document for document in formats.read("label_studio", exported)}
    for record in our_records():
        document = documents[record.id]
        assert document.text == record.text
        expected = {Annotation(span.start, span.end, span.label) for span in record.spans}
        if record.id == "d0":
            start = record.text.index("Oslo")
            expected.remove(Annotation(start, start + 4, "LOC"))
            expected.add(Annotation(start, start + 4, "PER"))
        assert set(document.spans["gold"]) == expected
        assert document.classes["gold"] == ("trade <&> more",)


def submit(server: Server, task: int, result: list[dict[str, Any]]) -> None:
    body = json.dumps({"result": result, "lead_time": 1.0}).encode()
    server.call("POST", f"/api/tasks/{task}/annotations/", body)
