"""The line from job to report: one function per arrow, each resuming where it stopped."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from . import stages
from .atomic import write_text
from .engine_local import Engine, Failed, local_engine
from .errors import LabelModelWarning, RunError
from .formats.record import records
from .formats.registry import writers
from .job import Job, Use
from .keys import content_digest, digest, file_digest, gold_digest
from .lock import locked
from .manifest import manifest, task_facts
from .metrics import Metrics
from .prepare import Prepared, check_input, documents, prepare, resolve
from .run import Lazy, Run
from .stages import Prediction, Work
from .votes import Gold, Votes

Item = TypeVar("Item")

SUFFIXES = {"docbin": ".spacy", "conll": ".conll"}

KEPT = ("review.sqlite", "llm.sqlite", ".lock")
"""What a fresh run leaves: a person's decisions, answers that cost money."""


@dataclass(frozen=True)
class Step:
    """Progress: which stage, how much of it is done, and of how much (None: not known yet)."""

    stage: str
    done: int
    total: int | None


Watch = Callable[[Step], None]


@dataclass
class Outcome:
    """What a run did. made: files made anew, by stage; none at all if nothing had changed."""

    run: Run
    made: dict[str, int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)

    @property
    def unchanged(self) -> bool:
        """Whether everything was there already."""
        return not self.made


def run_job(
    path: Path | str,
    out: Path | str | None = None,
    *,
    fresh: bool = False,
    offline: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    watch: Watch = lambda step: None,
) -> Outcome:
    """Run a job file; what an earlier run left in the folder and is still right is kept.

    out: the run folder; by default "NAME-run" beside the job file NAME.yaml.
    """
    job = Job.load(path)
    prepared = prepare(job)
    check_input(job)
    folder = Path(out) if out is not None else default_folder(path)
    check_folder(folder)
    with locked(folder):
        if fresh:
            clear(folder)
        pipeline = Pipeline(prepared, folder, limit, workers or job.workers, offline, watch)
        return pipeline.run_all()


def default_folder(path: Path | str) -> Path:
    """Where a job is run unless another folder is given."""
    return Path(path).with_name(Path(path).stem + "-run")


def check_folder(folder: Path) -> None:
    """A run goes into a new or empty folder, or one that a run made."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; a run needs a folder")
    if folder.is_dir() and not (folder / "run.json").is_file():
        other = [p.name for p in folder.iterdir() if p.name not in ("job.yaml", ".done", *KEPT)]
        if other:
            raise RunError(f"{folder}: holds other files ({sorted(other)[0]}, ...) and no run")


def clear(folder: Path) -> None:
    """Forget an earlier run, but neither a reviewer's decisions nor the answers of LLMs."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class Pipeline:
    """The arrows over one run folder.

    prepared: the job. folder: the run folder. limit: documents to stop after.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: Path,
        limit: int | None,
        workers: int,
        offline: bool,
        watch: Watch,
    ) -> None:
        self.prepared, self.job, self.limit = prepared, prepared.job, limit
        self.folder, self.workers, self.offline, self.watch = folder, workers, offline, watch
        self.run = Run(folder)
        self.outcome = Outcome(self.run)
        self.metrics = Metrics(folder / "metrics.jsonl")

    def run_all(self) -> Outcome:
        """Every arrow, in order."""
        engine = self.engine()
        try:
            self.read(engine)
            self.vote(engine)
            for task in self.prepared.tasks:
                self.label(engine, task)
        finally:
            engine.close()
        self.finish()
        return self.outcome

    def engine(self) -> Engine:
        """What runs functions over shards."""
        if self.job.engine.use == "ray":
            from .engine_ray import ray_engine  # type: ignore[import-not-found,unused-ignore]

            engine: Engine = ray_engine(self.workers, **self.job.engine.settings)
            return engine
        return local_engine(self.workers)

    @cached_property
    def work(self) -> Work:
        """What workers get."""
        return Work(
            self.folder.absolute(), self.job.folder, digest(self.job.file.text), self.prepared
        )

    # reading

    def read(self, engine: Engine) -> None:
        """Documents -> shards; then the manifest names them."""
        key = self._input_key()
        before = self.run.manifest.get("input_key")
        write_text(self.folder / "job.yaml", self.job.file.text)
        if before != key or not self._all_shards_there():
            count = self._tokenize(engine, key)
            self._manifest(key, count)
            self._drop_beyond(count)
        else:
            self._manifest(key, self.run.n_shards)
        self._check_layers()
        self._drop_unknown()

    def _input_key(self) -> str:
        path = resolve(self.job.folder, self.job.input.path)
        files = input_digests(path)
        facts = [self.job.input.model_dump(), self.job.lang, self.job.shard_documents, self.limit]
        return digest([facts, files])

    def _all_shards_there(self) -> bool:
        paths = [self.run.shard_path(i) for i in range(self.run.n_shards)]
        return bool(paths) and all(self.work.stamps.read(path) for path in paths)

    def _tokenize(self, engine: Engine, key: str) -> int:
        from .corpus import Corpus

        corpus = Corpus(
            documents(self.job, self.limit),
            lang=self.job.lang,
            shard_documents=self.job.shard_documents,
        )
        items = ((i, digest([key, i]), batch) for i, batch in enumerate(corpus.batches()))
        count = 0
        for _item, result in engine.map(partial(stages.tokenize, self.work, self.job.lang), items):
            if isinstance(result, Failed):
                raise RunError(f"shard {_item[0]} cannot be tokenized: {result.reason}")
            count += 1
            self._did("read", result)
            self.watch(Step("read", count, None))
        return count

    def _manifest(self, key: str, count: int) -> None:
        notes = [self.work.stamps.read(self.run.shard_path(i)) for i in range(count)]
        self.run.write_manifest(
            manifest(self.prepared, key, [note for note in notes if note], self.limit)
        )

    def _check_layers(self) -> None:
        for name in ("gold", "anchors"):
            layer = getattr(self.job, name)
            known = sorted(
                {
                    x
                    for shard in self.run.manifest["shards"]
                    for y in shard["layers"].values()
                    for x in y
                }
            )
            if layer is not None and layer not in known:
                self.job.fail((name,), f"no document has a layer {layer!r}; there are: {known}")

    def _drop_beyond(self, count: int) -> None:
        """Shards of an earlier, longer input go, and all that was made of them."""
        for folder in (self.folder, self.folder / ".done"):
            for path in folder.glob("**/[0-9]*.parquet*"):
                if int(path.name.partition(".")[0]) >= count:
                    path.unlink()

    def _drop_unknown(self) -> None:
        """Tasks and sources that the job no longer has go."""
        tasks = {self.run.task_folder(t).name: t for t in self.prepared.tasks}
        for folder in _folders(self.folder / "tasks"):
            if folder.name not in tasks:
                self._remove(folder)
                continue
            task = tasks[folder.name]
            names = [made.source.name for made in self.prepared.sources[task]]
            known = {self.run.votes_path(task, name, 0).parent.name for name in names}
            for source in _folders(folder / "votes"):
                if source.name not in known:
                    self._remove(source)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder)
        shutil.rmtree(self.folder / ".done" / folder.relative_to(self.folder), ignore_errors=True)

    # voting

    def vote(self, engine: Engine) -> None:
        """Shards -> votes, of all sources but those that read labels."""
        here = local_engine(1)
        self._round("documents", engine)
        self._round("bound", here)
        self._round("votes", engine)

    def _round(self, name: str, engine: Engine) -> None:
        made = list(stages.round_of(self.prepared, name))
        if not made:
            return
        waiting = [
            (i, name)
            for i in range(self.run.n_shards)
            if any(self._stale(task, one, i) for task, one in made)
        ]
        function = partial(stages.cast_votes, self.work)
        done, total = self.run.n_shards - len(waiting), self.run.n_shards
        while waiting:
            failed = []
            for item, result in engine.map(function, waiting):
                if isinstance(result, Failed):
                    self._give_up(item, result)
                    failed.append(item)
                    continue
                done += 1
                self._did("votes", result)
                self.watch(Step(f"votes ({name})" if name != "documents" else "votes", done, total))
            waiting = failed

    def _stale(self, task: str, made: Any, index: int) -> bool:
        key = stages.votes_key(self.work, task, made, index)
        path = self.run.votes_path(task, made.source.name, index)
        return self.work.stamps.read(path, key) is None

    def _give_up(self, item: tuple[int, str], failed: Failed) -> None:
        if self.job.on_error == "stop":
            raise RunError(
                f"shard {item[0]}: given up after {failed.attempts} attempts: {failed.reason}; "
                "with 'on_error: skip' the run goes on without it"
            )
        task, source = stages.give_up(self.work, item, failed.reason)
        self.outcome.given_up.append(f"source {source!r} of {task!r} on shard {item[0]}")

    # labels

    def label(self, engine: Engine, task: str) -> None:
        """Votes -> label model -> labels; twice if there are sources that read labels."""
        names = [made.source.name for made in self.prepared.sources[task]]
        readers = [
            made.source.name
            for made in self.prepared.sources[task]
            if stages.kind_of(made.source) == "labels"
        ]
        if readers:
            first = [name for name in names if name not in readers]
            self._fit_and_predict(engine, task, "first", first)
            self._round("labels", engine)
        self._fit_and_predict(engine, task, "", names)

    def _fit_and_predict(self, engine: Engine, task: str, stage: str, names: Sequence[str]) -> None:
        gold = self._gold(task)
        sha = self._fit(task, stage, names, gold)
        items = [
            Prediction(i, task, stage, tuple(names), sha, None if gold is None else gold[i])
            for i in range(self.run.n_shards)
        ]
        for done, (item, result) in enumerate(
            engine.map(partial(stages.predict, self.work), items)
        ):
            if isinstance(result, Failed):
                raise RunError(f"shard {item.index}: no labels: {result.reason}")
            self._did("labels", result)
            self.watch(Step(f"labels of {task}", done + 1, len(items)))

    def _fit(self, task: str, stage: str, names: Sequence[str], gold: Sequence[Gold] | None) -> str:
        """Fit the model, unless the one that is there came from the same votes; its digest."""
        path = self.run.model_folder(task, stage) / "model.json"
        key = self._fit_key(task, names, gold)
        note = self.work.stamps.read(path, key)
        if note is None:
            self.watch(Step(f"fit {task}", 0, 1))
            note = self._fit_now(task, path, key, names, gold)
            self.watch(Step(f"fit {task}", 1, 1))
        return str(note["sha256"])

    def _fit_now(
        self, task: str, path: Path, key: str, names: Sequence[str], gold: Sequence[Gold] | None
    ) -> dict[str, Any]:
        model = self.prepared.model(task)
        votes, texts, known = self._fit_data(task, names, gold)
        with self.metrics.timed("fit", task=task), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", LabelModelWarning)
            model.fit(votes, texts=texts, gold=known)
        said = [str(w.message) for w in caught if issubclass(w.category, LabelModelWarning)]
        self.work.stamps.clear(path)
        model.save(path.parent)
        self.outcome.made["model"] = self.outcome.made.get("model", 0) + 1
        arrays = file_digest(path.parent / "model.npz")
        return self.work.stamps.write(path, key, arrays=arrays, warnings=said)

    def _fit_key(self, task: str, names: Sequence[str], gold: Sequence[Gold] | None) -> str:
        spec = self.job.tasks[task]
        shas = [
            [self.work.stamps.read(self.run.votes_path(task, name, i)) or {} for name in names]
            for i in range(self.run.n_shards)
        ]
        facts: list[Any] = [spec.chosen_model.model_dump(), self.job.seed, list(names)]
        facts.append([[note.get("sha256") for note in row] for row in shas])
        facts.append([shard["sha256"] for shard in self.run.manifest["shards"]])
        facts.append(None if gold is None else [gold_digest(one) for one in gold])
        facts.append(None if self.job.fit_on is None else self.job.fit_on.documents)
        return digest(facts)

    def _fit_data(
        self, task: str, names: Sequence[str], gold: Sequence[Gold] | None
    ) -> tuple[Sequence[Votes], Any, Any]:
        votes = self.run.votes(task, sources=names)
        if self.job.fit_on is None:
            return votes, self.run.shards, gold
        from .sample import sample_documents

        chosen = sample_documents(
            [shard["documents"] for shard in self.run.manifest["shards"]],
            self.job.fit_on.documents,
            self.job.seed,
        )
        n = len(chosen)
        return (
            Lazy(lambda i: votes[i].select_documents(chosen[i]), n),
            Lazy(lambda i: self.run.shards[i].select_documents(chosen[i]), n),
            gold and Lazy(lambda i: gold[i].select_documents(chosen[i]), n),
        )

    def _gold(self, task: str) -> Sequence[Gold] | None:
        """What anchors the fit: the layer that the job names, and a reviewer's decisions."""
        layer = self.run.layer(task, self.job.anchors)
        decided = self._decided(task)
        if layer is None or decided is None:
            return decided if layer is None else layer
        return Lazy(lambda i: layer[i].updated(decided[i]), self.run.n_shards)

    def _decided(self, task: str) -> Sequence[Gold] | None:
        if not (self.folder / "review.sqlite").exists():
            return None
        from .review.store import decided_gold

        decided: Sequence[Gold] = decided_gold(self.folder, task, self.run.shards)
        return decided

    # what is left behind

    def finish(self) -> None:
        """Labels -> exports, manifest, report."""
        for task in self.prepared.tasks:
            for output in self.job.output:
                self._export(task, output)
        facts = {
            task: task_facts(self.work, task, self.run.n_shards) for task in self.prepared.tasks
        }
        self.run.write_manifest(
            {**self.run.manifest, "tasks": facts, "given_up": self.outcome.given_up}
        )

    def _export(self, task: str, output: Use) -> None:
        path = self.run.export_path(SUFFIXES.get(output.use, f".{output.use}"), task)
        shas = [
            (self.work.stamps.read(self.run.labels_path(task, i)) or {}).get("sha256")
            for i in range(self.run.n_shards)
        ]
        shards = [shard["sha256"] for shard in self.run.manifest["shards"]]
        key = digest([output.model_dump(), shas, shards])
        if self.work.stamps.read(path, key):
            return
        self.watch(Step(f"export {path.name}", 0, 1))
        self.work.stamps.clear(path)
        with self.metrics.timed("export", task=task, format=output.use):
            written = export(self.run, [task], output, path)
        self.work.stamps.write(path, key, left_out=written.left_out)
        self.outcome.made["export"] = self.outcome.made.get("export", 0) + 1
        self.watch(Step(f"export {path.name}", 1, 1))

    def _did(self, stage: str, metrics: list[stages.Metric]) -> None:
        self.metrics.write(metrics)
        if metrics:
            self.outcome.made[stage] = self.outcome.made.get(stage, 0) + len(metrics)


def export(run: Run, tasks: Sequence[str], output: Use, path: Path | str) -> Any:
    """Write the labels of tasks in a format, one shard in memory at a time."""
    labels = {task: run.labels(task) for task in tasks}

    def stream() -> Iterator[Any]:
        for i, shard in enumerate(run.shards):
            yield from records(shard, {task: labels[task][i] for task in tasks})

    wanted = {task: run.tasks[task] for task in tasks}
    return writers.factory(output.use)(path, stream(), wanted, **output.settings)


def input_digests(path: str) -> list[tuple[str, str]]:
    """Name and digest of every file of an input: a path, a folder or a glob."""
    from .formats.files import input_files

    if "://" not in path and Path(path).exists():
        return [(Path(path).name, content_digest(Path(path)))]
    return [
        (file.path, digest(str(file.filesystem.checksum(file.path)))) for file in input_files(path)
    ]


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
