"""A hash table of 128-bit keys that grows: how many there have been, and which came before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kernels import patterns as kernel

BLOCK = 1 << 20
"""Keys that move at a time when their table grows."""


class KeyTable:
    """Numbers keys in order of first occurrence: a hash table that grows.

    keys: (capacity, 2), of which the first ``len(table)`` are known.
    """

    def __init__(self) -> None:
        self.keys = np.empty((0, 2), np.uint64)
        self._slots = np.empty(0, np.int32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def number(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(P,) the number of each key; keys that are new become known."""
        if self._size + len(keys) > len(self.keys):
            self._grow(self._size + len(keys))
        return self._add(keys)

    def _add(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        group = np.empty(len(keys), np.int64)
        self._size = kernel.number_keys(self._slots, self.keys, self._size, keys, group)
        return group

    def _grow(self, size: int) -> None:
        capacity = 1 << max(size - 1, 1).bit_length()
        known, self._size = self.keys[: self._size], 0
        self._slots = np.full(2 * capacity, -1, np.int32)
        self.keys = np.empty((capacity, 2), np.uint64)
        for first in range(0, len(known), BLOCK):
            self._add(known[first : first + BLOCK])
