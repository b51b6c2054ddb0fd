"""The run folder: what a job leaves behind, and the only place that knows where it lies.

job.yaml                                a copy of the job
run.json                                manifest: versions, seed, input, tasks, counts
shards/00000.parquet                    documents and tokens
tasks/NAME/votes/00000.parquet          what the sources said about a shard
tasks/NAME/model/                       the fitted label model
tasks/NAME/labels/00000.parquet         what the model believes
labels.jsonl, ...                       exports (labels-NAME.jsonl if there are several tasks)
report.html, report.json                what happened
review.sqlite, llm.sqlite               a reviewer's decisions, answers of LLMs
metrics.jsonl                           timings, the only thing that differs between equal runs
.done/                                  content keys of what is finished, for reruns
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, overload
from urllib.parse import quote

from .atomic import write_text
from .columns import load_labels, load_shard
from .corpus import Shard
from .errors import RunError, nearest
from .job import Job
from .labels import Labels
from .models.base import LabelModel, load_state
from .models.base import registry as models
from .remote import Mirror, is_remote
from .task import Task
from .votes import Gold, Votes

T = TypeVar("T")


class Lazy(Sequence[T], Generic[T]):
    """A sequence whose items are loaded when indexed; the last one stays in memory."""

    def __init__(self, load: Callable[[int], T], length: int) -> None:
        self._load = load
        self._length = length
        self._last: tuple[int, T] | None = None

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Lazy[T]: ...

    def __getitem__(self, index: int | slice) -> T | Lazy[T]:
        if isinstance(index, slice):
            chosen = range(self._length)[index]
            return Lazy(lambda i: self[chosen[i]], len(chosen))
        i = range(self._length)[index]
        if self._last is None or self._last[0] != i:
            self._last = (i, self._load(i))
        return self._last[1]

    def __iter__(self) -> Iterator[T]:
        return (self[i] for i in range(self._length))


class Run:
    """A run folder, for reading. Sequences over shards load one shard at a time.

    folder: the run folder. manifest: the content of run.json.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a run folder; anything else is a ``RunError``. A remote one is copied first."""
        run = cls(Mirror(str(path)).pull() if is_remote(path) else Path(path))
        if not run.manifest_path.is_file():
            raise RunError(f"{path}: no run folder (no run.json); 'weaklabel run JOB' makes one")
        return run

    @property
    def manifest_path(self) -> Path:
        """Where run.json lies."""
        return self.folder / "run.json"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json; empty while there is none."""
        try:
            content: dict[str, Any] = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RunError(f"{self.manifest_path}: cannot be read ({error})") from None
        return content

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Replace run.json; what is read from it is the same as after opening it again."""
        text = to_json(content)
        write_text(self.manifest_path, text)
        self.__dict__["manifest"] = json.loads(text)

    @cached_property
    def job(self) -> Job:
        """The job, from the copy in the folder; its paths are relative to where it stood."""
        return Job.load(self.folder / "job.yaml", folder=Path(self.manifest["job_folder"]))

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The tasks by name."""
        return self.job.to_tasks()

    @property
    def n_shards(self) -> int:
        """How many shards the corpus has."""
        return len(self.manifest.get("shards", ()))

    @cached_property
    def shards(self) -> Sequence[Shard]:
        """The corpus."""
        return Lazy(lambda i: load_shard(self.shard_path(i)), self.n_shards)

    def votes(self, task: str, *, sources: Sequence[str] | None = None) -> Sequence[Votes]:
        """What the sources said, shard by shard; of some of them, or of all that have votes."""
        self._known(task)
        names = list(sources) if sources is not None else self.sources(task)

        def load(i: int) -> Votes:
            n_tokens = self.shards[i].n_tokens if not names else None
            if n_tokens is not None:
                return Votes.build(self.tasks[task], [], n_tokens)
            return Votes.load(self.votes_path(task, i)).select_sources(names)

        return Lazy(load, self.n_shards)

    def sources(self, task: str) -> list[str]:
        """The names of the sources of a task, in the order of the job; packs are unfolded."""
        self._known(task)
        names: list[str] = self.manifest["tasks"][task]["sources"]
        return names

    def labels(self, task: str) -> Sequence[Labels]:
        """What the label model believes, shard by shard."""
        self._known(task)
        self._finished(self.labels_path(task, 0))
        return Lazy(lambda i: load_labels(self.labels_path(task, i)), self.n_shards)

    def model(self, task: str) -> LabelModel:
        """The fitted label model of a task."""
        self._known(task)
        folder = self.model_folder(task)
        self._finished(folder / "model.json")
        load_state(folder)
        model: Any = models.factory(self.job.tasks[task].chosen_model.use)
        loaded: LabelModel = model.load(folder)
        return loaded

    def gold(self, task: str) -> Sequence[Gold] | None:
        """The layer that the job names as gold, to score by; None if it names none."""
        return self.layer(task, self.job.gold)

    def layer(self, task: str, layer: str | None) -> Sequence[Gold] | None:
        """Any annotation layer as gold, shard by shard; None where it has nothing of the kind."""
        self._known(task)
        kind = self.tasks[task].kind
        if layer is None or not any(
            layer in shard["layers"][kind] for shard in self.manifest["shards"]
        ):
            return None
        return Lazy(lambda i: self.shards[i].gold(self.tasks[task], layer)[0], self.n_shards)

    def counts(self, task: str) -> dict[str, dict[str, Any]]:
        """What happened to each source, summed over shards: votes, misaligned, failed, ..."""
        self._known(task)
        counts: dict[str, dict[str, Any]] = self.manifest["tasks"][task].get("counts", {})
        return counts

    def shard_path(self, shard: int) -> Path:
        """Where a shard lies."""
        return self.folder / "shards" / f"{shard:05d}.parquet"

    def task_folder(self, task: str) -> Path:
        """Where votes, model and labels of a task lie."""
        return self.folder / "tasks" / component(task)

    def votes_path(self, task: str, shard: int) -> Path:
        """Where the votes on a shard lie."""
        return self.task_folder(task) / "votes" / f"{shard:05d}.parquet"

    def model_folder(self, task: str, stage: str = "") -> Path:
        """Where the model lies; stage "first": the one that label readers read from."""
        return self.task_folder(task) / stage / "model"

    def labels_path(self, task: str, shard: int, stage: str = "") -> Path:
        """Where the labels of a shard lie."""
        return self.task_folder(task) / stage / "labels" / f"{shard:05d}.parquet"

    def export_path(self, suffix: str, task: str) -> Path:
        """Where an export lies; a folder of one task needs no name in the file's."""
        stem = "labels" if len(self.tasks) == 1 else f"labels-{component(task)}"
        return self.folder / (stem + suffix)

    def _known(self, task: str) -> None:
        if task not in self.tasks:
            raise RunError(f"{self.folder}: no task {task!r}; {nearest(task, self.tasks)}")

    def _finished(self, path: Path) -> None:
        if not path.exists():
            raise RunError(
                f"{self.folder}: the run is not finished (no {path.relative_to(self.folder)}); "
                "'weaklabel run' goes on where it stopped"
            )


def component(name: str) -> str:
    """A name from a job file as one safe component of a path; different names stay different."""
    data = name.encode("utf-8", "surrogatepass")
    safe = quote(data, safe=" +@,=()[]'&")
    if safe.strip(". ") != safe or not safe:
        safe = "".join(f"%{byte:02X}" for byte in data)
    if len(safe) > 150:
        import hashlib

        safe = safe[:100] + "%" + hashlib.sha256(data).hexdigest()[:16]
    return safe


def to_json(content: Any) -> str:
    """JSON as all files of a run folder have it: indented, keys sorted, a line end at the end."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
