"""What votes say of the candidates of one shard, and the labels that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..kernels import lattice as kernel
from ..kernels.lattice import Lattice
from ..labels import EXACT, OVERLAP, Reasons, SpanLabels
from ..task import NONE
from .clusters import Clusters, distinct, lay_out, take
from .segments import Floats, Posterior, Trust, posterior_of, share_of_votes

FLOOR = 1e-4
"""What a share of votes or a posterior of 0 still leaves open to the text, a ten-thousandth."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The clusters of a shard and two opinions of them, by EM and by share of votes.

    lattice: of all clusters. document: (C,) of each candidate. start: (C,) in the document.
    token: (T,) the cluster tokens' positions in their documents; token_document: (T,).
    """

    clusters: Clusters
    lattice: Lattice
    learned: Posterior
    share: Posterior
    document: NDArray[np.int64]
    start: NDArray[np.int64]
    token: NDArray[np.int64]
    token_document: NDArray[np.int64]
    n_sources: int

    @property
    def end(self) -> NDArray[np.int64]:
        """(C,) in the document."""
        return self.start + (self.lattice.end - self.lattice.start)

    def scores(self) -> tuple[Floats, Floats]:
        """Log of the mean of both opinions, (C, K), and of outside tokens, (T,).

        EM is sure of what sources say together; the share of votes leaves the text something to do.
        """
        both = (self.learned.candidates + self.share.candidates) / 2
        out = (self.learned.outside + self.share.outside) / 2
        return log_scores(self.lattice, both, out)

    def share_scores(self) -> tuple[Floats, Floats]:
        """The same of the share of votes alone."""
        scores, outside = log_scores(self.lattice, self.share.candidates, self.share.outside)
        kernel.constrain(self.lattice, self.n_sources, scores, outside)
        return scores, outside


def log_scores(lattice: Lattice, candidates: Floats, outside: Floats) -> tuple[Floats, Floats]:
    """Log of posteriors, as scores of segments and of outside tokens.

    Outside is shared among the tokens of a vote, so that a long candidate is not held against
    many tokens outside where one decision is to be made.
    """
    unit = kernel.mean_vote_length(lattice)
    return np.log(np.maximum(candidates, FLOOR)), np.log(np.maximum(outside, 10 * FLOOR)) / unit


def evidence_of(
    clusters: Clusters,
    trust: Trust,
    compatible: NDArray[np.bool_],
    against: Floats,
) -> Evidence:
    """Posteriors are computed once per distinct pattern, then dealt out to its occurrences."""
    which, first = distinct(clusters)
    indptr, rows = take(clusters.indptr, first)
    n_sources = len(trust.weight)
    patterns = lay_out(indptr, clusters.rows[rows], n_sources, len(compatible))
    learned = posterior_of(patterns, trust)
    share = share_of_votes(patterns, compatible, against, trust.weight)
    lattice, cands, tokens = deal_out(patterns, which)
    n_cands, n_tokens = np.diff(lattice.cand_ptr), np.diff(lattice.token_ptr)
    begin = clusters.offset.astype(np.int64)
    within = np.arange(len(tokens)) - np.repeat(lattice.token_ptr[:-1], n_tokens)
    return Evidence(
        clusters,
        lattice,
        Posterior(learned.candidates[cands], learned.outside[tokens], learned.log_z[which]),
        Posterior(share.candidates[cands], share.outside[tokens], share.log_z[which]),
        np.repeat(clusters.document, n_cands),
        np.repeat(begin, n_cands) + lattice.start,
        np.repeat(begin, n_tokens) + within,
        np.repeat(clusters.document, n_tokens),
        n_sources,
    )


def deal_out(
    patterns: Lattice, which: NDArray[np.int64]
) -> tuple[Lattice, NDArray[np.int64], NDArray[np.int64]]:
    """The lattice of all clusters from that of their patterns; the candidates and tokens taken."""
    row_ptr, rows = take(patterns.row_ptr, which)
    token_ptr, tokens = take(patterns.token_ptr, which)
    cand_ptr, cands = take(patterns.cand_ptr, which)
    vote_ptr, votes = take(patterns.vote_ptr, cands)
    lattice = Lattice(
        row_ptr,
        patterns.rows[rows],
        token_ptr,
        cand_ptr,
        patterns.start[cands],
        patterns.end[cands],
        vote_ptr,
        patterns.source[votes],
        patterns.outcome[votes],
        patterns.weight[votes],
    )
    return lattice, cands, tokens


def layers_of(
    lattice: Lattice, scores: Floats, outside: Floats, threshold: float, nested: bool
) -> tuple[Floats, NDArray[np.int16], NDArray[np.int8]]:
    """Posterior (C, K), chosen label (C,) and layer (C,): what is chosen, then what lies within it.

    A further layer is the same decision among the candidates strictly inside a chosen one.
    """
    posterior, _, _ = kernel.forward_backward(lattice, scores, outside)
    chosen = np.full(len(posterior), NONE, dtype=np.int16)
    layer = np.zeros(len(posterior), dtype=np.int8)
    picked = kernel.choose(lattice, posterior.max(axis=1, initial=0.0) - threshold)
    chosen[picked] = posterior[picked].argmax(axis=1)
    depth = 0
    while nested and picked.any() and depth < 8:
        depth += 1
        inner = kernel.strictly_inside(lattice, picked) & (chosen == NONE)
        left = np.where(inner[:, None], scores, -np.inf)
        deeper, _, _ = kernel.forward_backward(lattice, left, outside)
        picked = kernel.choose(lattice, deeper.max(axis=1, initial=0.0) - threshold) & inner
        posterior[picked] = deeper[picked]
        chosen[picked] = deeper[picked].argmax(axis=1)
        layer[picked] = depth
    return posterior, chosen, layer


def reasons_of(
    lattice: Lattice,
    trust: Trust,
    label: NDArray[np.int64],
    names: tuple[str, ...],
    order: NDArray[np.int32],
) -> Reasons:
    """What each vote added to the log-odds of a label (C,) against the vote being spurious.

    order: (M,) the number that each of the model's sources has in the votes.
    """
    n_votes = trust.spurious.shape[1]
    candidate = np.repeat(np.arange(len(label)), np.diff(lattice.vote_ptr))
    cast = lattice.outcome < 2 * n_votes
    source, outcome = lattice.source[cast], lattice.outcome[cast]
    vote = outcome % n_votes
    _, change = trust.tables()
    spurious = trust.weight[source] * trust.spurious[source, vote]
    gain = change[source, outcome, label[candidate[cast]]] - spurious
    indptr = np.searchsorted(candidate[cast], np.arange(len(label) + 1))
    return Reasons(
        names,
        indptr.astype(np.int64),
        order[source].astype(np.int32),
        vote.astype(np.int16),
        np.where(outcome < n_votes, EXACT, OVERLAP).astype(np.int8),
        (gain * lattice.weight[cast]).astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class Proposals:
    """Spans that no source voted for: columns (n,), in order of document and position."""

    document: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: Floats


def with_proposals(labels: SpanLabels, new: Proposals) -> SpanLabels:
    """Labels with further spans, chosen, without reasons: no vote stands behind them."""
    if not len(new.document) or labels.reasons is None:
        return labels
    probability = np.zeros((len(new.document), labels.probability.shape[1]))
    probability[np.arange(len(new.document)), new.label] = new.probability
    document = np.concatenate([labels.document, new.document])
    start = np.concatenate([labels.start, new.start.astype(np.int32)])
    end = np.concatenate([labels.end, new.end.astype(np.int32)])
    indptr = np.concatenate(
        [labels.reasons.indptr, np.full(len(new.document), labels.reasons.indptr[-1])]
    )
    both = replace(
        labels,
        document=document,
        start=start,
        end=end,
        probability=np.concatenate([labels.probability, probability]),
        chosen=np.concatenate([labels.chosen, new.label.astype(np.int16)]),
        layer=np.concatenate([labels.layer, np.zeros(len(new.document), np.int8)]),
        reasons=replace(labels.reasons, indptr=indptr),
    )
    return both.rows(np.lexsort([end, start, document]))
