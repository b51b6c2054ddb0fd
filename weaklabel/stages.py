"""What is done to one shard, in whichever process: tokenize, predict labels (votes: ``casting``).

Every function reads its input from the run folder and leaves its output there, with a note of the
key it was made from. What is already there is not made again, so each can be called twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from .columns import load_shard, save_labels, save_shard
from .corpus import Document, Shard
from .errors import RunError
from .job import Job
from .keys import Stamps, digest, gold_digest
from .labels import Labels
from .models.base import LabelModel
from .models.base import registry as models
from .prepare import Prepared, prepare
from .run import Run
from .votes import Gold, Votes

Metric = dict[str, Any]
"""One line of metrics.jsonl: stage, shard, seconds, and what was counted."""


@dataclass(frozen=True)
class Work:
    """A run folder and a job, small enough to send to another process.

    folder: the run folder. job_folder: what paths in the job are relative to. job_digest: of
    RUN/job.yaml, so that no process works on with sources of another job.
    """

    folder: Path
    job_folder: Path
    job_digest: str
    made_here: Prepared | None = field(default=None, compare=False, repr=False)

    @property
    def prepared(self) -> Prepared:
        """Sources and models, made once per process."""
        return self.made_here or _prepared(self)

    @cached_property
    def run(self) -> Run:
        """The run folder."""
        return Run(self.folder)

    @cached_property
    def stamps(self) -> Stamps:
        """Its notes."""
        return Stamps(self.folder)

    def __getstate__(self) -> dict[str, Any]:
        sent = {name: vars(self)[name] for name in self.__dataclass_fields__}
        return {**sent, "made_here": None}


@cache
def _prepared(work: Work) -> Prepared:
    return prepare(Job.load(work.folder / "job.yaml", folder=work.job_folder))


def tokenize(work: Work, lang: str, item: tuple[int, str, Sequence[Document]]) -> list[Metric]:
    """(shard, key, documents) -> shards/00000.parquet."""
    index, key, documents = item
    path = work.run.shard_path(index)
    if work.stamps.read(path, key):
        return []
    began = time.perf_counter()
    shard = Shard.from_documents(documents, lang)
    work.stamps.clear(path)
    save_shard(path, shard)
    layers = {
        "spans": sorted({layer for document in documents for layer in document.spans}),
        "classes": sorted({layer for document in documents for layer in document.classes}),
    }
    tokens = int(shard.indptr[-1])
    work.stamps.write(path, key, documents=len(shard), tokens=tokens, layers=layers)
    return [metric("tokenize", index, began, documents=len(shard), tokens=tokens)]


@dataclass(frozen=True)
class Prediction:
    """What ``predict`` needs: which shard, with whose votes, by which model, knowing what."""

    index: int
    task: str
    stage: str
    sources: tuple[str, ...]
    model_sha: str
    gold: Gold | None = None
    kept: str | None = None

    def key(self, work: Work) -> str:
        """The key of the labels."""
        run = work.run
        path = run.votes_path(self.task, self.index)
        note = work.stamps.read(path)
        if note is None:
            raise RunError(f"{path}: is gone since it was written; run again")
        votes = [note["sources"][name]["sha256"] for name in self.sources]
        known = None if self.gold is None else gold_digest(self.gold)
        shard = work.stamps.read(run.shard_path(self.index)) or {}
        return digest([self.model_sha, self.sources, votes, shard.get("sha256"), known])


def predict(work: Work, item: Prediction) -> list[Metric]:
    """Votes of one shard -> its labels."""
    stage = item.stage if item.kept is None else item.kept
    path = work.run.labels_path(item.task, item.index, stage)
    key = item.key(work)
    if work.stamps.read(path, key):
        return []
    began = time.perf_counter()
    shard = load_shard(work.run.shard_path(item.index))
    votes = Votes.load(work.run.votes_path(item.task, item.index)).select_sources(item.sources)
    model = _model(work, item.task, item.stage, item.model_sha)
    labels: Labels = model.predict(votes, texts=shard, gold=item.gold)
    work.stamps.clear(path)
    save_labels(path, labels, shard)
    work.stamps.write(path, key)
    return [metric("predict", item.index, began, task=item.task, documents=len(shard))]


@lru_cache(maxsize=2)
def _model(work: Work, task: str, stage: str, sha: str) -> LabelModel:
    use = work.prepared.job.tasks[task].chosen_model.use
    kind: Any = models.factory(use)
    loaded: LabelModel = kind.load(work.run.model_folder(task, stage))
    return loaded


def metric(stage: str, shard: int, began: float, **facts: Any) -> Metric:
    """What one stage did to one shard, since ``began``."""
    seconds = round(time.perf_counter() - began, 4)
    return {"stage": stage, "shard": shard, "seconds": seconds, **facts}
