"""Who may review: a token in the address opens a session, a cookie carries it."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections import OrderedDict

from .forms import BadRequest

COOKIE = "weaklabel"
_MOST = 10_000


class Refused(Exception):
    """No session, or a request that did not come from its page."""


class Session:
    """One browser. reviewer: the name given, "" until then. csrf: what its forms must carry."""

    def __init__(self) -> None:
        self.reviewer = ""
        self.csrf = secrets.token_urlsafe(18)

    def check(self, csrf: str) -> None:
        """Refuse a form that another site wrote."""
        if not hmac.compare_digest(csrf.encode(), self.csrf.encode()):
            raise Refused("this form is out of date: reload the page")

    def name(self, reviewer: str) -> None:
        """Say who reviews."""
        plain = re.sub(r"\s+", " ", reviewer).strip()
        if not plain or len(plain) > 60 or not plain.isprintable():
            raise BadRequest("a name has 1 to 60 printable characters")
        self.reviewer = plain


class Sessions:
    """The open sessions, in memory: a new server asks for its new token."""

    Refused = Refused

    def __init__(self, token: str) -> None:
        self._token = token
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, token: str) -> str:
        """A new session's cookie, for the right token."""
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            raise Refused("wrong token: use the address that 'weaklabel review' printed")
        cookie = secrets.token_urlsafe(24)
        with self._lock:
            self._open[cookie] = Session()
            while len(self._open) > _MOST:
                self._open.popitem(last=False)
        return cookie

    def find(self, cookie: str) -> Session:
        """The session of a cookie."""
        session = self._open.get(cookie)
        if session is None:
            raise Refused("no session: use the address that 'weaklabel review' printed")
        return session
