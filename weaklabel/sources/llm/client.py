"""The wire: one endpoint, JSON out, a ``Reply`` back. Nothing here raises for a bad network."""

from __future__ import annotations

import asyncio
import json
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ...errors import JobError, MissingExtra
from .faults import Reply

if TYPE_CHECKING:
    import httpx2

_POOL = 8

_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def check_url(url: str) -> str:
    """The base URL without a slash at its end; a wrong one is one line."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise JobError(f"llm.base_url: {url!r} is no http(s) URL, such as https://HOST/v1")
    if parts.username or parts.password or parts.query:
        raise JobError(
            "llm.base_url holds a user, password or query: "
            "name the variable with the key in llm.api_key_env"
        )
    cut = url.rstrip("/")
    if cut.endswith("/chat/completions"):
        raise JobError(
            f"llm.base_url: give the part before /chat/completions: "
            f"{cut.removesuffix('/chat/completions')!r}"
        )
    return cut


def is_local(url: str) -> bool:
    """Whether the endpoint is on this machine, where a key is seldom needed."""
    return (urlsplit(url).hostname or "") in _LOCAL


def read_key(variable: str, url: str) -> str | None:
    """The key from the environment; a hosted endpoint without one is one line."""
    key = os.environ.get(variable, "").strip()
    if key and (not key.isascii() or not key.isprintable()):
        raise JobError(f"llm.api_key_env: the value of {variable} is not one line of plain ASCII")
    if not key and not is_local(url):
        raise JobError(
            f"llm.api_key_env: the environment variable {variable} is not set; it must hold the "
            f"key of {urlsplit(url).hostname}"
        )
    return key or None


class Client:
    """An async client of one endpoint; use it as a context manager inside one event loop.

    timeout: seconds a call may take. connections: how many at once.
    """

    def __init__(self, url: str, key: str | None, *, timeout: float, connections: int) -> None:
        self.url = url
        self.timeout = timeout
        self.connections = connections
        self._key = key
        self._pools: list[httpx2.AsyncClient] = []
        self._turn = 0

    async def __aenter__(self) -> Self:
        try:
            import httpx2
        except ImportError:
            raise MissingExtra("httpx2", "llm") from None

        headers = {"user-agent": "weaklabel", "accept": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        # A pool searches all its connections for every request: several small ones cost less.
        each = min(_POOL, self.connections)
        trust = httpx2.create_ssl_context() if self.url.startswith("https:") else False
        for _ in range(-(-self.connections // each)):
            pool = httpx2.AsyncClient(
                headers=headers,
                verify=trust,
                timeout=httpx2.Timeout(self.timeout, connect=min(10.0, self.timeout), pool=None),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=2 * each),
                follow_redirects=False,
            )
            self._pools.append(pool)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in self._pools:
            await pool.aclose()

    async def post(self, path: str, body: dict[str, Any]) -> Reply:
        """POST JSON."""
        content = json.dumps(body, separators=(",", ":")).encode()
        headers = {"content-type": "application/json"}
        return await self._send("POST", path, content=content, headers=headers)

    async def upload(self, path: str, name: str, lines: bytes) -> Reply:
        """POST a file for batch processing."""
        files = {"file": (name, lines, "application/jsonl")}
        return await self._send("POST", path, files=files, data={"purpose": "batch"})

    async def get(self, path: str) -> Reply:
        """GET."""
        return await self._send("GET", path)

    async def _send(self, method: str, path: str, **rest: Any) -> Reply:
        import httpx2

        self._turn = (self._turn + 1) % len(self._pools)
        pool = self._pools[self._turn]
        try:
            # httpx2 times each read; a server that drips bytes would never be given up.
            async with asyncio.timeout(self.timeout):
                response = await pool.request(method, self.url + path, **rest)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            return Reply(0, problem=f"cannot connect to {self.url}: {self._clean(error)}")
        except (httpx2.HTTPError, TimeoutError) as error:
            reason = self._clean(error) or "no answer in time"
            return Reply(0, problem=f"connection lost: {reason}", sent=True)
        return Reply(response.status_code, self._strip(response.content), dict(response.headers))

    def _clean(self, error: BaseException) -> str:
        text = str(error)
        return text.replace(self._key, "***") if self._key else text

    def _strip(self, body: bytes) -> bytes:
        """A server that echoes the key must not get it into the cache or an error message."""
        return body.replace(self._key.encode(), b"***") if self._key else body
