"""The votes of one shard, in whichever process: which sources have to look again, and their casts.

All votes of a task on a shard lie in one file. Its note says of every source what its votes were
made from, so a source that has changed is called alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from io import FileIO
from pathlib import Path
from typing import Any

from .apply import to_votes
from .columns import load_labels, load_shard
from .corpus import Shard
from .errors import WeaklabelError
from .keys import digest, votes_digest
from .prepare import Made
from .sources.base import Cast, LabelReader, VoteReader
from .stages import Metric, Work, metric
from .votes import Votes

LLM_MEANS = {"offline", "concurrency", "cache", "api_key_env", "timeout", "retries", "max_wait"}
"""Settings of the LLM session that change how answers are got, not which."""

SAVE_SECONDS = 10.0
"""A killed run loses no more than this of what slow sources said, and one source's say."""


class Ballot:
    """What the sources of a task said about one shard: those on file, and those cast just now."""

    def __init__(
        self, work: Work, task: str, index: int, shard: Callable[[], Shard] | None = None
    ) -> None:
        self.work, self.task, self.index = work, task, index
        self.shard = shard or shard_once(work, index)
        self.path = work.run.votes_path(task, index)
        self.names = [made.source.name for made in work.prepared.sources[task]]
        shard_note = work.stamps.read(work.run.shard_path(index)) or {}
        self._shard_sha = shard_note.get("sha256", "")
        filed = self._filed()
        self.notes = {name: note for name, note in filed.items() if name in self.names}
        self.stale = len(self.notes) < len(filed)
        self._new: dict[str, Votes] = {}
        self._open: FileIO | None = None
        self._saved = time.monotonic()

    def _filed(self) -> dict[str, dict[str, Any]]:
        """The notes of the sources on file; none if the shard is no longer what they looked at."""
        note = self.work.stamps.read(self.path)
        if note is None or note["shard"] != self._shard_sha:
            return {}
        found: dict[str, dict[str, Any]] = note["sources"]
        return found

    def key(self, made: Made) -> str:
        """The key of a source's votes."""
        work, job = self.work, self.work.prepared.job
        facts = [made.key, work.prepared.tasks[self.task].to_json(), job.on_error, job.misaligned]
        facts.append(self._shard_sha)
        if isinstance(made.source, VoteReader):
            facts += [self.notes.get(name, {}).get("sha256", "") for name in made.source.reads]
        if made.round == "labels":
            first = work.stamps.read(work.run.labels_path(self.task, self.index, "first"))
            facts.append((first or {}).get("sha256", ""))
        if made.round == "bound":
            facts.append({k: v for k, v in job.llm.items() if k not in LLM_MEANS})
        return digest(facts)

    def has(self, made: Made) -> bool:
        """Whether the votes of a source are there, and made from what is there now."""
        note = self.notes.get(made.source.name)
        return note is not None and note["key"] == self.key(made)

    def votes(self, names: Sequence[str]) -> Votes:
        """The votes of some sources, side by side."""
        filed = [name for name in names if name not in self._new]
        parts = [self._new[name] for name in names if name in self._new]
        if filed:
            parts.append(Votes.load(self.path).select_sources(filed))
        if not parts:
            return Votes.build(self.work.prepared.tasks[self.task], [], self.shard().n_tokens)
        return Votes.together(parts).select_sources(names)

    def put(self, made: Made, cast: Cast, given_up: str = "") -> int:
        """Take in what a source said; how many votes these are."""
        job, task = self.work.prepared.job, self.work.prepared.tasks[self.task]
        votes, counts = to_votes(
            self.shard(), made.source, cast, task, job.on_error, job.misaligned
        )
        key = self.key(made)
        if cast.failed and made.round == "bound":
            # unanswered prompts are asked again by the next run; what was answered is cached
            key = f"incomplete {key}"
        name = made.source.name
        self._new[name] = votes
        self.notes[name] = {
            "key": key,
            "sha256": votes_digest(votes),
            "counts": asdict(counts),
            "given_up": given_up,
        }
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()
        return counts.votes

    def save(self) -> None:
        """Write votes and note, if there is something new."""
        if not self._new and not self.stale:
            return
        stamps = self.work.stamps
        votes = self.votes([name for name in self.names if name in self.notes])
        stamps.clear(self.path)
        votes.save(self.path)
        notes = {name: self.notes[name] for name in votes.names}
        key = digest([note["sha256"] for note in notes.values()])
        stamps.write(self.path, key, shard=self._shard_sha, sources=notes)
        self._new, self.stale, self._saved = {}, False, time.monotonic()

    def calling(self, name: str) -> None:
        """Leave word of who is called, for whoever asks why this process died."""
        with suppress(OSError):
            if self._open is None:
                self._word.parent.mkdir(parents=True, exist_ok=True)
                self._open = self._word.open("wb", buffering=0)
            self._open.seek(0)
            self._open.truncate()
            self._open.write(name.encode())

    def done(self) -> None:
        """Nobody is called any more."""
        if self._open is not None:
            self._open.close()
            self._open = None
        with suppress(OSError):
            self._word.unlink(missing_ok=True)

    def called(self) -> str | None:
        """Who was called when a process died."""
        try:
            return self._word.read_text(encoding="utf-8")
        except OSError:
            return None

    @property
    def _word(self) -> Path:
        relative = self.path.relative_to(self.work.folder)
        return self.work.folder / ".done" / relative.with_name(relative.name + ".calling")


def cast_votes(work: Work, item: tuple[int, str]) -> list[Metric]:
    """(shard, round) -> the votes of every source of that round on the shard.

    Rounds: "documents" (sources that look at documents), "bound" (those that share one LLM
    session), "votes" (those that read votes), "labels" (those that read first-round labels).
    """
    index, wanted = item
    shard = shard_once(work, index)
    return [
        row
        for task in work.prepared.tasks
        for row in _cast_missing(Ballot(work, task, index, shard), wanted)
    ]


def _cast_missing(ballot: Ballot, wanted: str) -> list[Metric]:
    rows = []
    try:
        for made in ballot.work.prepared.round_of(ballot.task, wanted):
            if ballot.has(made):
                continue
            began = time.perf_counter()
            ballot.calling(made.source.name)
            votes = ballot.put(made, _look(ballot, made))
            facts = {"task": ballot.task, "source": made.source.name, "votes": votes}
            documents = len(ballot.shard())
            rows.append(metric("votes", ballot.index, began, **facts, documents=documents))
    finally:
        ballot.save()
    ballot.done()
    return rows


def give_up(work: Work, item: tuple[int, str], reason: str) -> None:
    """Note that the source whose call ended every attempt failed on a whole shard."""
    index, wanted = item
    for task in work.prepared.tasks:
        ballot = Ballot(work, task, index)
        waiting = [made for made in work.prepared.round_of(task, wanted) if not ballot.has(made)]
        if waiting:
            called = ballot.called()
            made = next((made for made in waiting if made.source.name == called), waiting[0])
            failed = dict.fromkeys(range(len(ballot.shard())), reason)
            ballot.put(made, Cast.of(made.source.labels, failed=failed), given_up=reason)
            ballot.save()
            ballot.done()
            return


def shard_once(work: Work, index: int) -> Callable[[], Shard]:
    """A shard, loaded when it is first asked for."""
    return cache(partial(load_shard, work.run.shard_path(index)))


def _look(ballot: Ballot, made: Made) -> Cast:
    """What a source says; one that raises has failed on the whole shard."""
    try:
        return _call(ballot, made)
    except (WeaklabelError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Cast.of(made.source.labels, failed=dict.fromkeys(range(len(ballot.shard())), reason))


def _call(ballot: Ballot, made: Made) -> Cast:
    source, shard = made.source, ballot.shard()
    if isinstance(source, LabelReader):
        first = ballot.work.run.labels_path(ballot.task, ballot.index, "first")
        return source.read_labels(shard, load_labels(first))
    if isinstance(source, VoteReader):
        return source.read_votes(shard, ballot.votes(source.reads))
    return source(shard)
