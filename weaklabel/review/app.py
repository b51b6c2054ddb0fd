"""The review page: server-rendered, one item at a time, keyboard first."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import MissingExtra, RunError
from .guard import Guard, hosts_of
from .pages import Pages
from .queue import Reviewable, open_queue
from .store import Store

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import RedirectResponse, Response
    from starlette.concurrency import run_in_threadpool
except ImportError as error:
    raise MissingExtra("fastapi", "review") from error

from .forms import BadRequest, decision_of, filter_of, number_of, read_form
from .sessions import COOKIE, Session, Sessions
from .store import AlreadyDecided, NoSuchItem

FRAGMENT = "x-fragment"


def create_app(store: Store, *, token: str, hosts: tuple[str, ...]) -> Any:
    """The ASGI application. token: opens a session. hosts: what the Host header may say."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    sessions = Sessions(token)
    pages = Pages(store)

    def session_of(request: Request) -> Session:
        return sessions.find(request.cookies.get(COOKIE, ""))

    async def checked_form(request: Request) -> tuple[Session, dict[str, list[str]]]:
        session = session_of(request)
        form = await read_form(request)
        session.check(form.get("csrf", [""])[0])
        return session, form

    def show(request: Request, session: Session, item: Any, note: str = "") -> Response:
        wanted = filter_of(request.query_params)
        fragment = FRAGMENT in request.headers
        return _html(pages.review(session, wanted, item, note=note, fragment=fragment))

    @app.get("/open")
    def open_session(token: str = "") -> Response:
        cookie = sessions.open(token)
        response = RedirectResponse("/name", status_code=303)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return response

    @app.get("/name")
    def ask_name(request: Request) -> Response:
        return _html(pages.name(session_of(request)))

    @app.post("/name")
    async def take_name(request: Request) -> Response:
        session, form = await checked_form(request)
        session.name(form.get("reviewer", [""])[0])
        return RedirectResponse("/", status_code=303)

    @app.get("/")
    def next_item(request: Request, after: str = "0") -> Response:
        session = session_of(request)
        if not session.reviewer:
            return RedirectResponse("/name", status_code=303)
        wanted = filter_of(request.query_params)
        return show(request, session, store.next(session.reviewer, wanted, number_of(after)))

    @app.get("/item/{number}")
    def one_item(request: Request, number: str) -> Response:
        return show(request, session_of(request), store.item(number_of(number)))

    @app.post("/decide")
    async def decide(request: Request) -> Response:
        session, form = await checked_form(request)
        wanted = filter_of(request.query_params)
        return await run_in_threadpool(act, request, session, form, wanted)

    def act(
        request: Request, session: Session, form: dict[str, list[str]], wanted: Any
    ) -> Response:
        number = number_of(form.get("item", [""])[0])
        action = form.get("action", [""])[0]
        note = ""
        if action == "undo":
            back = store.undo(session.reviewer)
            if back is not None:
                return show(request, session, store.item(back), "Taken back.")
            note = "There is nothing to take back."
        elif action == "skip":
            store.skip(number, session.reviewer)
        else:
            item = store.item(number)
            decision = decision_of(
                form, item, store.document(item.document)[1], store.fact("tasks")
            )
            second = form.get("second", [""])[0] == "1"
            try:
                store.decide(
                    number, session.reviewer, *decision, form.get("comment", [""])[0], second=second
                )
            except AlreadyDecided as other:
                message = f"{other} decided this one first. Decide again for a second opinion."
                return show(request, session, item, message)
            note = "Saved."
        if FRAGMENT not in request.headers:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/{query}", status_code=303)
        return show(request, session, store.next(session.reviewer, wanted), note)

    @app.get("/agreement")
    def agreement(request: Request) -> Response:
        return _html(pages.agreement(session_of(request)))

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in pages.static:
            return Response("no such file", status_code=404, media_type="text/plain")
        content, media_type = pages.static[name]
        return Response(content, media_type=media_type)

    for kind, status in ((BadRequest, 400), (NoSuchItem, 404), (Sessions.Refused, 403)):
        app.add_exception_handler(kind, _refusal(status, pages))
    app.add_middleware(Guard, hosts=hosts)
    return app


def _refusal(status: int, pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def respond(request: Request, error: Exception) -> Response:
        message = "no such item" if isinstance(error, NoSuchItem) else str(error)
        return _html(pages.message(message), status)

    return respond


def _html(text: str, status: int = 200) -> Response:
    return Response(text.encode("utf-8", "replace"), status, media_type="text/html; charset=utf-8")


def serve(
    run: Reviewable,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    order: str = "gain",
    budget: int | None = None,
) -> None:
    """Serve the review page of a run until interrupted; prints the address that opens it.

    order: one of ``rank.ORDERS``. budget: only the so many items that are best to ask.
    """
    serve_store(open_queue(run, order, budget), host=host, port=port)


def serve_store(
    store: Store, *, host: str = "127.0.0.1", port: int = 8765, token: str | None = None
) -> None:
    """Serve a queue until interrupted, then close it. token: what opens a session; None: random."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("uvicorn", "review") from error
    token = token or secrets.token_urlsafe(24)
    app = create_app(store, token=token, hosts=hosts_of(host))
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False
    )
    sys.stdout.write(f"review at http://{host}:{port}/open?token={token}\n")
    sys.stdout.flush()
    try:
        uvicorn.Server(config).run()
    except SystemExit:
        raise RunError(f"cannot listen on {host}:{port}: is the port taken?") from None
    finally:
        store.close()
