"""The guard: has a fitted span model drifted away from what the votes say? No gold is asked.

What it is held against is the share of votes, from which EM started: with the same silence and the
same weights, but every source believed alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..kernels.lattice import Lattice
from .clusters import Patterns, lay_out, take
from .guard import ENOUGH, SURVIVES, UNANIMOUS
from .segments import Fit, Floats, Posterior, posterior_of, share_of_votes

HELD_OUT = 10_000
"""Patterns on which sources are held out in turn."""
SOURCES = 8
"""Sources that are held out: those that vote most."""
DOUBT, FAILURE = 0.6, 0.45
"""Share of majority's gain, in predicting a held-out source, below which a fit is in doubt, failed.

Majority often gains a little more, since sources that repeat each other's mistakes are predicted
well by it. On public and synthetic votes, whole and in subsets, fits that beat majority vote kept
0.65 and more; fits that were just as good 0.5.
"""
MARGIN = 0.02
"""Nats by which a doubtful fit must also fall behind."""


def drift(
    patterns: Patterns,
    lattice: Lattice,
    fit: Fit,
    compatible: NDArray[np.bool_],
    against: Floats,
    labels: tuple[str, ...],
) -> tuple[str, bool]:
    """Why the fit may be no better than majority (or ""), and whether it has failed."""
    times = np.repeat(patterns.count, np.diff(lattice.cand_ptr))
    reason = _collapse(times, fit, labels) or _objection(lattice, times, fit, len(compatible))
    if reason:
        return reason, True
    mine, plain = held_out_gains(patterns, fit, compatible, against)
    if mine >= DOUBT * plain or mine >= plain - MARGIN:
        return "", False
    reason = f"a held-out source is predicted worse ({mine:.3f} and {plain:.3f} nats gained)"
    return reason, mine < FAILURE * plain


def _collapse(times: Floats, fit: Fit, labels: tuple[str, ...]) -> str:
    voted, believed = times @ fit.share.candidates, times @ fit.posterior.candidates
    if voted.sum() < ENOUGH:
        return ""
    gone = np.flatnonzero((voted > 0.02 * voted.sum()) & (believed < SURVIVES * voted))
    if not len(gone):
        return ""
    k = int(gone[0])
    return f"{labels[k]} has {voted[k]:.0f} spans by share of votes but was left {believed[k]:.0f}"


def _objection(lattice: Lattice, times: Floats, fit: Fit, n_votes: int) -> str:
    candidate = np.repeat(np.arange(len(lattice.start)), np.diff(lattice.vote_ptr))
    exact = np.bincount(candidate[lattice.outcome < n_votes], minlength=len(lattice.start))
    share = fit.share.candidates
    plain = (exact >= 2) & (share.max(axis=1, initial=0.0) > 0.999)
    if times[plain].sum() < ENOUGH:
        return ""
    believed = fit.posterior.candidates[plain]
    agrees = believed[np.arange(len(believed)), share[plain].argmax(axis=1)] > 0.5
    rate = float((times[plain] * agrees).sum() / times[plain].sum())
    if rate >= UNANIMOUS:
        return ""
    return f"it agrees with only {rate:.0%} of the unanimous votes of two or more sources"


def held_out_gains(
    patterns: Patterns, fit: Fit, compatible: NDArray[np.bool_], against: Floats
) -> tuple[float, float]:
    """How well a source is predicted from the others, by the fit and by the share of votes.

    The mean gain over knowing but its habits, in nats per candidate.
    """
    n_sources, n_votes = len(fit.trust.weight), len(compatible)
    step = max(1, -(-len(patterns.count) // HELD_OUT))
    some = np.arange(0, len(patterns.count), step)
    indptr, rows = take(patterns.indptr, some)
    lattice = lay_out(indptr, patterns.rows[rows], n_sources, n_votes)
    times = np.repeat(patterns.count[some], np.diff(lattice.cand_ptr))
    if times.sum() < ENOUGH:
        return 0.0, 0.0
    cast = lattice.outcome < n_votes
    votes = np.bincount(lattice.source[cast], minlength=n_sources)
    if (votes > 0).sum() < 3:  # the others would be one source alone
        return 0.0, 0.0
    asked = np.argsort(-votes, kind="stable")[:SOURCES]
    gains = np.zeros((len(asked), 2))
    for i, j in enumerate(asked.tolist()):
        others = np.ones(n_sources)
        others[j] = 0.0
        trust = replace(fit.trust, weight=fit.trust.weight * others)
        share = share_of_votes(lattice, compatible, against * others[:, None], trust.weight)
        said = _said(lattice, j, 2 * n_votes)
        gains[i, 0] = _gain(posterior_of(lattice, trust), said, times, 2 * n_votes)
        gains[i, 1] = _gain(share, said, times, 2 * n_votes)
    return float(gains[:, 0].mean()), float(gains[:, 1].mean())


def _said(lattice: Lattice, source: int, nothing: int) -> NDArray[np.int64]:
    """(C,) what a source says of each candidate, ``nothing`` included; -1: it did not look."""
    said = np.full(len(lattice.start), nothing, dtype=np.int64)
    candidate = np.repeat(np.arange(len(said)), np.diff(lattice.vote_ptr))
    mine = lattice.source == source
    outcome = lattice.outcome[mine]
    said[candidate[mine]] = np.where(outcome == nothing, -1, outcome)
    return said


def _gain(posterior: Posterior, said: NDArray[np.int64], times: Floats, nothing: int) -> float:
    looked = said >= 0
    said, times, known = said[looked], times[looked], posterior.candidates[looked]
    outside = np.maximum(1 - known.sum(axis=1, keepdims=True), 1e-9)
    truth = np.concatenate([known, outside], axis=1)
    joint = np.zeros((nothing + 1, truth.shape[1]))
    np.add.at(joint, said, truth * times[:, None])
    habit = (joint.sum(axis=1) + 0.1) / (joint.sum() + 0.1 * len(joint))
    table = (joint + habit[:, None]) / (joint.sum(axis=0) + 1.0)
    gain = np.log((truth * table[said]).sum(axis=1) / habit[said])
    return float((times * gain).sum() / max(times.sum(), 1.0))
