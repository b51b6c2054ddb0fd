"""Class balance without gold: what votes that fire together say of it, and of the silent rest."""

from __future__ import annotations

import numpy as np

from ..kernels import confusion
from .patterns import Floats, Patterns

PAIRS = 5.0
"""Expected pairs that the guess of a uniform balance is worth."""
MAX_SYMBOLS = 4000
LEFT = 2 / 3
"""How far silent documents are taken to be what the voted ones leave over, not more of them."""


def lift_balance(patterns: Patterns) -> Floats:
    """(K,) balance in proportion to 1 / lift: how much oftener than by chance two sources agree.

    Two independent and precise sources of class k fire together ``1 / P(k)`` times as often as
    chance has it, so that the lift bounds the class from above.
    """
    n_classes, n_symbols = patterns.n_classes, len(patterns.source)
    pairs = PAIRS * np.ones(n_classes)
    together = PAIRS * n_classes * np.ones(n_classes)
    if 0 < n_symbols <= MAX_SYMBOLS:
        observed = confusion.pair_counts(
            patterns.indptr, patterns.symbols, patterns.count, n_symbols
        )
        votes, total = patterns.votes, max(float(patterns.count.sum()), 1.0)
        alone = patterns.member.sum(axis=1) == 1
        for k in range(n_classes):
            mine = np.flatnonzero(alone & patterns.member[:, k])
            other = patterns.source[mine][:, None] != patterns.source[mine]
            upper = np.triu(other, 1)
            together[k] += observed[np.ix_(mine, mine)][upper].sum()
            pairs[k] += np.multiply.outer(votes[mine], votes[mine])[upper].sum() / total
    share = 1 / np.maximum(together / pairs, 1.0)
    return np.asarray(share / share.sum())


def silent_balance(patterns: Patterns, balance: Floats | None) -> Floats:
    """(K,) class probabilities of documents on which nobody voted.

    A mean of two guesses: such documents are like the others; or they are what the voted ones
    leave over of the class balance (that was given, or by lift).
    """
    covered = patterns.covered
    total = float(patterns.count.sum())
    voted = np.sum(patterns.count[covered, None] * patterns.shares[covered], axis=0)
    if total == 0 or voted.sum() == 0:
        return np.full(patterns.n_classes, 1 / patterns.n_classes) if balance is None else balance
    whole = lift_balance(patterns) if balance is None else balance
    left = np.maximum(whole - voted / total, 1e-3 * whole)
    return np.asarray((1 - LEFT) * voted / voted.sum() + LEFT * left / left.sum())
