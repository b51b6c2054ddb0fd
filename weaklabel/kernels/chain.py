"""Forward-backward and Viterbi for hidden Markov chains over tokens, sequence by sequence.

Letters: N tokens in B sequences, S states. Probabilities are scaled, not logged: the factors of
each row are kept, so that nothing underflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def chain_posterior(indptr: Any, log_emission: Any, start: Any, transition: Any) -> Any:
    """Posterior (N, S), expected transitions (S, S), expected starts (S,), log-likelihood.

    indptr: (B+1,). log_emission: (N, S). start: (S,), transition: (S, S), probabilities.
    """
    n_states = len(start)
    posterior = np.zeros(log_emission.shape)
    moves, starts = np.zeros((n_states, n_states)), np.zeros(n_states)
    longest = 0
    for b in range(len(indptr) - 1):
        longest = max(longest, indptr[b + 1] - indptr[b])
    alpha, beta = np.empty((longest, n_states)), np.empty((longest, n_states))
    emission, scale = np.empty((longest, n_states)), np.empty(longest)
    total = 0.0
    for b in range(len(indptr) - 1):
        low, n = indptr[b], indptr[b + 1] - indptr[b]
        for t in range(n):
            high = log_emission[low + t].max()
            total += high
            for s in range(n_states):
                emission[t, s] = np.exp(log_emission[low + t, s] - high)
                before = start[s] if t == 0 else 0.0
                if t > 0:
                    for r in range(n_states):
                        before += alpha[t - 1, r] * transition[r, s]
                alpha[t, s] = before * emission[t, s]
            scale[t] = alpha[t].sum()
            alpha[t] /= scale[t]
            total += np.log(scale[t])
        for t in range(n - 1, -1, -1):
            for s in range(n_states):
                beta[t, s] = 1.0 if t == n - 1 else 0.0
                if t < n - 1:
                    for r in range(n_states):
                        after = transition[s, r] * emission[t + 1, r] * beta[t + 1, r]
                        beta[t, s] += after / scale[t + 1]
                        moves[s, r] += alpha[t, s] * after / scale[t + 1]
                posterior[low + t, s] = alpha[t, s] * beta[t, s]
        if n:
            starts += posterior[low]
    return posterior, moves, starts, total


@njit(cache=True, nogil=True)
def best_path(indptr: Any, log_emission: Any, log_start: Any, log_transition: Any) -> Any:
    """(N,) the likeliest states; of equal ones the first."""
    n_states = len(log_start)
    path = np.zeros(log_emission.shape[0], np.int64)
    back = np.zeros(log_emission.shape, np.int64)
    for b in range(len(indptr) - 1):
        low, high = indptr[b], indptr[b + 1]
        if low == high:
            continue
        score = log_start + log_emission[low]
        for t in range(low + 1, high):
            new = np.empty(n_states)
            for s in range(n_states):
                best = 0
                for r in range(1, n_states):
                    if score[r] + log_transition[r, s] > score[best] + log_transition[best, s]:
                        best = r
                back[t, s] = best
                new[s] = score[best] + log_transition[best, s] + log_emission[t, s]
            score = new
        path[high - 1] = np.argmax(score)
        for t in range(high - 1, low, -1):
            path[t - 1] = back[t, path[t]]
    return path


@njit(cache=True, nogil=True)
def tag_emission(token: Any, source: Any, tag: Any, weight: Any, table: Any, base: Any) -> Any:
    """(N, S) log emission: ``base`` (N, S), plus for each vote ``weight * table[source, tag]``."""
    emission = base.copy()
    for i in range(len(token)):
        for s in range(emission.shape[1]):
            emission[token[i], s] += weight[i] * table[source[i], tag[i], s]
    return emission


@njit(cache=True, nogil=True)
def tag_counts(token: Any, source: Any, tag: Any, weight: Any, posterior: Any, shape: Any) -> Any:
    """(M, S, S) expected number of tokens of state s that source j gives tag v."""
    counts = np.zeros(shape)
    for i in range(len(token)):
        for s in range(posterior.shape[1]):
            counts[source[i], tag[i], s] += weight[i] * posterior[token[i], s]
    return counts
