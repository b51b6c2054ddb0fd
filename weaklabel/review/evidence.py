"""What can be seen of a candidate span, as sparse columns: who voted what on it, and its words."""

from __future__ import annotations

import zlib

import numpy as np
from scipy import sparse

from ..corpus import Shard
from ..labels import SpanLabels
from ..models.windows import shape_of
from ..votes import Votes

_WORDS = 1 << 16


def evidence(labels: SpanLabels, votes: Votes, shard: Shard) -> sparse.csr_matrix:
    """(C, columns) binary: each source's vote on it, exact or overlapping, and its words."""
    both = [_votes_on(labels, votes), _words_of(labels, shard)]
    return sparse.csr_matrix(sparse.hstack(both, format="csr"))


def _votes_on(labels: SpanLabels, votes: Votes) -> sparse.csr_matrix:
    from ..kernels.overlaps import overlap_pairs

    bounds = np.searchsorted(labels.document, np.arange(labels.n_documents + 1))
    pairs = overlap_pairs(bounds, labels.start, labels.end, votes.indptr, votes.start, votes.end)
    c, v = pairs[:, 0], pairs[:, 1]
    exact = (labels.start[c] == votes.start[v]) & (labels.end[c] == votes.end[v])
    n_outcomes = 2 * len(votes.task.vote_labels)
    column = votes.source[v].astype(np.int64) * n_outcomes + 2 * votes.label[v] + exact
    shape = (len(labels), votes.n_sources * n_outcomes)
    who = sparse.csr_matrix((np.ones(len(c)), (c, column)), shape=shape)
    who.data[:] = 1
    return who


def _words_of(labels: SpanLabels, shard: Shard) -> sparse.csr_matrix:
    """The text, first and last word, shape and neighbours of each candidate, hashed."""
    lower = [word.lower() for word in shard.lexemes]
    shapes = [shape_of(word) for word in shard.lexemes]
    words = shard.token_ids.tolist()
    first = shard.indptr[labels.document]
    stop = shard.indptr[labels.document + 1]
    starts, ends = first + labels.start, first + labels.end
    columns: list[list[int]] = []
    for low, high, s, e in zip(
        first.tolist(), stop.tolist(), starts.tolist(), ends.tolist(), strict=True
    ):
        before = words[s - 1] if s > low else None
        after = words[e] if e < high else None
        around = ["" if w is None else shapes[w] for w in (before, after)]
        names = (
            "text=" + " ".join(lower[w] for w in words[s:e]),
            "first=" + lower[words[s]],
            "last=" + lower[words[e - 1]],
            "shape=" + " ".join(shapes[w] for w in words[s : min(e, s + 4)]),
            "before=" + ("" if before is None else lower[before]),
            "after=" + ("" if after is None else lower[after]),
            f"around={'_'.join(around)}_{s == low}",
        )
        columns.append([zlib.crc32(n.encode("utf-8", "surrogatepass")) % _WORDS for n in names])
    table = np.asarray(columns, dtype=np.int64).reshape(len(labels), 7)
    rows = np.repeat(np.arange(len(labels)), 7)
    data = np.ones(table.size)
    return sparse.csr_matrix((data, (rows, table.ravel())), shape=(len(labels), _WORDS))
