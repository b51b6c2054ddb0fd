"""Votes -> the fitted label model. Its walks over the shards are mapped over the workers."""

from __future__ import annotations

import inspect
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .columns import load_shard
from .context import Context, Step
from .corpus import Shard
from .engine_local import Engine
from .errors import LabelModelWarning
from .in_turn import in_turn
from .keys import content_digest, digest, gold_digest
from .models.base import registry as models
from .models.walking import Portion
from .run import Lazy
from .sample import sample_documents
from .stages import Metric, Work, metric
from .votes import Gold, Votes

T = TypeVar("T")


def fit(
    context: Context,
    engine: Engine,
    task: str,
    stage: str,
    names: Sequence[str],
    gold: Sequence[Gold] | None,
) -> str:
    """Fit the model, unless the one that is there came from the same votes; its digest."""
    path = context.run.model_folder(task, stage) / "model.json"
    key = _key(context, task, names, gold)
    note = context.stamps.read(path, key)
    if note is None or not path.with_suffix(".npz").exists():
        context.watch(Step(f"fit {task}", 0, 1))
        note = _fit_now(context, engine, task, path, key, names, gold)
        context.watch(Step(f"fit {task}", 1, 1))
    return digest([note["sha256"], note["arrays"]])


def _fit_now(
    context: Context,
    engine: Engine,
    task: str,
    path: Path,
    key: str,
    names: Sequence[str],
    gold: Sequence[Gold] | None,
) -> dict[str, Any]:
    model = context.prepared.model(task)
    votes = RunVotes(context, engine, task, names, gold)
    texts, gold = votes.part(context.run.shards), None if gold is None else votes.part(gold)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LabelModelWarning)
        model.fit(votes, texts=texts, gold=gold)
    alone = round(time.perf_counter() - began - votes.waited, 4)
    context.metrics.write([{"stage": "fit", "seconds": alone, "task": task}])
    said = [str(w.message) for w in caught if issubclass(w.category, LabelModelWarning)]
    context.stamps.clear(path)
    model.save(path.parent)
    context.made("model", count=1)
    arrays = content_digest(path.with_suffix(".npz"))
    return context.stamps.write(path, key, arrays=arrays, warnings=said)


@dataclass(frozen=True, eq=False)
class Place:
    """What a worker looks at: some sources, on some documents (None: all) of a shard."""

    index: int
    task: str
    sources: tuple[str, ...]
    documents: NDArray[np.int64] | None
    gold: Gold | None

    def of(self, whole: Any) -> Any:
        """The documents in question of a whole shard."""
        return whole if self.documents is None else whole.select_documents(self.documents)


def look_at(work: Work, look: Callable[[Portion], T], place: Place) -> tuple[T, Metric]:
    """``look`` at a shard of the run folder, and how long it took."""
    run = work.run
    began = time.perf_counter()

    def votes() -> Votes:
        whole = Votes.load(run.votes_path(place.task, place.index))
        chosen: Votes = place.of(whole.select_sources(place.sources))
        return chosen

    def text() -> Shard:
        chosen: Shard = place.of(load_shard(run.shard_path(place.index)))
        return chosen

    found = look(Portion(place.index, votes, text, place.gold))
    return found, metric("count", place.index, began, task=place.task)


class RunVotes(Lazy[Votes]):
    """The votes to fit on: of all documents of a run, or of the sample that the job wants.

    When a model walks over them, the workers look at their shards. waited: seconds spent on that.
    """

    def __init__(
        self,
        context: Context,
        engine: Engine,
        task: str,
        sources: Sequence[str],
        gold: Sequence[Gold] | None,
    ) -> None:
        self._context, self._engine, self._task, self._gold = context, engine, task, gold
        self._sources, self.waited = tuple(sources), 0.0
        self._chosen = _sample(context)
        votes = context.run.votes(task, sources=sources)
        super().__init__(self.part(votes).__getitem__, len(votes))

    def part(self, whole: Sequence[T]) -> Sequence[T]:
        """The sampled documents of shards of anything."""
        if self._chosen is None:
            return whole
        return Lazy(lambda i: self._place(i).of(whole[i]), len(self._chosen))

    def walk(self, look: Callable[[Portion], T]) -> Iterator[T]:
        """``look`` at every shard, in order, by the workers."""
        n = len(self)
        places = (self._place(i, with_gold=True) for i in range(n))
        found = self._engine.map(partial(look_at, self._context.work, look), places)
        by_shard = ((place.index, result) for place, result in found)
        results = in_turn(by_shard, "counts")
        done, began = 0, time.perf_counter()
        for result, row in results:
            done, self.waited = done + 1, self.waited + time.perf_counter() - began
            self._context.metrics.write([row])
            self._context.watch(Step(f"fit {self._task}", done, n))
            yield result
            began = time.perf_counter()

    def _place(self, index: int, with_gold: bool = False) -> Place:
        documents = None if self._chosen is None else self._chosen[index]
        place = Place(index, self._task, self._sources, documents, None)
        if not with_gold or self._gold is None:
            return place
        return replace(place, gold=place.of(self._gold[index]))


def _sample(context: Context) -> list[NDArray[np.int64]] | None:
    job = context.prepared.job
    if job.fit_on is None:
        return None
    sizes = [shard["documents"] for shard in context.run.manifest["shards"]]
    return sample_documents(sizes, job.fit_on.documents, job.seed)


def _key(context: Context, task: str, names: Sequence[str], gold: Sequence[Gold] | None) -> str:
    run, job = context.run, context.prepared.job
    use = job.tasks[task].chosen_model
    notes = [context.stamps.read(run.votes_path(task, i)) or {} for i in range(run.n_shards)]
    votes = [
        [note.get("sources", {}).get(name, {}).get("sha256") for name in names] for note in notes
    ]
    return digest(
        [
            use.model_dump(),
            _model_code(use.use),
            job.seed,
            list(names),
            votes,
            [shard["sha256"] for shard in run.manifest["shards"]],
            None if gold is None else [gold_digest(one) for one in gold],
            None if job.fit_on is None else job.fit_on.documents,
        ]
    )


def _model_code(name: str) -> str:
    """The key of a model's own file, if it is a user's."""
    module = sys.modules.get(models.factory(name).__module__)
    if module is None or not module.__name__.startswith("weaklabel_job_"):
        return ""
    return content_digest(Path(inspect.getfile(module)))
