"""What every request meets first: the host it names, its size; and what every answer carries."""

from __future__ import annotations

import logging
from typing import Any

_MAX_BODY = 64 * 1024
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Guard:
    """ASGI middleware. hosts: what the Host header may name, without its port; () for any."""

    def __init__(self, app: Any, hosts: tuple[str, ...]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it in one plain line."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        started = False

        async def sending(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        refusal = self._refusal(dict(scope["headers"]))
        if refusal:
            await _plain(sending, *refusal)
            return
        try:
            await self.app(scope, _limited(receive), sending)
        except _TooLarge:
            await _plain(sending, 413, "the request is too large")
        except Exception:
            logging.getLogger("weaklabel.review").exception("a request failed")
            if not started:
                await _plain(sending, 500, "something went wrong; the server's log says what")

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.hosts and _without_port(host) not in self.hosts:
            return 421, "this server does not answer to that name"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, "the length of the request is no number"
        if int(length) > _MAX_BODY:
            return 413, "the request is too large"
        return None


class _TooLarge(Exception):
    pass


def _limited(receive: Any) -> Any:
    size = 0

    async def receiving() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _MAX_BODY:
            raise _TooLarge
        return message

    return receiving


async def _plain(send: Any, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def hosts_of(host: str) -> tuple[str, ...]:
    """What the Host header may name when listening on ``host``: a page elsewhere cannot rebind."""
    if host in ("0.0.0.0", "::"):
        return ()
    local = ("127.0.0.1", "localhost", "[::1]")
    return local if host in ("127.0.0.1", "localhost", "::1") else (*local, host.lower())
