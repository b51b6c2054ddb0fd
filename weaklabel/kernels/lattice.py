"""Spans in a cluster of overlapping votes: candidates, scores, forward-backward, the best choice.

A cluster is a maximal run of tokens covered by overlapping voted spans. Its candidates are the
distinct voted spans. What is hidden is a set of candidates that do not overlap, each with one of K
labels; every other token is outside. Letters: P clusters (or distinct patterns of them), R vote
rows, C candidates, T tokens, M sources, L vote labels, K labels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

MISSING_ROW = -1
"""Start and end of a row that says that its source did not look at the cluster's document."""


class Lattice(NamedTuple):
    """P clusters, laid out for the kernels.

    row_ptr: (P+1,). rows: (R, 5) start, end, source, vote label, confidence in quarters.
    token_ptr: (P+1,) into T tokens. cand_ptr: (P+1,). start, end: (C,), sorted within a cluster.
    vote_ptr: (C+1,) into what each source says of a candidate; sources that are silent have none.
    source: (V,). outcome: (V,) 0..L-1 exactly this span, L..2L-1 another span that overlaps, 2L the
    source did not look. weight: (V,) the confidence of the vote.
    """

    row_ptr: NDArray[np.int64]
    rows: NDArray[np.int32]
    token_ptr: NDArray[np.int64]
    cand_ptr: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    vote_ptr: NDArray[np.int64]
    source: NDArray[np.int32]
    outcome: NDArray[np.int32]
    weight: NDArray[np.float64]


@njit(cache=True, nogil=True)
def cluster_starts(document: Any, start: Any, end: Any) -> Any:
    """(V,) whether a vote, in order of document and start, begins a cluster."""
    begins = np.zeros(len(start), np.bool_)
    reach = np.int64(-1)
    for i in range(len(start)):
        if i == 0 or document[i] != document[i - 1] or start[i] >= reach:
            begins[i] = True
            reach = np.int64(-1)
        reach = max(reach, np.int64(end[i]))
    return begins


@njit(cache=True, nogil=True)
def candidate_votes(row_ptr: Any, rows: Any, n_sources: int, n_votes: int) -> Any:
    """The candidates of each cluster and what every source says of each; see ``Lattice``.

    Of several votes of one source that overlap a candidate the one counts that is exact, else the
    one that overlaps most, else the surest, else the first. Rows of sources from ``n_sources`` on
    (gold) make candidates and are no votes.
    """
    n_clusters = len(row_ptr) - 1
    cand_ptr = np.zeros(n_clusters + 1, np.int64)
    starts, ends, vote_ptr = [np.int32(0)], [np.int32(0)], [np.int64(0)]
    source, outcome, weight = [np.int32(0)], [np.int32(0)], [0.0]
    seen = np.full(n_sources, -1, np.int64)
    best = np.zeros(n_sources, np.int64)
    said = np.zeros(n_sources, np.int32)
    sure = np.zeros(n_sources, np.int32)
    stamp = 0
    for p in range(n_clusters):
        last_start, last_end = np.int32(-1), np.int32(-1)
        for i in range(row_ptr[p], row_ptr[p + 1]):
            s, e = rows[i, 0], rows[i, 1]
            if s < 0 or (s == last_start and e == last_end):
                continue
            last_start, last_end = s, e
            starts.append(s)
            ends.append(e)
            stamp += 1
            for r in range(row_ptr[p], row_ptr[p + 1]):
                j = rows[r, 2]
                if j >= n_sources:
                    continue
                if rows[r, 0] < 0:
                    seen[j], said[j], sure[j] = stamp, 2 * n_votes, 4
                    best[j] = np.int64(1) << 40
                    continue
                overlap = np.int64(min(e, rows[r, 1]) - max(s, rows[r, 0]))
                if overlap <= 0:
                    continue
                exact = rows[r, 0] == s and rows[r, 1] == e
                rank = (overlap + (np.int64(1) << 30) * exact) * 8 + rows[r, 4]
                if seen[j] != stamp or rank > best[j]:
                    seen[j], best[j], sure[j] = stamp, rank, rows[r, 4]
                    said[j] = rows[r, 3] if exact else n_votes + rows[r, 3]
            for j in range(n_sources):
                if seen[j] == stamp:
                    source.append(np.int32(j))
                    outcome.append(said[j])
                    weight.append(sure[j] / 4)
            vote_ptr.append(np.int64(len(source) - 1))
        cand_ptr[p + 1] = len(starts) - 1
    return (
        cand_ptr,
        np.array(starts[1:]),
        np.array(ends[1:]),
        np.array(vote_ptr),
        np.array(source[1:]),
        np.array(outcome[1:]),
        np.array(weight[1:]),
    )


@njit(cache=True, nogil=True)
def segment_scores(lattice: Any, base: Any, table: Any) -> Any:
    """(C, K) log score of a candidate with a label: ``base[k] + sum_j weight * table[j, said, k]``.

    base: (K,) the prior, and the silence of all M sources. table: (M, 2L+1, K) what saying
    something (or not having looked) changes against silence.
    """
    scores = np.empty((len(lattice.start), len(base)))
    for c in range(len(lattice.start)):
        scores[c] = base
        for i in range(lattice.vote_ptr[c], lattice.vote_ptr[c + 1]):
            for k in range(len(base)):
                said = table[lattice.source[i], lattice.outcome[i], k]
                scores[c, k] += lattice.weight[i] * said
    return scores


@njit(cache=True, nogil=True)
def outside_scores(lattice: Any, spurious: Any, prior: float) -> Any:
    """(T,) log score of a token outside: ``prior + sum over its votes of spurious / length``."""
    scores = np.full(lattice.token_ptr[-1], prior)
    for p in range(len(lattice.row_ptr) - 1):
        first = lattice.token_ptr[p]
        for i in range(lattice.row_ptr[p], lattice.row_ptr[p + 1]):
            s, e, j, v, sure = lattice.rows[i]
            if s < 0 or j >= spurious.shape[0]:
                continue
            share = spurious[j, v] * sure / (4 * (e - s))
            for t in range(s, e):
                scores[first + t] += share
    return scores


@njit(cache=True, nogil=True)
def constrain(lattice: Any, n_sources: int, scores: Any, outside: Any) -> None:
    """Forbid (set to -inf) what gold rows rule out; they are the rows of source M and M + 1.

    Source M: exactly this span is an entity with the row's label. Source M + 1 with a span: exactly
    this span is none. Source M + 1 without: the document is known in full.
    """
    for p in range(len(lattice.row_ptr) - 1):
        first = lattice.token_ptr[p]
        complete = False
        for i in range(lattice.row_ptr[p], lattice.row_ptr[p + 1]):
            if lattice.rows[i, 2] == n_sources + 1 and lattice.rows[i, 0] < 0:
                complete = True
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            known = False
            for i in range(lattice.row_ptr[p], lattice.row_ptr[p + 1]):
                s, e, j, v, _ = lattice.rows[i]
                exact = s == lattice.start[c] and e == lattice.end[c]
                if j == n_sources and exact:
                    known = True
                    for k in range(scores.shape[1]):
                        if k != v:
                            scores[c, k] = -np.inf
                crossing = s < lattice.end[c] and e > lattice.start[c] and not exact
                if (j == n_sources and crossing) or (j == n_sources + 1 and exact):
                    scores[c, :] = -np.inf
            if complete and not known:
                scores[c, :] = -np.inf
            if known:
                for t in range(lattice.start[c], lattice.end[c]):
                    outside[first + t] = -np.inf


@njit(cache=True, nogil=True)
def _log_add(a: float, b: float) -> float:
    if a == -np.inf:
        return b
    if b == -np.inf:
        return a
    high, low = max(a, b), min(a, b)
    return float(high + np.log1p(np.exp(low - high)))


@njit(cache=True, nogil=True)
def forward_backward(lattice: Any, scores: Any, outside: Any) -> Any:
    """Posterior of each candidate and label (C, K), of each token outside (T,), and log Z (P,).

    alpha[t+1] = alpha[t] outside[t] + sum over candidates ending at t+1 of alpha[start] * score.
    """
    n_cands, n_labels = scores.shape
    posterior = np.zeros((n_cands, n_labels))
    posterior_out = np.zeros(len(outside))
    log_z = np.zeros(len(lattice.row_ptr) - 1)
    longest = 0
    for p in range(len(log_z)):
        longest = max(longest, lattice.token_ptr[p + 1] - lattice.token_ptr[p])
    alpha, beta = np.empty(longest + 1), np.empty(longest + 1)
    total = np.full(n_cands, -np.inf)
    for c in range(n_cands):
        for k in range(n_labels):
            total[c] = _log_add(total[c], scores[c, k])
    for p in range(len(log_z)):
        first = lattice.token_ptr[p]
        n = lattice.token_ptr[p + 1] - first
        alpha[: n + 1] = -np.inf
        beta[: n + 1] = -np.inf
        alpha[0] = beta[n] = 0.0
        c = lattice.cand_ptr[p]
        for t in range(n):
            alpha[t + 1] = _log_add(alpha[t + 1], alpha[t] + outside[first + t])
            while c < lattice.cand_ptr[p + 1] and lattice.start[c] == t:
                e = lattice.end[c]
                alpha[e] = _log_add(alpha[e], alpha[t] + total[c])
                c += 1
        c = lattice.cand_ptr[p + 1] - 1
        for t in range(n - 1, -1, -1):
            beta[t] = _log_add(beta[t], beta[t + 1] + outside[first + t])
            while c >= lattice.cand_ptr[p] and lattice.start[c] == t:
                beta[t] = _log_add(beta[t], beta[lattice.end[c]] + total[c])
                c -= 1
        log_z[p] = alpha[n]
        if alpha[n] == -np.inf:  # gold that contradicts itself: nothing is known here
            continue
        for t in range(n):
            path = alpha[t] + outside[first + t] + beta[t + 1]
            posterior_out[first + t] = np.exp(path - alpha[n])
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            around = alpha[lattice.start[c]] + beta[lattice.end[c]] - alpha[n]
            for k in range(n_labels):
                posterior[c, k] = np.exp(scores[c, k] + around)
    return posterior, posterior_out, log_z


@njit(cache=True, nogil=True)
def outcome_counts(lattice: Any, posterior: Any, count: Any, n_sources: int, n_votes: int) -> Any:
    """(M, 2L+1, K) expected number of true segments of label k of which source j said o."""
    counts = np.zeros((n_sources, 2 * n_votes + 1, posterior.shape[1]))
    for p in range(len(count)):
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            for i in range(lattice.vote_ptr[c], lattice.vote_ptr[c + 1]):
                for k in range(posterior.shape[1]):
                    share = count[p] * lattice.weight[i] * posterior[c, k]
                    counts[lattice.source[i], lattice.outcome[i], k] += share
    return counts


@njit(cache=True, nogil=True)
def spurious_counts(lattice: Any, posterior_out: Any, count: Any, shape: Any) -> Any:
    """(M, L) expected number of votes that lie outside: of each, the share of its tokens."""
    counts = np.zeros(shape)
    for p in range(len(count)):
        first = lattice.token_ptr[p]
        for i in range(lattice.row_ptr[p], lattice.row_ptr[p + 1]):
            s, e, j, v, sure = lattice.rows[i]
            if s < 0 or j >= shape[0]:
                continue
            out = 0.0
            for t in range(s, e):
                out += posterior_out[first + t]
            counts[j, v] += count[p] * out * sure / (4 * (e - s))
    return counts


@njit(cache=True, nogil=True)
def vote_share(lattice: Any, cast: Any, silent: Any, worth: Any) -> Any:
    """Posterior by share of votes: (C, K) and of outside (T,); where EM starts.

    cast: (L, K) what a vote label gives to each label. silent: (M, K) how far the silence of a
    source counts against a label. worth: (M,) of its votes. The share of label k on a candidate is
    its votes over the votes on the busiest of its tokens plus the sources that are silent on it.
    """
    n_labels, n_votes = cast.shape[1], cast.shape[0]
    share = np.zeros((len(lattice.start), n_labels))
    outside = np.ones(lattice.token_ptr[-1])
    all_silent = np.zeros(n_labels)
    for j in range(silent.shape[0]):
        all_silent += silent[j]
    busy = np.zeros(lattice.token_ptr[-1])
    for p in range(len(lattice.row_ptr) - 1):
        first = lattice.token_ptr[p]
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            votes = 0.0
            for i in range(lattice.vote_ptr[c], lattice.vote_ptr[c + 1]):
                if lattice.outcome[i] < n_votes:
                    votes += worth[lattice.source[i]] * lattice.weight[i]
            for t in range(lattice.start[c], lattice.end[c]):
                busy[first + t] += votes
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            most = 1e-9
            for t in range(lattice.start[c], lattice.end[c]):
                most = max(most, busy[first + t])
            against = all_silent.copy()
            for i in range(lattice.vote_ptr[c], lattice.vote_ptr[c + 1]):
                against -= silent[lattice.source[i]]
                if lattice.outcome[i] < n_votes:
                    vote = worth[lattice.source[i]] * lattice.weight[i]
                    share[c] += vote * cast[lattice.outcome[i]]
            for k in range(n_labels):
                share[c, k] /= most + max(against[k], 0.0)
            for t in range(lattice.start[c], lattice.end[c]):
                outside[first + t] -= share[c].sum()
    return share, np.maximum(outside, 0.0)


@njit(cache=True, nogil=True)
def choose(lattice: Any, gain: Any) -> Any:
    """(C,) bool: the candidates that do not overlap and whose gains add up to the most.

    Weighted interval scheduling; of equal sums, outside and then the first candidate wins.
    """
    chosen = np.zeros(len(gain), np.bool_)
    longest = 0
    for p in range(len(lattice.token_ptr) - 1):
        longest = max(longest, lattice.token_ptr[p + 1] - lattice.token_ptr[p])
    value, pick = np.zeros(longest + 1), np.zeros(longest + 1, np.int64)
    for p in range(len(lattice.token_ptr) - 1):
        n = lattice.token_ptr[p + 1] - lattice.token_ptr[p]
        value[n] = 0.0
        high = lattice.cand_ptr[p + 1]
        for t in range(n - 1, -1, -1):
            value[t], pick[t] = value[t + 1], -1
            low = high
            while low > lattice.cand_ptr[p] and lattice.start[low - 1] == t:
                low -= 1
            for c in range(low, high):
                if value[lattice.end[c]] + gain[c] > value[t]:
                    value[t], pick[t] = value[lattice.end[c]] + gain[c], c
            high = low
        t = 0
        while t < n:
            if pick[t] >= 0:
                chosen[pick[t]] = True
                t = lattice.end[pick[t]]
            else:
                t += 1
    return chosen


@njit(cache=True, nogil=True)
def mean_vote_length(lattice: Any) -> Any:
    """(T,) the mean length of the rows that cover a token."""
    length = np.zeros(lattice.token_ptr[-1])
    number = np.zeros(lattice.token_ptr[-1])
    for p in range(len(lattice.row_ptr) - 1):
        first = lattice.token_ptr[p]
        for i in range(lattice.row_ptr[p], lattice.row_ptr[p + 1]):
            for t in range(max(lattice.rows[i, 0], 0), lattice.rows[i, 1]):
                length[first + t] += lattice.rows[i, 1] - lattice.rows[i, 0]
                number[first + t] += 1
    return length / np.maximum(number, 1.0)


@njit(cache=True, nogil=True)
def strictly_inside(lattice: Any, chosen: Any) -> Any:
    """(C,) whether a candidate lies within a chosen one of its cluster and is shorter."""
    inside = np.zeros(len(chosen), np.bool_)
    for p in range(len(lattice.cand_ptr) - 1):
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            for d in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
                within = lattice.start[d] <= lattice.start[c] and lattice.end[c] <= lattice.end[d]
                shorter = lattice.end[c] - lattice.start[c] < lattice.end[d] - lattice.start[d]
                if chosen[d] and within and shorter:
                    inside[c] = True
    return inside


@njit(cache=True, nogil=True)
def soft_tags(start: Any, end: Any, posterior: Any, tags: Any) -> None:
    """Add (C, K) posteriors to (N, 2K+1) tags: 0 outside, 1+2k begins k, 2+2k goes on with k."""
    for c in range(len(start)):
        for k in range(posterior.shape[1]):
            tags[start[c], 1 + 2 * k] += posterior[c, k]
            for t in range(start[c] + 1, end[c]):
                tags[t, 2 + 2 * k] += posterior[c, k]
    for t in range(len(tags)):
        tags[t, 0] = max(0.0, 1.0 - tags[t, 1:].sum())


@njit(cache=True, nogil=True)
def same_votes(row_ptr: Any, rows: Any, count: Any, n_sources: int) -> Any:
    """(M, M) how many votes (span and label) two sources share; the diagonal: how many one has."""
    shared = np.zeros((n_sources, n_sources))
    for p in range(len(count)):
        for i in range(row_ptr[p], row_ptr[p + 1]):
            if rows[i, 0] < 0 or rows[i, 2] >= n_sources:
                continue
            for r in range(i, row_ptr[p + 1]):
                if rows[r, 0] != rows[i, 0] or rows[r, 1] != rows[i, 1]:
                    break
                if rows[r, 2] < n_sources and rows[r, 3] == rows[i, 3]:
                    shared[rows[i, 2], rows[r, 2]] += count[p]
                    if rows[i, 2] != rows[r, 2]:
                        shared[rows[r, 2], rows[i, 2]] += count[p]
    return shared


@njit(cache=True, nogil=True)
def segment_tags(start: Any, end: Any, tags: Any) -> Any:
    """(C, K) sum over a span's tokens of (N, 2K+1) tags: it begins k, then goes on with k.

    Summed span by span: differences of sums over a shard would depend on where it is cut.
    """
    total = np.empty((len(start), tags.shape[1] // 2))
    for c in range(len(start)):
        for k in range(total.shape[1]):
            total[c, k] = tags[start[c], 1 + 2 * k]
            for t in range(start[c] + 1, end[c]):
                total[c, k] += tags[t, 2 + 2 * k]
    return total
