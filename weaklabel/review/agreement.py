"""How far reviewers agree: shares, Cohen's kappa by pair, Krippendorff's alpha over all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from .store import Decision


@dataclass(frozen=True)
class Pair:
    """Two reviewers on what both have decided. kappa: None where chance agreement is certain."""

    reviewers: tuple[str, str]
    both: int
    agreed: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """decided: by reviewer. pairs: who share items. alpha: nominal, None with nothing shared."""

    decided: dict[str, int]
    pairs: list[Pair]
    alpha: float | None


def agreement_of(decisions: Sequence[Decision]) -> Agreement:
    """Agreement statistics of the decisions that stand."""
    places: dict[tuple[str, str, int, int], dict[str, str]] = {}
    for d in decisions:
        said = places.setdefault((d.task, d.document, d.start, d.end), {})
        said[d.reviewer] = _category(d)
    decided = Counter(reviewer for said in places.values() for reviewer in said)
    names = sorted(decided)
    pairs = []
    for a, b in combinations(names, 2):
        shared = [(said[a], said[b]) for said in places.values() if a in said and b in said]
        if shared:
            agreed = sum(x == y for x, y in shared) / len(shared)
            pairs.append(Pair((a, b), len(shared), agreed, cohen_kappa(shared)))
    units = [list(said.values()) for said in places.values() if len(said) > 1]
    return Agreement({name: decided[name] for name in names}, pairs, krippendorff_alpha(units))


def _category(decision: Decision) -> str:
    """What was said as a category: the labels, and whether the boundaries were moved."""
    if decision.result.get("classes") is not None and "spans" not in decision.result:
        return "+".join(sorted(decision.result["classes"])) or "none"
    here = [
        (f"{label}" if (start, end) == (decision.start, decision.end) else f"{label} {start}-{end}")
        for start, end, label in decision.result.get("spans", ())
        if start < decision.end and end > decision.start
    ]
    return "+".join(sorted(here)) or "none"


def cohen_kappa(shared: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa (1960) of two raters' answers to the same items."""
    n = len(shared)
    left, right = Counter(a for a, _ in shared), Counter(b for _, b in shared)
    chance = sum(left[c] * right[c] for c in left) / n**2
    observed = sum(a == b for a, b in shared) / n
    return None if chance == 1 else (observed - chance) / (1 - chance)


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal answers; units with fewer than two answers are left out."""
    pairable = [unit for unit in units if len(unit) > 1]
    totals = Counter(answer for unit in pairable for answer in unit)
    n = sum(totals.values())
    if n < 2:
        return None
    expected = n * n - sum(count * count for count in totals.values())
    if not expected:
        return None
    observed = sum(
        (len(unit) ** 2 - sum(c * c for c in Counter(unit).values())) / (len(unit) - 1)
        for unit in pairable
    )
    return 1 - (n - 1) * observed / expected
