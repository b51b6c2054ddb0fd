"""Train, dev and test sets that do not leak: what belongs or reads together stays on one side."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

FRACTIONS: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}

_SHINGLE = 5
_BLOCK = 4096
_BANDS, _ROWS = 24, 4
"""A pair of similarity s is looked at with probability 1 - (1 - s^4)^24: 0.999997 at 0.8."""


def split(
    texts: Sequence[str],
    *,
    fractions: Mapping[str, float] = FRACTIONS,
    groups: Sequence[Hashable] | None = None,
    similarity: float = 0.8,
    seed: int = 0,
) -> list[str]:
    """The name of the split of each text.

    groups: (n,) what must not be torn apart, such as the document of a sentence; None for none.
    similarity: texts whose Jaccard similarity (character 5-grams, case and white space aside) is
        at least this stay together, and so do chains of them.
    Splits come as near to their fractions as whole families of texts allow.
    """
    if not fractions or any(not 0 <= share <= 1 for share in fractions.values()):
        raise InputError("split fractions should be between 0 and 1")
    if abs(sum(fractions.values()) - 1) > 1e-9:
        raise InputError(f"split fractions add up to {sum(fractions.values()):g}, expected 1")
    if groups is not None and len(groups) != len(texts):
        raise InputError(f"{len(groups)} groups for {len(texts)} texts; one for each is needed")
    members: dict[int, list[int]] = {}
    for i, family in enumerate(families(texts, groups=groups, similarity=similarity)):
        members.setdefault(family, []).append(i)
    order = list(members.values())
    random.Random(seed).shuffle(order)
    order.sort(key=len, reverse=True)
    open_places = {name: share * len(texts) for name, share in fractions.items()}
    names = [""] * len(texts)
    for together in order:
        name = max(open_places, key=lambda n: (open_places[n], fractions[n]))
        open_places[name] -= len(together)
        for i in together:
            names[i] = name
    return names


def families(
    texts: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    similarity: float = 0.8,
) -> list[int]:
    """For each text the first text of its family: same group, or (near) duplicates, in chains."""
    if not 0 < similarity <= 1:
        raise InputError(f"similarity {similarity:g} should be above 0, up to 1")
    union = _Union(len(texts))
    first: dict[Hashable, int] = {}
    for i, group in enumerate(groups or ()):
        union.join(i, first.setdefault(group, i))
    plain = [_normal(text) for text in texts]
    distinct: dict[str, int] = {}
    for i, text in enumerate(plain):
        union.join(i, distinct.setdefault(text, i))
    for bucket in _buckets(plain, list(distinct.values())):
        _join_similar(bucket, plain, similarity, union)
    return [union.find(i) for i in range(len(texts))]


class _Union:
    """Disjoint sets; the smallest member stands for its set."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        a, b = self.find(i), self.find(j)
        self.parent[max(a, b)] = min(a, b)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _shingles(text: str) -> NDArray[np.uint64]:
    """Sorted distinct hashes of the character 5-grams; of the whole text if it is shorter."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    width = min(_SHINGLE, len(codes))
    hashes: NDArray[np.uint64] = np.zeros(max(len(codes) - width + 1, 1), dtype=np.uint64)
    for k in range(width):
        column = codes[k : k + len(hashes)].astype(np.uint64)
        hashes = _mix(hashes * np.uint64(0x9E3779B97F4A7C15) + column + np.uint64(1))
    return np.unique(hashes)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed


def _buckets(plain: list[str], distinct: list[int]) -> Iterator[list[int]]:
    """Texts that may be alike: MinHash (Broder 1997) in bands."""
    salts = _mix(np.arange(1, _BANDS * _ROWS + 1, dtype=np.uint64))[:, None]
    signatures = np.full((len(distinct), _BANDS * _ROWS), 2**64 - 1, dtype=np.uint64)
    for row, i in enumerate(distinct):
        shingles = _shingles(plain[i])
        for low in range(0, len(shingles), _BLOCK):
            least = _mix(shingles[low : low + _BLOCK] ^ salts).min(axis=1)
            np.minimum(signatures[row], least, out=signatures[row])
    for band in range(_BANDS):
        found: dict[bytes, list[int]] = {}
        for row, i in enumerate(distinct):
            key = signatures[row, band * _ROWS : (band + 1) * _ROWS].tobytes()
            found.setdefault(key, []).append(i)
        yield from (bucket for bucket in found.values() if len(bucket) > 1)


def _join_similar(bucket: list[int], plain: list[str], similarity: float, union: _Union) -> None:
    """Join what is truly alike; members of one family are not compared with one another."""
    known: dict[int, list[int]] = {}
    for i in bucket:
        mine = known.pop(union.find(i), [])
        for root in list(known):
            if any(_jaccard(plain[i], plain[j]) >= similarity for j in known[root]):
                union.join(i, root)
                mine += known.pop(root)
        known[union.find(i)] = [*mine, i]


@lru_cache(maxsize=4096)
def _cached_shingles(text: str) -> NDArray[np.uint64]:
    return _shingles(text)


def _jaccard(a: str, b: str) -> float:
    mine, other = _cached_shingles(a), _cached_shingles(b)
    both = len(np.intersect1d(mine, other, assume_unique=True))
    return both / (len(mine) + len(other) - both)
