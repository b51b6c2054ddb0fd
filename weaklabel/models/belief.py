"""One class question, fitted: what each vote says, how silent documents are, when to fall back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import confusion
from .balance import silent_balance
from .crowds import Fit, fit_crowd, m_step
from .guard import drift, expected_accuracy, majority_fit, temperature
from .patterns import Floats, Patterns, Rows, compress
from .spotters import PRECISION, fit_spotters, one_label

CROWD_COVER, CROWD_SHARE = 0.97, 0.8
"""Sources are a crowd if those of several labels cover this much, with this share of the votes."""

_ARRAYS = ("raw", "emission", "log_prior", "silent", "precision", "recall", "weight")


@dataclass(frozen=True, eq=False)
class Belief:
    """What a fit believes; all that prediction needs.

    raw: (S,) sorted symbols, rank of the source by name * L + vote label.
    emission: (S, K) log-likelihood of each vote. log_prior: (K,). silent: (K,) class
    probabilities where nobody voted. precision, recall, weight: (S,) see ``SourceQuality``.
    regime: "crowd", "spotters", "majority" (a fallback) or "none" (no vote was cast).
    fallback: why the model fell back, or empty.
    """

    raw: NDArray[np.int64]
    emission: Floats
    log_prior: Floats
    silent: Floats
    precision: Floats
    recall: Floats
    weight: Floats
    regime: str
    fallback: str
    history: list[float]
    converged: bool

    def posterior(self, rows: Rows, compatible: NDArray[np.bool_]) -> Floats:
        """(P, K) class probabilities of rows of votes."""
        raw, place = compress(rows.raw)
        result = np.empty((len(rows.known), len(self.log_prior)))
        confusion.posteriors(
            rows.indptr,
            place[rows.raw],
            rows.levels,
            self.table(raw, compatible),
            self.log_prior,
            rows.known,
            result,
        )
        result[(np.diff(rows.indptr) == 0) & (rows.known < 0)] = self.silent
        return result

    def table(self, raw: NDArray[np.int64], compatible: NDArray[np.bool_]) -> Floats:
        """(n, K) log-likelihoods of symbols; one that the fit never saw counts as an average."""
        member = compatible[raw % len(compatible)]
        wrong = (1 - PRECISION) / max(member.shape[1] - 1, 1)
        rows = np.log(wrong) + np.log(PRECISION / wrong) * member / member.sum(axis=1)[:, None]
        if len(self.raw):
            place = np.minimum(np.searchsorted(self.raw, raw), len(self.raw) - 1)
            seen = self.raw[place] == raw
            rows[seen] = self.emission[place[seen]]
        return np.ascontiguousarray(rows)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays to save, by name."""
        return {f"{prefix}{name}": getattr(self, name) for name in _ARRAYS}

    def to_json(self) -> dict[str, Any]:
        """The rest, as plain JSON values."""
        names = ("regime", "fallback", "history", "converged")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, facts: dict[str, Any], arrays: dict[str, NDArray[Any]], prefix: str) -> Belief:
        """What ``to_json`` and ``to_arrays`` gave."""
        stored: dict[str, Any] = {name: arrays[f"{prefix}{name}"] for name in _ARRAYS}
        return cls(**stored, **facts)


@dataclass(frozen=True)
class Settings:
    """How to fit; see ``ClassModel``. dense: (M,) sources that are declared exhaustive.

    groups: (M,) number of the declared group of each source, -1 for none. multi: the question is
    whether one label of several holds, so that silence of all means no.
    """

    balance: Floats | None
    dense: NDArray[np.bool_]
    groups: NDArray[np.int64]
    max_iterations: int
    tolerance: float
    guard: bool
    multi: bool = False


def believe(patterns: Patterns, settings: Settings) -> Belief:
    """Fit one class question."""
    if len(patterns.source) == 0 or patterns.n_classes == 1:
        return _nothing(patterns, settings)
    fit, regime = _fit(patterns, settings)
    reason = drift(patterns, fit) if settings.guard else ""
    if reason:
        fit, regime = majority_fit(patterns), "majority"
    return _finish(patterns, fit, settings, regime, reason)


def is_crowd(patterns: Patterns, dense: NDArray[np.bool_]) -> bool:
    """Whether sources look at everything: they cast several labels and leave nothing out."""
    single = one_label(patterns, dense)
    votes = patterns.votes
    if votes[~single].sum() < CROWD_SHARE * votes.sum():
        return False
    several = ~single[patterns.symbols]
    row = np.repeat(np.arange(len(patterns.count)), patterns.degree)[several]
    hit = np.bincount(row, minlength=len(patterns.count)) > 0
    return bool(patterns.count[hit].sum() >= CROWD_COVER * patterns.count.sum())


def _fit(patterns: Patterns, settings: Settings) -> tuple[Fit, str]:
    n_classes = patterns.n_classes
    limits: dict[str, Any] = {
        "max_iterations": settings.max_iterations,
        "tolerance": settings.tolerance,
    }
    if is_crowd(patterns, settings.dense):
        return fit_crowd(patterns, balance=settings.balance, **limits), "crowd"
    balance = settings.balance
    balance = np.full(n_classes, 1 / n_classes) if balance is None else balance
    weight = _group_weights(patterns, settings.groups)
    fit = fit_spotters(patterns, balance=balance, dense=settings.dense, weight=weight, **limits)
    return fit, "spotters"


def _group_weights(patterns: Patterns, groups: NDArray[np.int64]) -> Floats:
    """(S,) a declared group of n sources is worth as many witnesses as their square root."""
    size = np.where(groups >= 0, np.bincount(np.maximum(groups, 0))[np.maximum(groups, 0)], 1)
    return np.asarray(1 / np.sqrt(size))[patterns.source]


def _finish(patterns: Patterns, fit: Fit, settings: Settings, regime: str, reason: str) -> Belief:
    heat = 1.0
    covered = patterns.covered & (patterns.known < 0)
    if regime != "crowd" and covered.any():
        own = fit.posterior[covered]
        count = patterns.count[covered]
        sure = float(np.sum(count * own.max(axis=1)) / count.sum())
        target = float(
            np.clip(max(sure, expected_accuracy(patterns)), 1 / patterns.n_classes, 0.97)
        )
        heat = temperature(own, count, target) if target > sure + 1e-6 else 1.0
    emission, log_prior = heat * fit.weight[:, None] * fit.emission, heat * fit.log_prior
    if regime == "crowd" and settings.balance is None:
        silent = np.exp(fit.log_prior)
    else:
        silent = silent_balance(patterns, settings.balance)
    if settings.multi:
        silent = _silence_is_no(patterns, fit.posterior)
    precision, recall = quality(patterns, fit.posterior)
    return Belief(
        patterns.raw,
        emission,
        log_prior,
        silent / silent.sum(),
        precision,
        recall,
        fit.weight,
        regime,
        reason,
        fit.history,
        fit.converged,
    )


def _silence_is_no(patterns: Patterns, posterior: Floats) -> Floats:
    """(2,) of a label that nobody voted on: half as likely as over all documents."""
    covered = patterns.covered
    yes = float(np.sum(patterns.count[covered] * posterior[covered, 1]))
    rare = 0.5 * (yes + 0.5) / (float(patterns.count.sum()) + 1.0)
    return np.array([1 - rare, rare])


def quality(patterns: Patterns, posterior: Floats) -> tuple[Floats, Floats]:
    """(S,) precision and recall of each symbol, by the posterior of the documents with votes."""
    votes, classes = m_step(patterns, posterior)
    right = (votes * patterns.member).sum(axis=1)
    truly = (patterns.member * classes).sum(axis=1)
    return right / np.maximum(patterns.votes, 1e-9), right / np.maximum(truly, 1e-9)


def _nothing(patterns: Patterns, settings: Settings) -> Belief:
    """Nobody voted, or there is but one class: the balance that was given, or all classes alike."""
    n_classes = patterns.n_classes
    balance = settings.balance
    known = np.bincount(patterns.known + 1, patterns.count, minlength=n_classes + 1)[1:] + 1.0
    silent = known / known.sum() if balance is None else balance
    empty = np.empty(0)
    return Belief(
        np.empty(0, np.int64),
        np.empty((0, n_classes)),
        np.log(silent),
        silent,
        empty,
        empty,
        empty,
        "none",
        "",
        [],
        True,
    )
