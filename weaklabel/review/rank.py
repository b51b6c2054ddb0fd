"""One ranking out of three kinds of doubt, and the orders in which a person can be asked."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import JobError, nearest
from .suspects import Suspects

_FLOOR = 0.01


def wrongness(suspects: Suspects) -> NDArray[np.float64]:
    """(N,) how likely a label is wrong: the mean log-odds of three witnesses, as a probability.

    The label model's own doubt, cleanlab's score by a model that has not seen the label, and how
    far the sources differ. None sees what the others see: votes, text, and votes before they are
    weighed.
    """
    return combined(1 - suspects.quality, suspects.doubt, 0.1 + 0.8 * suspects.disagreement)


def combined(*witnesses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) the mean log-odds of several probabilities, as a probability."""
    clipped = [np.clip(p, _FLOOR, 1 - _FLOOR) for p in witnesses]
    mean = np.mean([np.log(p / (1 - p)) for p in clipped], axis=0)
    odds: NDArray[np.float64] = 1 / (1 + np.exp(-mean))
    return odds


def expected_gain(suspects: Suspects) -> NDArray[np.float64]:
    """(N,) scores whose order is a greedy cover of the doubt, see ``cover``."""
    return _scores_of(cover(suspects.groups, suspects.entropy))


def _diversity(suspects: Suspects) -> NDArray[np.float64]:
    return _scores_of(cover(suspects.groups, np.ones(len(suspects))))


def _scores_of(order: NDArray[np.int64]) -> NDArray[np.float64]:
    scores = np.empty(len(order))
    scores[order] = -np.arange(len(order))
    return scores


def cover(
    groups: NDArray[np.int64], doubt: NDArray[np.float64], most: int = 5000
) -> NDArray[np.int64]:
    """The order in which decisions teach most about the rest.

    A decision speaks for the places that share a group with it. What is known of a group grows with
    the logarithm of the decisions in it, and is worth the square root of the doubt it holds, so the
    sum over groups is submodular and the greedy order is within 1 - 1/e of the best set (Nemhauser
    et al. 1978). Asking where doubt is *shared*, not where it is highest, keeps what is learned
    from the answers true of the rest: the oddest places are like no other.

    groups: (N, G). doubt: (N,). most: beyond so many places the order is by their first gain.
    """
    columns = [np.unique(column, return_inverse=True)[1].ravel() for column in groups.T]
    masses = [np.sqrt(np.bincount(column, weights=doubt)) for column in columns]
    asked = [np.zeros(len(mass)) for mass in masses]

    def gain(i: int) -> float:
        return float(
            sum(
                mass[column[i]] * np.log1p(1 / (1 + n[column[i]]))
                for mass, column, n in zip(masses, columns, asked, strict=True)
            )
        )

    first = np.sum([m[c] for m, c in zip(masses, columns, strict=True)], axis=0) * np.log(2)
    order = np.argsort(-first, kind="stable")
    heap = [(-float(first[i]), int(i)) for i in order]
    chosen: list[int] = []
    while heap and len(chosen) < most:
        _, i = heapq.heappop(heap)
        now = gain(i)
        if heap and now < -heap[0][0] - 1e-12:
            heapq.heappush(heap, (-now, i))
            continue
        chosen.append(i)
        for column, n in zip(columns, asked, strict=True):
            n[column[i]] += 1
    left = np.ones(len(doubt), dtype=bool)
    left[chosen] = False
    whole: NDArray[np.int64] = np.concatenate(
        [np.asarray(chosen, dtype=np.int64), order[left[order]]]
    )
    return whole


ORDERS: dict[str, Callable[[Suspects], NDArray[np.float64]]] = {
    "gain": expected_gain,
    "doubt": wrongness,
    "uncertainty": lambda s: s.entropy,
    "margin": lambda s: -s.margin,
    "cleanlab": lambda s: 1 - s.quality,
    "diversity": _diversity,
}
"""What to ask first; higher scores come first, equal ones in the order of the corpus."""


def ranked(suspects: Suspects, order: str = "gain") -> NDArray[np.int64]:
    """The places in the order in which to ask."""
    if order not in ORDERS:
        raise JobError(f"no order {order!r}; {nearest(order, ORDERS)}")
    scores = np.round(ORDERS[order](suspects), 9)
    order_of: NDArray[np.int64] = np.lexsort(
        [suspects.start, suspects.document, suspects.shard, -scores]
    )
    return order_of
