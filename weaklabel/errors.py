"""The errors that weaklabel raises for a user's mistake.

The command line prints them as one line, exit code 2.

WeaklabelError
├── InputError        a document or a file that cannot be read
├── JobError          a job file that cannot be run
├── SourceError       a source that is declared or behaves wrongly
├── VotesError        votes or labels that do not fit their task
├── ModelError        a label model with impossible settings or data
│   └── NotFitted     predict or save before fit
├── RunError          a run folder that cannot be used
└── MissingExtra      an optional dependency that is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WeaklabelError(Exception):
    """A user's mistake, told in one line: what was wrong, where, and what would be right."""


class InputError(WeaklabelError):
    """A document or a file that cannot be read."""


class JobError(WeaklabelError):
    """A job file that cannot be run."""


class SourceError(WeaklabelError):
    """A source that is declared or behaves wrongly."""


class VotesError(WeaklabelError):
    """Votes or labels that do not fit their task."""


class ModelError(WeaklabelError):
    """A label model with impossible settings or data."""


class NotFitted(ModelError):
    """``predict`` or ``save`` before ``fit``."""


class RunError(WeaklabelError):
    """A run folder that cannot be used."""


class MissingExtra(WeaklabelError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'weaklabel[{extra}]'")


class LabelModelWarning(UserWarning):
    """A fit that did not converge, or that fell back because held-out votes advised it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that ends an error: the known name nearest to a wrong one, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
