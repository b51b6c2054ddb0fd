"""Shard + sources -> votes: the one place where what a source said is checked and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .corpus import Shard
from .errors import SourceError, nearest
from .labels import Labels
from .sources.base import AnySource, Cast, LabelReader, Source, VoteReader
from .task import Task
from .votes import Voter, Votes

OnError = Literal["stop", "skip"]


@dataclass
class SourceCounts:
    """What happened while a source looked at a shard; summed over shards for the report."""

    votes: int = 0
    misaligned: int = 0
    overlapping: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Applied:
    """The votes of a shard, and per source what happened."""

    votes: Votes
    counts: dict[str, SourceCounts]


def voter(source: AnySource) -> Voter:
    """What the label model may know of a source."""
    return Voter(source.name, tuple(source.labels), source.kind, source.group)


def apply_sources(
    shard: Shard,
    sources: Sequence[AnySource],
    task: Task,
    *,
    labels: Labels | None = None,
    on_error: OnError = "stop",
    misaligned: Literal["drop", "widen"] = "drop",
    progress: Callable[[str], None] | None = None,
) -> Applied:
    """Let every source look at the shard.

    labels: of a first round; without them sources that read labels are left out.
    on_error: "stop" raises at the first document that a source fails on; "skip" counts it, and
        the source is missing there.
    misaligned: spans off token boundaries are counted and dropped, or widened to whole tokens.
    """
    check_names(sources)
    done: dict[str, Votes] = {}
    counts: dict[str, SourceCounts] = {}
    for source in in_order(sources):
        if progress is not None:
            progress(source.name)
        if isinstance(source, LabelReader):
            if labels is None:
                continue
            cast = source.read_labels(shard, labels)
        elif isinstance(source, VoteReader):
            read = [done[name] for name in source.reads]
            cast = source.read_votes(shard, _together(task, shard, read))
        else:
            cast = source(shard)
        done[source.name], counts[source.name] = to_votes(
            shard, source, cast, task, on_error, misaligned
        )
    votes = [done[source.name] for source in sources if source.name in done]
    return Applied(_together(task, shard, votes), counts)


def _together(task: Task, shard: Shard, votes: Sequence[Votes]) -> Votes:
    return Votes.together(votes) if votes else Votes.build(task, [], shard.n_tokens)


def check_names(sources: Iterable[AnySource]) -> None:
    """Names must differ, and who reads another's votes must name one that exists."""
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"two sources are named {name!r}; names must differ")
    for source in sources:
        if isinstance(source, VoteReader):
            for name in source.reads:
                if name not in names:
                    raise SourceError(
                        f"source {source.name!r} reads {name!r}, which does not exist; "
                        + nearest(name, names)
                    )


def in_order(sources: Sequence[AnySource]) -> list[AnySource]:
    """Those who look at documents first, then readers of votes, each after whom it reads."""
    ordered: list[AnySource] = [source for source in sources if isinstance(source, Source)]
    waiting = [source for source in sources if isinstance(source, VoteReader)]
    while waiting:
        done = {source.name for source in ordered}
        ready = [source for source in waiting if set(source.reads) <= done]
        if not ready:
            circle = ", ".join(repr(source.name) for source in waiting)
            raise SourceError(f"sources {circle} read one another in a circle")
        ordered += ready
        waiting = [source for source in waiting if source not in ready]
    return [*ordered, *(source for source in sources if isinstance(source, LabelReader))]


def to_votes(
    shard: Shard,
    source: AnySource,
    cast: Cast,
    task: Task,
    on_error: OnError,
    misaligned: Literal["drop", "widen"],
) -> tuple[Votes, SourceCounts]:
    """Check one source's cast: labels of the task, whole tokens, no overlap, failures counted."""
    if cast.failed and on_error == "stop" and not cast.tolerated:
        document, reason = next(iter(cast.failed.items()))
        raise SourceError(
            f"source {source.name!r} failed on document {shard.ids[document]!r}: {reason}"
        )
    label = _label_ids(source, cast, task)
    keep: NDArray[np.bool_] = np.ones(len(label), dtype=bool)
    start: NDArray[Any] = cast.start
    end: NDArray[Any] = cast.end
    count = SourceCounts(
        failed={shard.ids[d]: reason for d, reason in cast.failed.items()},
        other=dict(cast.counts),
    )
    if cast.failed:
        keep &= ~np.isin(cast.document, list(cast.failed))
    if task.kind == "spans":
        if cast.unit == "character":
            start, end, exact = shard.align(cast.document, cast.start, cast.end)
            keep &= (end > start) & (exact | (misaligned == "widen"))
            count.misaligned = int((~exact).sum())
        inside = (start >= 0) & (end > start) & (end <= shard.n_tokens[cast.document])
        count.misaligned += int((keep & ~inside).sum())
        keep &= inside
        clear = _longest_first(cast.document, start, end, cast.confidence, keep)
        count.overlapping = int((keep & ~clear).sum())
        keep = clear
    confidence = np.ones(len(label)) if cast.confidence is None else cast.confidence
    count.votes = int(keep.sum())
    votes = Votes.build(
        task,
        [voter(source)],
        shard.n_tokens,
        document=cast.document[keep],
        start=np.asarray(start)[keep],
        end=np.asarray(end)[keep],
        source=np.zeros(count.votes),
        label=label[keep],
        confidence=confidence[keep],
        looked=[_looked(len(shard), cast)],
    )
    return votes, count


def _label_ids(source: AnySource, cast: Cast, task: Task) -> NDArray[np.int64]:
    for label in cast.labels:
        if label not in source.labels:
            raise SourceError(
                f"source {source.name!r} cast {label!r}, but declares {', '.join(source.labels)}"
            )
    ids = []
    for label in cast.labels:
        if label not in task.vote_labels:
            raise SourceError(
                f"source {source.name!r} casts {label!r}, which is no label of the task; "
                + nearest(label, task.vote_labels)
            )
        ids.append(task.label_id(label))
    return np.asarray(ids, dtype=np.int64)[cast.label] if len(cast.label) else cast.label


def _looked(n_documents: int, cast: Cast) -> NDArray[np.int64] | None:
    if not cast.failed:
        return cast.looked
    looked = np.arange(n_documents) if cast.looked is None else cast.looked
    return np.setdiff1d(looked, np.asarray(list(cast.failed), dtype=np.int64))


def _longest_first(
    document: NDArray[np.int64],
    start: NDArray[np.integer],
    end: NDArray[np.integer],
    confidence: NDArray[np.float32] | None,
    keep: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """The overlap rule within one source: the longest span stays, of equal ones the leftmost.

    Spans on the same place (a soft or ambiguous vote) do not compete.
    """
    rows = np.flatnonzero(keep)
    if _apart(document[rows], start[rows], end[rows]):
        return keep
    order = rows[np.lexsort((end[rows], start[rows], document[rows]))]
    same_document = document[order[1:]] == document[order[:-1]]
    if not (same_document & (start[order[1:]] < end[order[:-1]])).any():
        return keep
    clear = np.zeros_like(keep)
    taken: dict[int, list[tuple[int, int]]] = {}
    for row in rows[np.lexsort((start[rows], start[rows] - end[rows], document[rows]))]:
        spans = taken.setdefault(int(document[row]), [])
        span = (int(start[row]), int(end[row]))
        if all(span == other or span[1] <= other[0] or other[1] <= span[0] for other in spans):
            clear[row] = True
            spans.append(span)
    return clear


def _apart(
    document: NDArray[np.int64], start: NDArray[np.integer], end: NDArray[np.integer]
) -> bool:
    """Whether spans are in order and none touches the next."""
    later = document[1:] > document[:-1]
    beside = (document[1:] == document[:-1]) & (start[1:] >= end[:-1])
    return bool((later | beside).all())
