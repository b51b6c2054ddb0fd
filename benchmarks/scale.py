"""``python -m benchmarks scale``: jobs that outgrow memory and one machine.

The corpus is CoNLL-2003 sentences recombined by ``benchmarks.generator``; the job is the newswire
pack. Memory is the sum over all processes of the job, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.apply import apply_sources
from weaklabel.corpus import Shard
from weaklabel.errors import InputError, nearest
from weaklabel.job import Job
from weaklabel.metrics import Metrics
from weaklabel.models.base import registry
from weaklabel.prepare import documents
from weaklabel.task import Task
from weaklabel.votes import Votes

from .generator import SENTENCES_PER_DOCUMENT, Generator
from .results import Figure, print_table, write_json

LABELS = ("PER", "LOC", "ORG", "MISC")
DOCUMENTS_PER_FILE = 5_000
WARM_UP = 50


@dataclass(frozen=True)
class Sizes:
    """How large the benchmark is."""

    tokens: int
    same_bytes_tokens: int
    fit_tokens: tuple[int, ...]
    kill_tokens: int
    kills: int
    class_documents: int


FULL = Sizes(
    tokens=20_000_000,
    same_bytes_tokens=20_000_000,
    fit_tokens=(100_000, 1_000_000, 10_000_000, 100_000_000),
    kill_tokens=500_000,
    kills=30,
    class_documents=10_000_000,
)
QUICK = Sizes(
    tokens=100_000,
    same_bytes_tokens=30_000,
    fit_tokens=(10_000, 50_000),
    kill_tokens=30_000,
    kills=1,
    class_documents=100_000,
)


def main(arguments: list[str]) -> int:
    """Run the parts, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="small sizes, within a minute or so")
    parser.add_argument("--parts", help=f"comma-separated, of {', '.join(PARTS)}; all if left out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    train = options.data / "conll2003" / "train.txt"
    if not train.is_file():
        raise InputError(f"--data: {train} does not exist; the folder should hold conll2003/")
    sizes = QUICK if options.quick else FULL
    generator = Generator.from_conll(train)
    names = (options.parts or ",".join(PARTS)).split(",")
    for name in names:
        if name not in PARTS:
            raise InputError(f"--parts: no part {name!r}; {nearest(name, PARTS)}")
    rows = _kept(options.json) if options.parts else {}
    for name in names:
        print(f"scale: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            rows |= {row.figure: row for row in PARTS[name](generator, sizes, Path(folder))}
        write_json(options.json, list(rows.values()))
    print_table(list(rows.values()))
    return 0


def _kept(path: Path | None) -> dict[str, Figure]:
    """The figures of other parts, which a run of some parts leaves as they are."""
    if path is None or not path.exists():
        return {}
    return {row["figure"]: Figure(**row) for row in json.loads(path.read_text("utf-8"))}


def throughput(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Raw text to labels on two cores: tokens a second, and memory of all processes."""
    write_corpus(generator, sizes.tokens, folder / "in")
    job = write_job(folder, "local", 2)
    seconds, rss = watched(["run", str(job), "--out", str(folder / "run")])
    tokens = run_tokens(folder / "run")
    rate = tokens / seconds
    prefix = "raw_text_to_labels"
    return [
        at_most("peak_rss_all_processes", rss, "MiB", 2048),
        at_least(prefix, rate, "tokens/s", 400_000),
        Figure(f"{prefix}_size", tokens, "tokens"),
        Figure(f"{prefix}_documents", len(labelled_ids(folder / "run")), "documents"),
        *(Figure(f"{prefix}_{k}", v, "s") for k, v in shares(folder, job).items()),
    ]


def shares(folder: Path, job: Path) -> dict[str, float]:
    """Seconds of the workers, and of what only the driver does."""
    rows = Metrics(folder / "run" / "metrics.jsonl").read()
    total: dict[str, float] = {}
    for row in rows:
        total[row["stage"]] = total.get(row["stage"], 0.0) + row.get("seconds", 0.0)
    spread = sum(total[stage] for stage in ("tokenize", "votes", "count", "predict"))
    return {
        "by_the_workers": spread,
        "read_by_the_driver": timed(lambda: deque(documents(Job.load(job)), maxlen=0)),
        "fit_by_the_driver": total["fit"],
        "joined_by_the_driver": timed(
            lambda: shutil.copyfile(folder / "run" / "labels.jsonl", folder / "copy")
        ),
        "report_by_the_driver": total["report"],
    }


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def same_bytes(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """One worker, two workers, Ray: the same bytes, and what Ray costs (the better of two runs)."""
    write_corpus(generator, sizes.same_bytes_tokens, folder / "in")
    seconds: dict[str, list[float]] = {}
    digests = set()
    runs = [("one", "local", 1), *2 * (("two", "local", 2), ("ray", "ray", 2))]
    for name, engine, workers in runs:
        job = write_job(folder, engine, workers)
        took, _ = watched(["run", str(job), "--out", str(folder / name)])
        seconds.setdefault(name, []).append(took)
        digests.add(digest(folder / name))
        shutil.rmtree(folder / name)
    local, ray = min(seconds["two"]), min(seconds["ray"])
    equal = float(len(digests) == 1)
    ratio = ray / local
    start = ray_start()
    return [
        at_least("identical_bytes_local1_local2_ray2", equal, "1 = yes", 1),
        Figure("ray2_seconds_over_local2", ratio, "x", 1.3, ratio <= 1.3, "local 2", local),
        Figure("ray_start_and_stop", start, "s"),
    ]


def kills(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Driver and workers killed at random; every end must look as if nothing had happened.

    A run that ends before it could be killed is compared, and a new one begun.
    """
    write_corpus(generator, sizes.kill_tokens, folder / "in")
    job = write_job(folder, "local", 2)
    seconds, _ = watched(["run", str(job), "--out", str(folder / "calm")])
    calm = digest(folder / "calm"), sorted(labelled_ids(folder / "calm"))
    rng = random.Random(0)
    out, wrong, lost, killed = folder / "rough", 0, 0, 0
    arguments = ["run", str(job), "--out", str(out)]
    while True:
        if killed < sizes.kills and kill_once(arguments, rng.uniform(0.3, seconds), killed % 2):
            killed += 1
            continue
        watched(arguments)
        rough = sorted(labelled_ids(out))
        wrong += digest(out) != calm[0]
        lost += len(set(calm[1]) ^ set(rough)) + len(rough) - len(set(rough))
        shutil.rmtree(out)
        if killed == sizes.kills:
            break
    return [
        at_most(f"documents_lost_or_doubled_after_{killed}_kills", lost, "documents", 0),
        at_most(f"runs_with_other_bytes_after_{killed}_kills", wrong, "runs", 0),
    ]


def span_fit(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Seconds to fit the span model as the votes grow; the votes are those of the pack.

    Making and reading the votes is not counted, counting their patterns is.
    """
    rows, times = [], []
    make_votes(generator, n_documents(generator, sizes.fit_tokens[-1]), folder)
    registry.make("spans").fit(VoteShards(folder, WARM_UP))
    for tokens in sizes.fit_tokens:
        shards = VoteShards(folder, n_documents(generator, tokens))
        model = registry.make("spans")
        began = time.perf_counter()
        model.fit(shards)
        times.append(time.perf_counter() - began - shards.seconds)
        rows.append(Figure(f"span_fit_{tokens}_tokens", times[-1], "s"))
    growth = (times[-1] / times[0]) / (sizes.fit_tokens[-1] / sizes.fit_tokens[0])
    return [*rows, at_most("span_fit_growth_over_growth_of_tokens", growth, "x", 1)]


def class_fit(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Documents x 50 class sources: fit and predict, in a process of its own."""
    del generator, folder
    code = f"from benchmarks.scale import classes_once; classes_once({sizes.class_documents})"
    seconds, rss, fitted = run_python(code)
    del seconds
    return [
        at_most(f"classes_{sizes.class_documents}_documents_fit_predict", fitted, "s", 60),
        at_most(f"classes_{sizes.class_documents}_documents_peak_rss", rss, "MiB", 2048),
    ]


PARTS: dict[str, Callable[[Generator, Sizes, Path], list[Figure]]] = {
    "throughput": throughput,
    "same-bytes": same_bytes,
    "kills": kills,
    "span-fit": span_fit,
    "class-fit": class_fit,
}


def at_most(figure: str, value: float, unit: str, target: float) -> Figure:
    """A figure that should not pass its target."""
    return Figure(figure, value, unit, target, value <= target)


def at_least(figure: str, value: float, unit: str, target: float) -> Figure:
    """A figure that should reach its target."""
    return Figure(figure, value, unit, target, value >= target)


def write_corpus(generator: Generator, tokens: int, folder: Path) -> None:
    """Gzipped JSONL files of the generated documents."""
    folder.mkdir(parents=True)
    count = n_documents(generator, tokens)
    for first in range(0, count, DOCUMENTS_PER_FILE):
        path = folder / f"{first // DOCUMENTS_PER_FILE:05d}.jsonl.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
            for document in generator.documents(first, min(first + DOCUMENTS_PER_FILE, count)):
                file.write(json.dumps({"id": document.id, "text": document.text}) + "\n")


def n_documents(generator: Generator, tokens: int) -> int:
    """How many documents make so many tokens."""
    return max(1, round(tokens / (SENTENCES_PER_DOCUMENT * generator.tokens_per_sentence)))


def write_job(folder: Path, engine: str, workers: int) -> Path:
    """The job of the newswire pack."""
    path = folder / f"{engine}{workers}.yaml"
    path.write_text(
        f"input: {{format: jsonl, path: {folder}/in/*.jsonl.gz}}\n"
        f"task: spans\nlabels: [{', '.join(LABELS)}]\n"
        f"shard_documents: 1000\nengine: {engine}\nworkers: {workers}\n"
        "sources: [{use: newswire}]\nmodel: {use: spans}\noutput: [jsonl]\n"
    )
    return path


def command(arguments: Sequence[str]) -> list[str]:
    """The command line of weaklabel under this Python."""
    return [sys.executable, "-m", "weaklabel", *arguments]


def watched(arguments: Sequence[str]) -> tuple[float, float]:
    """Run weaklabel; its seconds, and the peak memory of all its processes in MiB."""
    import psutil

    began = time.perf_counter()
    process = psutil.Popen(command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(memory(p) for p in [process, *children(process)]))
        time.sleep(0.1)
    if process.returncode:
        raise InputError(f"{' '.join(arguments)}: {process.stderr.read().decode().strip()}")
    return time.perf_counter() - began, peak / 2**20


def children(process: Any) -> list[Any]:
    """All processes below one; none once it is gone."""
    import psutil

    try:
        found: list[Any] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def memory(process: Any) -> int:
    """Resident bytes of a process; 0 once it is gone."""
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def kill_once(arguments: Sequence[str], after: float, worker: int) -> bool:
    """Start a run and kill its driver, or one of its workers and then the driver; False if it had
    ended by then."""
    import psutil

    process = psutil.Popen(command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    below = [p for p in children(process) if "spawn_main" in " ".join(p.cmdline())]
    if worker and below:
        random.Random(after).choice(below).send_signal(signal.SIGKILL)
        time.sleep(0.5)
    alive = process.poll() is None
    if alive:
        process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


def digest(run: Path) -> str:
    """Of every label file of a run."""
    total = hashlib.sha256()
    for path in sorted([*run.glob("labels*.jsonl"), *run.glob("tasks/*/labels/*.parquet")]):
        total.update(path.relative_to(run).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def labelled_ids(run: Path) -> list[str]:
    """The ids of the documents in the export, in order."""
    with (run / "labels.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["id"] for line in lines]


def run_tokens(run: Path) -> int:
    """The tokens of a run."""
    manifest = json.loads((run / "run.json").read_text("utf-8"))
    return sum(shard["tokens"] for shard in manifest["shards"])


def ray_start() -> float:
    """Seconds that Ray takes to start, to call a function once, and to stop."""
    from weaklabel.engine_ray import ray_engine

    began = time.perf_counter()
    engine = ray_engine(2)
    list(engine.map(abs, [1]))
    engine.close()
    return time.perf_counter() - began


def make_votes(generator: Generator, documents: int, folder: Path) -> None:
    """The pack's votes on generated text, a file a shard."""
    firsts = range(0, documents, DOCUMENTS_PER_FILE)
    items = [(generator, first, min(first + DOCUMENTS_PER_FILE, documents)) for first in firsts]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(partial(_make_votes, folder), items, chunksize=1)


def _make_votes(folder: Path, generator: Generator, first: int, last: int) -> None:
    shard = Shard.from_documents(generator.documents(first, last))
    votes = apply_sources(shard, newswire_sources(), Task("spans", LABELS)).votes
    votes.save(folder / f"{first // DOCUMENTS_PER_FILE:05d}.parquet")


class VoteShards:
    """The votes on the first so many documents, shard by shard, read when they are asked for.

    seconds: what reading them took.
    """

    def __init__(self, folder: Path, documents: int) -> None:
        self.folder, self.documents = folder, documents
        self.seconds = 0.0

    def __len__(self) -> int:
        return -(-self.documents // DOCUMENTS_PER_FILE)

    def __iter__(self) -> Iterator[Votes]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Votes:
        if not 0 <= index < len(self):
            raise IndexError(index)
        began = time.perf_counter()
        votes = Votes.load(self.folder / f"{index:05d}.parquet")
        size = min(DOCUMENTS_PER_FILE, self.documents - index * DOCUMENTS_PER_FILE)
        if size < votes.n_documents:
            votes = votes.select_documents(np.arange(size))
        self.seconds += time.perf_counter() - began
        return votes


@cache
def newswire_sources() -> list[Any]:
    """The sources of the pack that look at documents."""
    from weaklabel.sources.base import registry as sources

    made = sources.make("newswire")
    return list(made) if isinstance(made, list | tuple) else [made]


def run_python(code: str) -> tuple[float, float, float]:
    """Run code that prints a number: seconds in all, peak MiB, and the number."""
    import resource

    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    own = json.loads(done.stdout)
    return time.perf_counter() - began, own.get("rss", peak), own["seconds"]


class ClassShards:
    """Votes of 50 sources on 10 classes from a seeded generator, shard by shard."""

    SHARD, SOURCES, CLASSES = 250_000, 50, 10

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self.task = Task("classes", tuple(f"class{k}" for k in range(self.CLASSES)))
        rng = np.random.default_rng(0)
        self.accuracy = rng.uniform(0.5, 0.9, self.SOURCES)
        self.coverage = rng.uniform(0.02, 0.2, self.SOURCES)
        self.seconds = 0.0

    def __len__(self) -> int:
        return -(-self.documents // self.SHARD)

    def __iter__(self) -> Iterator[Votes]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Votes:
        if not 0 <= index < len(self):
            raise IndexError(index)
        began = time.perf_counter()
        size = min(self.SHARD, self.documents - index * self.SHARD)
        rng = np.random.default_rng([1, index])
        truth = rng.integers(self.CLASSES, size=size)
        columns = [self._column(rng, truth, j) for j in range(self.SOURCES)]
        document, source, label = (np.concatenate(c) for c in zip(*columns, strict=True))
        votes = Votes.build(
            self.task,
            [f"source{j}" for j in range(self.SOURCES)],
            np.zeros(size, dtype=np.int32),
            document=document,
            source=source,
            label=label,
        )
        self.seconds += time.perf_counter() - began
        return votes

    def _column(
        self, rng: np.random.Generator, truth: NDArray[np.int64], source: int
    ) -> tuple[NDArray[np.int64], ...]:
        fires = np.flatnonzero(rng.random(len(truth)) < self.coverage[source])
        right = rng.random(len(fires)) < self.accuracy[source]
        other = rng.integers(self.CLASSES, size=len(fires))
        label = np.where(right, truth[fires], other)
        return fires, np.full(len(fires), source), label


def classes_once(documents: int) -> None:
    """Fit and predict; prints the seconds without the generator's, and the peak memory."""
    from .results import peak_rss_mb

    shards = ClassShards(documents)
    model = registry.make("classes")
    few = shards[0].select_documents(np.arange(100))
    registry.make("classes").fit(few).predict(few)
    shards.seconds = 0.0
    began = time.perf_counter()
    model.fit(shards)
    for votes in shards:
        model.predict(votes)
    seconds = time.perf_counter() - began - shards.seconds
    print(json.dumps({"seconds": seconds, "rss": peak_rss_mb()}))
