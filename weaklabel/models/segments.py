"""patterns -> how far to trust whom: EM for the segment model, anchored to the share of votes.

Hidden in each cluster is a set of candidate spans that do not overlap, each with a label; every
other token is outside. For a true segment of label k source j says

    exactly this span with vote label v  |  an overlapping span with v  |  nothing

with probabilities theta[j, outcome, k], and it casts a spurious vote v with rate eps[j, v] per
outside token. "Nothing" counts to the power ``silence[j]``: fully for a source that looks at
everything (a tagger, a prompt, a person), a tenth for one that spots what it knows (a gazetteer, a
rule), for those are silent together wherever a name is in no list.

EM alone drifts to a fixed point where the most frequent source is the truth. So it starts from the
share of votes, in which the silence of exhaustive sources counts as a vote against, and the counts
of that start stay in every M-step, ``anchor`` times as strong as the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels import lattice as kernel
from ..kernels.lattice import Lattice
from .clusters import Patterns

Floats = NDArray[np.float64]

TWINS = 0.9
"""Share of the votes of two sources together from which they are near-duplicates."""


@dataclass(frozen=True, eq=False)
class Trust:
    """What EM has learned.

    outcome: (M, 2L+1, K) log probability of what a source says of a true segment, L exact labels,
    L overlapping ones; the last column (it did not look) is 0 and never read.
    nothing: (M, K) log probability that it says nothing. spurious: (M, L) log rate of votes per
    outside token. label: (K,) and outside: log prior of a segment with a label, of an outside
    token. silence: (M,) the weight of ``nothing``. weight: (M,) of all that a source says or not.
    """

    outcome: Floats
    nothing: Floats
    spurious: Floats
    label: Floats
    outside: float
    silence: Floats
    weight: Floats

    def tables(self) -> tuple[Floats, Floats]:
        """(K,) the score of a segment on which all are silent, (M, 2L+1, K) what a vote changes."""
        silent = self.nothing * (self.silence * self.weight)[:, None]
        change = self.outcome * self.weight[:, None, None] - silent[:, None, :]
        change[:, -1] = -silent
        return self.label + silent.sum(axis=0), change


@dataclass(frozen=True, eq=False)
class Counts:
    """Expected counts: said (M, 2L+1, K), segments (K,), spurious (M, L)."""

    said: Floats
    segments: Floats
    spurious: Floats

    def plus(self, other: Counts, times: float) -> Counts:
        """The sum with ``times`` the other."""
        return Counts(
            self.said + times * other.said,
            self.segments + times * other.segments,
            self.spurious + times * other.spurious,
        )


@dataclass(frozen=True, eq=False)
class Posterior:
    """Candidates (C, K), outside tokens (T,), and log Z of each cluster (P,)."""

    candidates: Floats
    outside: Floats
    log_z: Floats


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of EM."""

    trust: Trust
    counts: Counts
    posterior: Posterior
    share: Posterior
    history: list[float]
    converged: bool


def share_of_votes(
    lattice: Lattice, compatible: NDArray[np.bool_], against: Floats, weight: Floats
) -> Posterior:
    """Each vote and each silence that says no counts the same, up to the weights of the sources.

    compatible: (L, K). against: (M, K) 1 if the silence of j says no to k. weight: (M,).
    """
    cast = compatible / np.maximum(compatible.sum(axis=1, keepdims=True), 1)
    share, outside = kernel.vote_share(lattice, cast, weight[:, None] * against, weight)
    if not (lattice.rows[:, 2] >= len(weight)).any():
        return Posterior(share, outside, np.zeros(len(lattice.row_ptr) - 1))
    scores, scores_out = np.log(np.maximum(share, 1e-4)), np.log(np.maximum(outside, 1e-4))
    kernel.constrain(lattice, len(weight), scores, scores_out)
    return Posterior(*kernel.forward_backward(lattice, scores, scores_out))


def sharpened(lattice: Lattice, share: Posterior, n_sources: int) -> Posterior:
    """The share of votes, squared: where EM starts. A few stray votes are then next to nothing."""
    unit = kernel.mean_vote_length(lattice)
    scores = 2 * np.log(np.maximum(share.candidates, 1e-4))
    outside = 2 * np.log(np.maximum(share.outside, 1e-3)) / unit
    kernel.constrain(lattice, n_sources, scores, outside)
    return Posterior(*kernel.forward_backward(lattice, scores, outside))


def weights_of(patterns: Patterns, n_sources: int, groups: list[str | None]) -> Floats:
    """(M,) 1 over the number of near-duplicates, and over the root of the size of a declared group.

    Near-duplicates share ``TWINS`` of all votes (span and label) that either casts. Two sources
    that are merely right agree less than that, unless both are nearly perfect; then it does no
    harm.
    """
    shared = kernel.same_votes(patterns.indptr, patterns.rows, patterns.count, n_sources)
    own = np.diag(shared)
    either = own[:, None] + own[None, :] - shared
    twins = (shared >= TWINS * either) & (own[:, None] > 0)
    sizes = [max(groups.count(g), 1) if g is not None else 1 for g in groups]
    weight: Floats = 1.0 / np.maximum(np.maximum(twins.sum(axis=1), np.sqrt(sizes)), 1.0)
    return weight


def heed_of(
    patterns: Patterns, lattice: Lattice, exhaustive: NDArray[np.bool_], n_votes: int
) -> Floats:
    """(M,) how far the silence of exhaustive sources counts: 1, unless there is but one.

    Nobody confirms the silence of the only one. It counts by its recall, measured on the spans that
    two or more others mark exactly.
    """
    heed = np.ones(len(exhaustive))
    if exhaustive.sum() == 1:
        j = int(np.flatnonzero(exhaustive)[0])
        candidate = np.repeat(np.arange(len(lattice.start)), np.diff(lattice.vote_ptr))
        mine, cast = lattice.source == j, lattice.outcome < 2 * n_votes
        others = ~mine & (lattice.outcome < n_votes)
        sure = np.bincount(candidate[others], minlength=len(lattice.start)) >= 2
        sure[candidate[mine & ~cast]] = False
        seen = np.zeros(len(lattice.start), dtype=bool)
        seen[candidate[mine & cast]] = True
        times = np.repeat(patterns.count, np.diff(lattice.cand_ptr))
        heed[j] = (times[sure & seen].sum() + 0.5) / (times[sure].sum() + 1.0)
    return heed


def count(lattice: Lattice, times: Floats, posterior: Posterior, shape: tuple[int, int]) -> Counts:
    """Expected counts of a posterior; times: (P,) how often each cluster occurs; shape: (M, L)."""
    label = np.repeat(times, np.diff(lattice.cand_ptr))[:, None] * posterior.candidates
    return Counts(
        kernel.outcome_counts(lattice, posterior.candidates, times, *shape),
        label.sum(axis=0),
        kernel.spurious_counts(lattice, posterior.outside, times, shape),
    )


def trust_of(
    counts: Counts,
    n_tokens: Floats,
    compatible: NDArray[np.bool_],
    silence: Floats,
    weight: Floats,
) -> Trust:
    """M-step: smoothed relative frequencies. n_tokens: (M,) tokens that each source looked at."""
    n_votes = len(compatible)
    right = compatible / np.maximum(compatible.sum(axis=0), 1)
    smooth = np.full((2 * n_votes, compatible.shape[1]), 0.1 / (2 * n_votes))
    smooth[:n_votes] += 0.5 * right
    said = counts.said[:, :-1] + smooth
    nothing = np.maximum(counts.segments - counts.said.sum(axis=1), 0.0) + 0.5
    total = said.sum(axis=1) + nothing
    outcome = np.zeros_like(counts.said)
    outcome[:, :-1] = np.log(said / total[:, None, :])
    segments = counts.segments + 1.0
    tokens = max(n_tokens.max(initial=0.0), 1.0)
    outside = max(tokens - 2.0 * counts.segments.sum(), 0.2 * tokens)
    looked = outside * n_tokens / tokens
    all_units = segments.sum() + outside
    return Trust(
        outcome,
        np.log(nothing / total),
        np.log((counts.spurious + 0.01) / (looked[:, None] + 1.0)),
        np.log(segments / all_units),
        float(np.log(outside / all_units)),
        silence,
        weight,
    )


def posterior_of(lattice: Lattice, trust: Trust) -> Posterior:
    """E-step."""
    scores, outside = scores_of(lattice, trust)
    return Posterior(*kernel.forward_backward(lattice, scores, outside))


def scores_of(lattice: Lattice, trust: Trust) -> tuple[Floats, Floats]:
    """Log scores of segments (C, K) and of outside tokens (T,), with what gold forbids at -inf."""
    base, change = trust.tables()
    scores = kernel.segment_scores(lattice, base, change)
    spurious = trust.spurious * trust.weight[:, None]
    outside = kernel.outside_scores(lattice, spurious, trust.outside)
    kernel.constrain(lattice, len(trust.silence), scores, outside)
    return scores, outside


def fit_segments(
    patterns: Patterns,
    lattice: Lattice,
    compatible: NDArray[np.bool_],
    against: Floats,
    weight: Floats,
    *,
    silence: Floats,
    anchor: float,
    n_iter: int,
    tol: float,
) -> Fit:
    """EM until no expected count of segments moves by more than ``tol`` of all of them."""
    shape = (len(weight), len(compatible))
    share = share_of_votes(lattice, compatible, against, weight)
    posterior = sharpened(lattice, share, len(weight))
    start = count(lattice, patterns.count, posterior, shape)
    counts, history, converged = start, [], False
    tokens = patterns.n_tokens * np.sqrt(1 + anchor)
    trust = trust_of(start.plus(start, anchor), tokens, compatible, silence, weight)
    for _ in range(n_iter):
        posterior = posterior_of(lattice, trust)
        history.append(float(posterior.log_z @ patterns.count))
        new = count(lattice, patterns.count, posterior, shape)
        moved = float(np.abs(new.said - counts.said).sum(axis=(1, 2)).max(initial=0.0))
        counts = new
        if moved <= tol * max(float(counts.segments.sum()), 1.0):
            converged = True
            break
        trust = trust_of(counts.plus(start, anchor), tokens, compatible, silence, weight)
    return Fit(trust, counts, posterior, share, history, converged)
