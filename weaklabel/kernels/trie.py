"""Names as tries over atoms: splitting strings into atoms, and the longest match over a shard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_LETTER, _DIGIT, _SINGLE = 0, 1, 2
_BREAK, _SPACE, _DOT = 10, 32, 46


@njit(cache=True)
def _atom_class(code: int) -> int:
    """Letters and digits form runs; all else, and scripts written without spaces, stands alone."""
    if code < 128:
        if 48 <= code <= 57:
            return _DIGIT
        if 65 <= code <= 90 or 97 <= code <= 122:
            return _LETTER
        return _SINGLE
    if code < 0xC0 or code == 0xD7 or code == 0xF7:
        return _SINGLE
    if 0x0E00 <= code <= 0x0EFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x17FF:
        return _SINGLE
    if 0x2000 <= code <= 0x2BFF or 0x2E80 <= code <= 0xD7FF:
        return _SINGLE
    if 0xF900 <= code <= 0xFAFF or 0xFE30 <= code <= 0xFF20 or code >= 0x1F000:
        return _SINGLE
    return _LETTER


@njit(cache=True)
def atomize(
    codes: NDArray[np.uint32], n_strings: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """Strings joined by line feeds, as code points -> their atoms.

    Returns (n_strings + 1,) bounds, the 64-bit key of each atom, and whether it is a dot. Like
    spaCy's string store we take equal keys for equal strings.
    """
    indptr = np.zeros(n_strings + 1, np.int64)
    keys = np.empty(len(codes), np.uint64)
    dots = np.empty(len(codes), np.bool_)
    n, string, i = 0, 0, 0
    while i < len(codes):
        code = codes[i]
        if code == _BREAK:
            string += 1
            indptr[string] = n
            i += 1
            continue
        if code == _SPACE:
            i += 1
            continue
        kind = _atom_class(code)
        dots[n] = code == _DOT
        key = np.uint64(0x9E3779B97F4A7C15)
        while True:
            key = (key ^ np.uint64(codes[i])) * np.uint64(0xFF51AFD7ED558CCD)
            key ^= key >> np.uint64(32)
            i += 1
            if kind == _SINGLE or i == len(codes) or codes[i] <= _SPACE:
                break
            if _atom_class(codes[i]) != kind:
                break
        keys[n] = key
        n += 1
    if n_strings:
        indptr[n_strings] = n
    return indptr, keys[:n].copy(), dots[:n].copy()


@njit(cache=True)
def _bit(parent: int, atom: int, size: int) -> int:
    """Where the filter keeps an edge; size is a power of two."""
    key = np.uint64(parent) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(atom)
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0xFF51AFD7ED558CCD)
    return int((key >> np.uint64(24)) & np.uint64(size - 1))


@njit(cache=True)
def _edges_in_use(
    entry: NDArray[np.int32],
    atoms: NDArray[np.int32],
    n_atoms: int,
    first_edge: NDArray[np.int32],
    edge_atom: NDArray[np.int32],
) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """(L,) which entry nodes have edges by atoms of this shard, and a Bloom filter of those edges.

    The filter is small enough to stay in the processor's cache, which the trie is not.
    """
    present = np.zeros(n_atoms, np.bool_)
    for i in range(len(atoms)):
        if atoms[i] >= 0:
            present[atoms[i]] = True
    inner = np.zeros(len(entry), np.bool_)
    room = 0
    for i in range(len(entry)):
        if entry[i] >= 0:
            room += first_edge[entry[i] + 1] - first_edge[entry[i]]
    parents = np.empty(room, np.int32)
    children = np.empty(room, np.int32)
    total = 0
    for i in range(len(entry)):
        if entry[i] >= 0:
            before = total
            for edge in range(first_edge[entry[i]], first_edge[entry[i] + 1]):
                parents[total] = entry[i]
                children[total] = edge_atom[edge]
                # no branch: which edges are in use is not to be predicted
                total += present[edge_atom[edge]]
            inner[i] = total > before
    size = 64
    while size < 16 * total:
        size *= 2
    bits = np.zeros(size // 8, np.uint8)
    for i in range(total):
        bit = _bit(parents[i], children[i], size)
        bits[bit >> 3] |= np.uint8(1 << (bit & 7))
    return inner, bits


@njit(cache=True)
def _child(
    node: int,
    atom: int,
    root: NDArray[np.int32],
    first_edge: NDArray[np.int32],
    edge_atom: NDArray[np.int32],
) -> int:
    """The node behind an edge, or -1. Edge e leads to node e + 1, edges are sorted by atom."""
    if node == 0:
        return int(root[atom])
    low, high = first_edge[node], first_edge[node + 1]
    end = high
    while low < high:
        middle = (low + high) >> 1
        if edge_atom[middle] < atom:
            low = middle + 1
        else:
            high = middle
    if low < end and edge_atom[low] == atom:
        return int(low) + 1
    return -1


@njit(cache=True)
def _walk(
    node: int,
    low: int,
    high: int,
    atoms: NDArray[np.int32],
    dots: NDArray[np.bool_],
    root: NDArray[np.int32],
    first_edge: NDArray[np.int32],
    edge_atom: NDArray[np.int32],
    first_label: NDArray[np.int32],
) -> tuple[int, int]:
    """Walk one token's atoms: the node reached or -1, and the name that ends here or -1.

    A name ends at the end of the token, or before the token's own last dot ("Inc." for "Inc").
    """
    name = -1
    for i in range(low, high):
        if i == high - 1 and i > low and dots[i] and first_label[node] < first_label[node + 1]:
            name = node
        atom = atoms[i]
        node = _child(node, atom, root, first_edge, edge_atom) if atom >= 0 else -1
        if node < 0:
            return -1, name
    if first_label[node] < first_label[node + 1]:
        name = node
    return node, name


@njit(cache=True)
def longest_matches(
    indptr: NDArray[np.int64],
    token_ids: NDArray[np.int32],
    sentence_starts: NDArray[np.bool_],
    atom_indptr: NDArray[np.int64],
    atoms: NDArray[np.int32],
    dots: NDArray[np.bool_],
    root: NDArray[np.int32],
    first_edge: NDArray[np.int32],
    edge_atom: NDArray[np.int32],
    first_label: NDArray[np.int32],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Leftmost longest names of every document: (document, start, end, node), each (n,).

    atom_indptr, atoms, dots: the atoms of each distinct lexeme, -1 for one that no name has.
    root ... first_label: the trie, see ``sources.gazetteer.trie``. A match does not cross a
    sentence start or overlap the match before it.
    """
    n_lexemes = len(atom_indptr) - 1
    entry = np.empty(n_lexemes, np.int32)
    alone = np.empty(n_lexemes, np.int32)
    leading = np.empty(n_lexemes, np.int32)
    for i in range(n_lexemes):
        entry[i] = alone[i] = leading[i] = -1
        low, high = atom_indptr[i], atom_indptr[i + 1]
        if low < high:
            leading[i] = atoms[low]
            entry[i], alone[i] = _walk(
                0, low, high, atoms, dots, root, first_edge, edge_atom, first_label
            )
    begins, bits = _edges_in_use(entry, atoms, len(root), first_edge, edge_atom)
    for i in range(n_lexemes):
        begins[i] = begins[i] or alone[i] >= 0
    size = 8 * len(bits)
    document = np.empty(len(token_ids), np.int64)
    start = np.empty(len(token_ids), np.int64)
    end = np.empty(len(token_ids), np.int64)
    found = np.empty(len(token_ids), np.int64)
    n = 0
    for d in range(len(indptr) - 1):
        t, stop = indptr[d], indptr[d + 1]
        while t < stop:
            if not begins[token_ids[t]]:
                t += 1
                continue
            node, best, best_end = entry[token_ids[t]], alone[token_ids[t]], t + 1
            at = t + 1
            if node >= 0 and at < stop:
                bit = _bit(node, leading[token_ids[at]], size)
                if not bits[bit >> 3] & (1 << (bit & 7)):
                    node = -1
            while node >= 0 and at < stop and not sentence_starts[at]:
                low, high = atom_indptr[token_ids[at]], atom_indptr[token_ids[at] + 1]
                node, name = _walk(
                    node, low, high, atoms, dots, root, first_edge, edge_atom, first_label
                )
                at += 1
                if name >= 0:
                    best, best_end = name, at
            if best >= 0:
                document[n], start[n], end[n] = d, t - indptr[d], best_end - indptr[d]
                found[n] = best
                n += 1
                t = best_end
            else:
                t += 1
    return document[:n].copy(), start[:n].copy(), end[:n].copy(), found[:n].copy()
