"""Atoms: runs of letters, runs of digits, single other characters. Whatever a tokenizer's rules,
a name and a document consist of the same atoms, so names match under any tokenization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Atoms:
    """The atoms of S strings; those of string i are ``indptr[i]:indptr[i+1]``.

    keys: (U,) sorted 64-bit hashes of the distinct atoms. ids: (A,) index into ``keys``.
    dots: (A,) whether an atom is a full stop.
    """

    indptr: NDArray[np.int64]
    keys: NDArray[np.uint64]
    ids: NDArray[np.int64]
    dots: NDArray[np.bool_]


def atomize(strings: Sequence[str], *, fold: bool = False) -> Atoms:
    """The atoms of strings that hold no line feed; ``fold``: of their case-folded forms."""
    from .kernels import trie

    joined = "\n".join(strings)
    if fold:
        joined = joined.casefold()
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    indptr, hashes, dots = trie.atomize(codes, len(strings))
    keys, ids = np.unique(hashes, return_inverse=True)
    return Atoms(indptr, keys, ids, dots)
