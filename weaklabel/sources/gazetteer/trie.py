"""A trie over the atoms of names, in arrays that a file can be mapped to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import atomic_path
from ...atoms import Atoms
from ...corpus import Shard
from ...errors import SourceError
from ...kernels.trie import longest_matches

_MAGIC = b"weaklabel trie 4\n"


@dataclass(frozen=True, eq=False)
class Trie:
    """N nodes in breadth-first order, node 0 the root; edge e leads to node e + 1.

    keys: (V,) sorted keys of the distinct atoms, which number them.
    root: (V,) the node that each atom leads to from the root, or -1.
    first_edge: (N+1,) the edges of node n are ``first_edge[n]:first_edge[n+1]``, by atom.
    edge_atom: (N-1,). first_label: (N+1,) bounds into ``labels``: what names that end at a node
    are called, as ids into ``label_names``.
    """

    label_names: tuple[str, ...]
    keys: NDArray[np.uint64]
    root: NDArray[np.int32]
    first_edge: NDArray[np.int32]
    edge_atom: NDArray[np.int32]
    first_label: NDArray[np.int32]
    labels: NDArray[np.int32]

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:  # as in a mapped file, for which kernels are compiled
            getattr(self, field.name).flags.writeable = False

    @classmethod
    def build(cls, label_names: Sequence[str], names: Atoms, label: NDArray[np.int32]) -> Trie:
        """A trie of names, each with a label id (n,); a name without atoms is left out."""
        length = np.diff(names.indptr)
        node = np.zeros(len(length), dtype=np.int64)
        edge_parent, edge_atom = [], []
        total = 1
        for depth in range(int(length.max(initial=0))):
            alive = np.flatnonzero(length > depth)
            pair = (node[alive] << 32) | names.ids[names.indptr[alive] + depth]
            distinct, inverse = np.unique(pair, return_inverse=True)
            node[alive] = total + inverse
            edge_parent.append(distinct >> 32)
            edge_atom.append((distinct & 0xFFFFFFFF).astype(np.int32))
            total += len(distinct)
        nodes = np.arange(total + 1)
        parents = np.concatenate([np.zeros(0, dtype=np.int64), *edge_parent])
        atom = np.concatenate([np.zeros(0, dtype=np.int32), *edge_atom])
        ends = np.unique((node[length > 0] << 31) | label[length > 0].astype(np.int64))
        n_first = int((parents == 0).sum())
        root = np.full(len(names.keys), -1, dtype=np.int32)
        root[atom[:n_first]] = np.arange(1, n_first + 1)
        return cls(
            tuple(label_names),
            names.keys,
            root,
            np.searchsorted(parents, nodes).astype(np.int32),
            atom,
            np.searchsorted(ends >> 31, nodes).astype(np.int32),
            (ends & 0x7FFFFFFF).astype(np.int32),
        )

    def atom_ids(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Keys (A,) as atom numbers, -1 for those that no name has."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int32)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1).astype(np.int32)

    def find(
        self, shard: Shard, *, fold: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The leftmost longest names of a shard as (document, start, end, label id), tokens.

        A name with several labels comes once for each. ``fold``: the names are case-folded.
        """
        atoms = shard.folded_atoms if fold else shard.atoms
        document, start, end, node = longest_matches(
            shard.indptr,
            shard.token_ids,
            shard.sentence_starts,
            atoms.indptr,
            self.atom_ids(atoms.keys)[atoms.ids],
            atoms.dots,
            self.root,
            self.first_edge,
            self.edge_atom,
            self.first_label,
        )
        first = self.first_label[node].astype(np.int64)
        count = self.first_label[node + 1] - first
        rows = np.repeat(np.arange(len(node)), count)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return document[rows], start[rows], end[rows], self.labels[first[rows] + within]

    def save(self, path: Path) -> None:
        """Write one file, atomically: a header in JSON, then the arrays, each 64-byte aligned."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "label_names"}
        places, offset = {}, 0
        for name, array in arrays.items():
            places[name] = [array.dtype.str, len(array), offset]
            offset += -(-array.nbytes // 64) * 64
        header = json.dumps({"labels": self.label_names, "arrays": places, "size": offset}).encode()
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.write(_MAGIC + len(header).to_bytes(8, "little") + header)
            file.write(bytes(-file.tell() % 64))
            for array in arrays.values():
                file.write(array.tobytes())
                file.write(bytes(-array.nbytes % 64))

    @classmethod
    def map(cls, path: Path) -> Trie:
        """Map what ``save`` wrote; pages are read when names are looked up."""
        try:
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise ValueError("wrong beginning")
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
                base = -(-file.tell() // 64) * 64
            if path.stat().st_size != base + header["size"]:
                raise ValueError("wrong size")
            data = np.memmap(path, dtype=np.uint8, mode="r")
            arrays = {
                name: data[base + at : base + at + size * np.dtype(dtype).itemsize].view(dtype)
                for name, (dtype, size, at) in header["arrays"].items()
            }
            return cls(tuple(header["labels"]), **{k: np.asarray(v) for k, v in arrays.items()})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path}: no compiled gazetteer ({error})") from None
