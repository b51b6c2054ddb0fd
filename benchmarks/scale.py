"""``python -m benchmarks scale``: jobs that outgrow memory and one machine.

The corpus is CoNLL-2003 sentences recombined by ``benchmarks.generator``; the job is the newswire
pack. Memory is the sum over all processes of the job, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard
from weaklabel.errors import InputError
from weaklabel.metrics import Metrics
from weaklabel.models.base import registry
from weaklabel.task import Task
from weaklabel.votes import Votes

from .generator import SENTENCES_PER_DOCUMENT, Generator
from .results import Figure, print_table, write_json

LABELS = ("PER", "LOC", "ORG", "MISC")
DOCUMENTS_PER_FILE = 5_000


@dataclass(frozen=True)
class Sizes:
    """How large the benchmark is."""

    tokens: int
    same_bytes_tokens: int
    fit_tokens: tuple[int, ...]
    kills: int
    class_documents: int


FULL = Sizes(20_000_000, 2_000_000, (100_000, 1_000_000, 10_000_000, 100_000_000), 30, 10_000_000)
QUICK = Sizes(100_000, 30_000, (10_000, 50_000), 1, 100_000)


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
    rows: list[Figure] = []
    for name in (options.parts or ",".join(PARTS)).split(","):
        print(f"scale: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            rows += PARTS[name](generator, sizes, Path(folder))
        write_json(options.json, rows)
    print_table(rows)
    return 0


def throughput(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Raw text to labels on two cores: tokens a second, and memory of all processes."""
    write_corpus(generator, sizes.tokens, folder / "in")
    job = write_job(folder, "local", 2)
    seconds, rss = watched(["run", str(job), "--out", str(folder / "run")])
    tokens = run_tokens(folder / "run")
    rate = tokens / seconds
    return [
        at_most("peak_rss_all_processes", rss, "MiB", 2048),
        at_least("raw_text_to_labels", rate, "tokens/s", 400_000),
        Figure("raw_text_to_labels_size", tokens, "tokens"),
        Figure("raw_text_to_labels_documents", len(labelled_ids(folder / "run")), "documents"),
        *(
            Figure(f"raw_text_to_labels_{stage}_on_the_driver", driver_seconds(folder, stage), "s")
            for stage in ("fit", "export", "report")
        ),
    ]


def driver_seconds(folder: Path, stage: str) -> float:
    """What one stage of the run took, of those that only the driver works on."""
    rows = Metrics(folder / "run" / "metrics.jsonl").read()
    return float(sum(row["seconds"] for row in rows if row["stage"] == stage))


def same_bytes(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """One worker, two workers, Ray: the same bytes, and what Ray costs."""
    write_corpus(generator, sizes.same_bytes_tokens, folder / "in")
    seconds, digests = {}, {}
    for name, engine, workers in (("one", "local", 1), ("two", "local", 2), ("ray", "ray", 2)):
        out = folder / name
        job = write_job(folder, engine, workers)
        seconds[name], _ = watched(["run", str(job), "--out", str(out)])
        digests[name] = digest(out)
    equal = float(len(set(digests.values())) == 1)
    ratio = seconds["ray"] / seconds["two"]
    start = ray_start()
    return [
        at_least("identical_bytes_local1_local2_ray2", equal, "1 = yes", 1),
        Figure(
            "ray2_seconds_over_local2", ratio, "x", 1.3, ratio <= 1.3, "local 2", seconds["two"]
        ),
        Figure("ray_start_and_stop", start, "s"),
    ]


def kills(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Driver and workers killed at random; the end must look as if nothing had happened."""
    write_corpus(generator, sizes.same_bytes_tokens, folder / "in")
    job = write_job(folder, "local", 2)
    seconds, _ = watched(["run", str(job), "--out", str(folder / "calm")])
    rng = random.Random(0)
    arguments = ["run", str(job), "--out", str(folder / "rough")]
    for number in range(sizes.kills):
        kill_once(arguments, rng.uniform(0.1, seconds * 0.6), worker=bool(number % 2))
    watched(arguments)
    calm, rough = labelled_ids(folder / "calm"), labelled_ids(folder / "rough")
    lost_or_doubled = len(set(calm) ^ set(rough)) + len(rough) - len(set(rough))
    equal = float(digest(folder / "calm") == digest(folder / "rough"))
    return [
        at_most(f"documents_lost_or_doubled_after_{sizes.kills}_kills", lost_or_doubled, "", 0),
        at_least(f"identical_bytes_after_{sizes.kills}_kills", equal, "1 = yes", 1),
    ]


def span_fit(generator: Generator, sizes: Sizes, folder: Path) -> list[Figure]:
    """Seconds to fit the span model as the votes grow; the votes are those of the pack."""
    del folder
    rows = []
    times: list[float] = []
    for tokens in sizes.fit_tokens:
        shards = VoteShards(generator, tokens)
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
        f"shard_documents: 2500\nengine: {engine}\nworkers: {workers}\n"
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


def kill_once(arguments: Sequence[str], after: float, worker: bool) -> None:
    """Start a run and kill its driver, or one of its workers (and then the driver)."""
    import psutil

    process = psutil.Popen(command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    below = [p for p in children(process) if "spawn_main" in " ".join(p.cmdline())]
    if worker and below:
        random.Random(after).choice(below).send_signal(signal.SIGKILL)
        time.sleep(0.5)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


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
    """Seconds that Ray takes to start and stop with nothing to do."""
    from weaklabel.engine_ray import ray_engine

    began = time.perf_counter()
    ray_engine(2).close()
    return time.perf_counter() - began


class VoteShards:
    """The pack's votes on generated text, shard by shard, made when they are asked for.

    seconds: what making them took, which is no part of a fit.
    """

    def __init__(self, generator: Generator, tokens: int) -> None:
        self.generator, self.count = generator, n_documents(generator, tokens)
        self.task = Task("spans", LABELS)
        self.sources = newswire_sources()
        self.seconds = 0.0

    def __len__(self) -> int:
        return -(-self.count // DOCUMENTS_PER_FILE)

    def __iter__(self) -> Iterator[Votes]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Votes:
        from weaklabel.apply import apply_sources

        if not 0 <= index < len(self):
            raise IndexError(index)
        began = time.perf_counter()
        first = index * DOCUMENTS_PER_FILE
        last = min(first + DOCUMENTS_PER_FILE, self.count)
        shard = Shard.from_documents(self.generator.documents(first, last))
        votes = apply_sources(shard, self.sources, self.task).votes
        self.seconds += time.perf_counter() - began
        return votes


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
