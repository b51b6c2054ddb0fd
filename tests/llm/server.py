"""A real HTTP server that speaks the chat completion and batch protocol, and misbehaves on demand.

Written on bare asyncio streams, sharing nothing with the client. In a test::

    with Server(answer=lambda body: '{"entities": []}') as server:
        Session(server.url, "m")

From a shell, for the benchmark: ``python server.py --latency 0.2 --log FILE`` prints its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

Body = dict[str, Any]

FAULTS = (
    "429", "429-seconds", "429-ms", "429-date", "500", "503", "slow", "reset", "cut-body",
    "refusal", "length", "prose", "wrong-label", "invented-quote", "cut-json",
)  # fmt: skip
PASSING = FAULTS[:9]
"""Faults of the transport, which go away; the others are answers, and stay."""

_FENCED = re.compile(r"<document-([0-9a-f]+)>\n(.*)\n</document-\1>", re.DOTALL)
_NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)*")


def document_of(body: Body) -> str:
    """The document in a request."""
    match = _FENCED.search(body["messages"][-1]["content"])
    return match.group(2) if match else ""


def digest(*parts: object) -> int:
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def enum_of(schema: Any) -> list[str]:
    """The closed set in a JSON schema, wherever it stands."""
    if isinstance(schema, dict):
        if "enum" in schema:
            return list(schema["enum"])
        schema = list(schema.values())
    if isinstance(schema, list):
        return next((found for part in schema if (found := enum_of(part))), [])
    return []


def oracle_spans(text: str, labels: list[str]) -> list[tuple[int, int, str]]:
    """The truth of the stand-in model: capitalised words, labelled by a hash of them."""
    return [
        (m.start(), m.end(), labels[digest(m.group()) % len(labels)]) for m in _NAME.finditer(text)
    ]


def oracle_class(text: str, labels: list[str]) -> str:
    return labels[digest("class", text) % len(labels)]


def oracle(body: Body) -> str:
    """What a perfect model would answer."""
    text = document_of(body)
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    labels = enum_of(schema) or ["PER", "ORG", "LOC"]
    if "entities" not in schema.get("properties", {"entities": 0}):
        return json.dumps({"answer": oracle_class(text, labels)})
    seen: Counter[str] = Counter()
    entities = []
    for start, end, label in oracle_spans(text, labels):
        quote = text[start:end]
        seen[quote] += 1
        entities.append({"quote": quote, "label": label, "occurrence": seen[quote]})
    return json.dumps({"entities": entities})


class Server:
    """answer: what the model says to a request body: content, or a whole message as a dict.
    fault: (body, attempt from 0) -> a name of FAULTS, or None. latency: seconds a call.
    key: the only one accepted. models: those known, None for any. reject: parameter names that
    are answered with 400. raw: (method, path) -> a whole (status, headers, body), or None.
    """

    def __init__(
        self,
        answer: Callable[[Body], str | Body] = oracle,
        *,
        fault: Callable[[Body, int], str | None] = lambda body, attempt: None,
        latency: float = 0.0,
        key: str | None = None,
        models: list[str] | None = None,
        reject: tuple[str, ...] = (),
        retry_after: float = 0.05,
        slow: float = 30.0,
        raw: Callable[[str, str], tuple[int, dict[str, str], bytes] | None] = lambda m, p: None,
        usage: Callable[[Body, str], tuple[int, int]] | None = None,
        log: Path | None = None,
    ) -> None:
        self.answer, self.fault, self.latency, self.key = answer, fault, latency, key
        self.models, self.reject, self.raw, self.usage = models, reject, raw, usage
        self.retry_after, self.slow = retry_after, slow
        self.calls: list[Body] = []
        self.done: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.spent = [0, 0]
        self.running = self.most_running = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Body] = {}
        self.batch_polls = 1
        self.batch_fault: Callable[[Body], str | None] = lambda line: None
        self.batch_status = "completed"
        self._attempts: Counter[int] = Counter()
        self._log = log.open("a", buffering=1) if log else None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Server:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def serve(self, ready: threading.Event | None = None, port: int = 0) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        if ready is None:
            print(self.url, flush=True)
        else:
            ready.set()
        await self._end.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                self.headers.append(headers)
                keep = await self._answer(writer, method, path, headers, content)
                if not keep:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        headers: dict[str, str],
        content: bytes,
    ) -> bool:
        whole = self.raw(method, path)
        if whole is not None:
            return await self._write(writer, *whole)
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            given = headers.get("authorization", "").removeprefix("Bearer ")
            error = {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}
            return await self._json(writer, 401, {"error": error})
        if path == "/v1/models":
            data = [{"id": name} for name in self.models or ["m"]]
            return await self._json(writer, 200, {"object": "list", "data": data})
        if path == "/v1/spent":  # not of the protocol: what this server would charge for
            return await self._json(writer, 200, self.spent)
        if path == "/v1/chat/completions":
            return await self._chat(writer, json.loads(content))
        return await self._batch_api(writer, method, path, headers, content)

    async def _chat(self, writer: asyncio.StreamWriter, body: Body) -> bool:
        self.calls.append(body)
        self.times.append(time.monotonic())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._serve_call(writer, body)
        finally:
            self.running -= 1

    async def _serve_call(self, writer: asyncio.StreamWriter, body: Body) -> bool:
        if self.models is not None and body["model"] not in self.models:
            error = {"message": f"The model {body['model']} does not exist"}
            return await self._json(writer, 404, {"error": error})
        for name in self.reject:
            if name in json.dumps({k: v for k, v in body.items() if k != "messages"}):
                error = {"message": f"Unsupported parameter: {name}", "param": name}
                return await self._json(writer, 400, {"error": error})
        number = digest(document_of(body), body.get("seed"))
        attempt = self._attempts[number]
        self._attempts[number] += 1
        fault = self.fault(body, attempt)
        if fault is not None and fault[:3] in ("429", "500", "503", "quo"):
            return await self._busy(writer, fault)
        await asyncio.sleep(self.slow if fault == "slow" else self.latency)
        reply = self.completion(body, fault)
        raw = json.dumps(reply).encode()
        if fault == "reset":
            writer.write(_head(200, {}, len(raw)) + raw[: len(raw) // 2])
            await writer.drain()
            writer.transport.abort()
            return False
        if fault == "cut-body":
            return await self._write(writer, 200, {}, raw[: len(raw) // 2])
        if self._log:
            self._log.write(f"{document_of(body)[:24].splitlines()[0]}\n")
        self.done.append(body)
        self.statuses[200] += 1
        return await self._write(writer, 200, {}, raw)

    def completion(self, body: Body, fault: str | None = None) -> Body:
        answer = self.answer(body)
        message = answer if isinstance(answer, dict) else {"content": answer, "refusal": None}
        finish, content = "stop", str(message.get("content", ""))
        if fault == "refusal":
            message = {"content": None, "refusal": "I can't help with that."}
        elif fault == "length":
            message, finish = {"content": content[: len(content) // 2]}, "length"
        elif fault == "cut-json":
            message = {"content": content[: len(content) // 2]}
        elif fault == "prose":
            message = {"content": "Well, it depends on how you look at it."}
        elif fault == "wrong-label":
            wrong = {"entities": [{"quote": document_of(body)[:5], "label": "WRONG"}]}
            message = {"content": json.dumps(wrong | {"answer": "WRONG"})}
        elif fault == "invented-quote":
            labels = enum_of(body.get("response_format", {})) or ["PER"]
            invented = {"quote": "Zxqv Wjkpf Ugh", "label": labels[0], "occurrence": 1}
            message = {"content": json.dumps({"entities": [invented], "answer": "Zxqv"})}
        prompt = sum(len(m["content"]) for m in body["messages"]) // 4
        used = (prompt, len(str(message.get("content"))) // 4 + 1)
        if self.usage is not None:
            used = self.usage(body, content)
        self.spent[0] += used[0]
        self.spent[1] += used[1]
        logprobs = message.pop("logprobs", None)
        return {
            "id": "x",
            "model": body["model"],
            "choices": [
                {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
                | ({"logprobs": logprobs} if logprobs else {})
            ],
            "usage": {"prompt_tokens": used[0], "completion_tokens": used[1]},
        }

    async def _busy(self, writer: asyncio.StreamWriter, fault: str) -> bool:
        code, _, form = fault.partition("-")
        wait = self.retry_after
        headers = {
            "seconds": {"retry-after": f"{wait}"},
            "ms": {"retry-after-ms": f"{wait * 1000}"},
            "date": {"retry-after": formatdate(time.time() + 1, usegmt=True)},
        }.get(form, {})
        codes = {"429": "rate_limit_exceeded", "quota": "insufficient_quota"}
        error = {"message": "try later", "code": codes.get(code, "server_error")}
        number = int(code) if code.isdigit() else 429
        return await self._json(writer, number, {"error": error}, headers)

    async def _json(
        self,
        writer: asyncio.StreamWriter,
        code: int,
        value: Any,
        headers: dict[str, str] | None = None,
    ) -> bool:
        self.statuses[code] += 1
        return await self._write(writer, code, headers or {}, json.dumps(value).encode())

    async def _write(
        self, writer: asyncio.StreamWriter, code: int, headers: dict[str, str], body: bytes
    ) -> bool:
        writer.write(_head(code, headers, len(body)) + body)
        await writer.drain()
        return True

    async def _batch_api(
        self,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        headers: dict[str, str],
        content: bytes,
    ) -> bool:
        parts = path.split("?")[0].strip("/").split("/")[1:]
        if method == "POST" and parts == ["files"]:
            name = f"file-{len(self.files)}"
            self.files[name] = _uploaded(headers["content-type"], content)
            return await self._json(writer, 200, {"id": name})
        if method == "GET" and parts[0] == "files":
            return await self._write(writer, 200, {}, self.files[parts[1]])
        if method == "POST" and parts == ["batches"]:
            wish = json.loads(content)
            batch = wish | {"id": f"batch-{len(self.batches)}", "polls": 0, "status": "validating"}
            self.batches[batch["id"]] = batch
            return await self._json(writer, 200, batch)
        if method == "GET" and parts == ["batches"]:
            return await self._json(writer, 200, {"data": list(self.batches.values())})
        if method == "GET" and parts[0] == "batches":
            batch = self.batches[parts[1]]
            batch["polls"] += 1
            if batch["polls"] >= self.batch_polls and "output_file_id" not in batch:
                self._run_batch(batch)
            return await self._json(writer, 200, batch)
        return await self._json(writer, 404, {"error": {"message": "no such path"}})

    def _run_batch(self, batch: Body) -> None:
        """Lines come back in another order; failed ones in the error file; some not at all."""
        good, bad = [], []
        for row in self.files[batch["input_file_id"]].splitlines():
            line = json.loads(row)
            fault = self.batch_fault(line)
            result = {"id": "r", "custom_id": line["custom_id"], "error": None}
            if fault == "expired":
                continue
            if fault is not None and fault.isdigit():
                error = {"error": {"message": "server had a bad moment"}}
                bad.append(result | {"response": {"status_code": int(fault), "body": error}})
                continue
            self.calls.append(line["body"])
            self.done.append(line["body"])
            body = self.completion(line["body"], fault)
            good.append(result | {"response": {"status_code": 200, "body": body}})
        good.sort(key=lambda r: digest(r["custom_id"]))
        for name, rows in (("output_file_id", good), ("error_file_id", bad)):
            file = f"file-{len(self.files)}"
            self.files[file] = b"".join(json.dumps(r).encode() + b"\n" for r in rows)
            batch[name] = file
        batch["status"] = self.batch_status


def _uploaded(kind: str, content: bytes) -> bytes:
    boundary = kind.split("boundary=")[1].encode()
    for part in content.split(b"--" + boundary):
        if b"filename=" in part:
            return part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
    return b""


def _head(code: int, headers: dict[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {code} X", "content-type: application/json", f"content-length: {length}"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


def mixed_faults(share: float, seed: int = 0) -> Callable[[Body, int], str | None]:
    """Each kind of fault for its part of ``share`` of the documents; passing ones pass once."""

    def fault(body: Body, attempt: int) -> str | None:
        draw = digest(seed, document_of(body)) / 2**48
        if draw >= share:
            return None
        kind = FAULTS[int(draw / share * len(FAULTS))]
        return None if kind in PASSING and attempt else kind

    return fault


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=5.0)
    options = parser.parse_args()
    server = Server(
        fault=mixed_faults(options.faults),
        latency=options.latency,
        log=options.log,
        slow=options.slow,
    )
    asyncio.run(server.serve(port=options.port))


if __name__ == "__main__":
    main()
