"""``python -m benchmarks speed``: how fast, next to skweak and snorkel, in one run.

Rates and fits are in processor time of one process (the same on a busy machine), after a warm-up on
other text; start-up and first run are what a user waits for, the latter with empty compilation
caches. Text is CoNLL-2003, sentences joined to documents of twenty.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import weaklabel as wl
from weaklabel import tokenizer
from weaklabel.errors import InputError, MissingExtra
from weaklabel.formats.wrench import read_wrench
from weaklabel.models.base import registry
from weaklabel.votes import Votes

from . import speed_peers as skweak
from .class_speed import class_fits
from .results import Figure, print_table, write_json

Clock = Callable[[], float]
WALL = time.perf_counter

LABELS = ("PER", "LOC", "ORG", "MISC")
SKWEAK = "skweak 0.3"
_WARM = ["Anna Berg of Acme Corp. flew from Oslo to Rome on 3 May 1996 ."] * 50

RULES = {
    "title": ("PER", str.istitle),
    "upper": ("ORG", lambda word: word.isupper() and len(word) > 1),
    "capital": ("MISC", lambda word: word[:1].isupper()),
    "number": ("MISC", str.isdigit),
    "mixed": ("ORG", lambda word: word[:1].islower() and any(c.isupper() for c in word)),
}
REGEXES = {
    "company": ("ORG", r"[A-Z][a-z]+ (?:Inc|Corp|Ltd|Co|Plc)\b"),
    "titled": ("PER", r"(?:Mr|Mrs|Ms|Dr) [A-Z][a-z]+"),
    "place": ("LOC", r"[A-Z][a-z]+(?: City| Island| County)\b"),
}
LISTS = {"geonames": ("LOC", "geonames.json"), "first_names": ("PER", "first_names.json")}


def main(arguments: list[str]) -> int:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="less text, within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        import skweak  # noqa: F401
    except ImportError:
        raise MissingExtra("skweak", "skweak") from None
    figures = [
        *gazetteers(options.data, options.quick),
        *raw_to_labels(options.data, options.quick),
        *spans_model(options.data, options.quick),
        *class_fits(options.data, options.quick),
        *start_up(),
        first_run(options.data),
    ]
    print_table(figures)
    write_json(options.json, figures)
    return 0


def best(call: Callable[[], object], times: int = 5, clock: Clock = time.process_time) -> float:
    """Least seconds of several calls."""
    seconds = []
    for _ in range(times):
        begin = clock()
        call()
        seconds.append(clock() - begin)
    return min(seconds)


def rate(slug: str, value: float, peer: float, factor: float) -> Figure:
    """Tokens per second that should be ``factor`` times the peer's."""
    target = factor * peer
    return Figure(slug, value, "tokens/s", target, bool(value >= target), SKWEAK, peer)


def seconds(slug: str, value: float, target: float, peer: float | None = None) -> Figure:
    """Seconds that should be no more than the target."""
    name = None if peer is None else SKWEAK
    return Figure(slug, value, "s", target, bool(value <= target), name, peer)


def texts(data: Path, *files: str) -> list[str]:
    """CoNLL-2003 as running text, twenty sentences a document."""
    sentences: list[str] = []
    words: list[str] = []
    for name in files:
        path = data / "conll2003" / f"{name}.txt"
        if not path.is_file():
            raise InputError(f"{path}: no such file; --data is the folder that holds conll2003")
        for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
            word = line.split(" ")[0]
            if word and word != "-DOCSTART-":
                words.append(word)
            elif words:
                sentences.append(" ".join(words))
                words = []
    return [" ".join(sentences[i : i + 20]) for i in range(0, len(sentences), 20)]


def gazetteers(data: Path, quick: bool) -> Iterator[Figure]:
    """539 k companies: matching, mapping, compiling."""
    path = data / "gazetteers" / "skweak" / "crunchbase_companies.json.gz"
    shard = wl.Corpus.from_texts(texts(data, "train", "valid", "test")).one_shard()
    with tempfile.TemporaryDirectory() as cache:

        def make() -> wl.Gazetteer:
            source = wl.Gazetteer("companies", files=path, cache=cache)
            _ = source.trie
            return source

        wl.Gazetteer("warm", names={"X": ["Oslo"]}, cache=cache)(shard)
        compiling = best(make, 1)
        mapping = best(make)
        source = make()
        source(shard)
        matching = best(lambda: source(replace(shard)))
    begin = time.process_time()
    tries = skweak.load_gazetteer(path)
    loading = time.process_time() - begin
    annotator = skweak.gazetteer(tries)
    docs = [shard.doc(d) for d in range(0, len(shard), 20 if quick else 4)]
    theirs = sum(map(len, docs)) / best(lambda: [annotator(doc) for doc in docs], 2)
    yield rate("gazetteer_match", len(shard.token_ids) / matching, theirs, 50)
    yield seconds("gazetteer_load", mapping, loading / 5, loading)
    yield seconds("gazetteer_compile", compiling, loading, loading)


def sources(data: Path, cache: str) -> list[wl.Source]:
    """The ten sources."""
    folder = data / "gazetteers" / "skweak"
    return [
        *(wl.LexemeRule(name, label, where=test) for name, (label, test) in RULES.items()),
        *(wl.Regex(name, pattern, label) for name, (label, pattern) in REGEXES.items()),
        *(
            wl.Gazetteer(name, files={label: folder / file}, cache=cache)
            for name, (label, file) in LISTS.items()
        ),
    ]


def raw_to_labels(data: Path, quick: bool) -> Iterator[Figure]:
    """Raw text, tokens, ten sources, label model, labels."""
    task = wl.Task("spans", LABELS)
    own = texts(data, *(["test"] if quick else ["train", "valid", "test"]))
    theirs = texts(data, "test")[: 60 if quick else None]
    with tempfile.TemporaryDirectory() as cache:
        members = sources(data, cache)

        def run(documents: list[str], model: str) -> tuple[int, dict[str, float]]:
            marks = [time.process_time()]
            shard = wl.Corpus.from_texts(documents).one_shard()
            marks.append(time.process_time())
            votes = wl.apply_sources(shard, members, task).votes
            marks.append(time.process_time())
            registry.make(model).fit(votes).predict(votes)
            marks.append(time.process_time())
            steps = ("tokenize", "ten_sources", "label_model")
            return len(shard.token_ids), dict(zip(steps, np.diff(marks), strict=True))

        for model in ("spans", "majority"):
            run(_WARM, model)
        tokenizer._known_pieces.cache_clear()
        n, steps = run(own, "spans")
        _, votes_only = run(own, "majority")
    folder = data / "gazetteers" / "skweak"
    lists = {name: (label, folder / file) for name, (label, file) in LISTS.items()}
    annotators = skweak.ten_sources(RULES, REGEXES, lists)
    n_peer, peer = skweak.raw_to_labels(theirs, annotators, LABELS)
    yield rate("raw_text_to_labels", n / sum(steps.values()), n_peer / peer, 15)
    fast = steps["tokenize"] + steps["ten_sources"] + votes_only["label_model"]
    yield rate("raw_text_to_majority", n / fast, n_peer / peer, 15)
    for step, spent in steps.items():
        yield Figure(f"raw_text_to_labels_{step}", n / spent, "tokens/s")


def spans_model(data: Path, quick: bool) -> Iterator[Figure]:
    """The same votes through both label models."""
    folder = data / "wrench" / "conll03_16lf"
    parts = [
        read_wrench(folder, split).votes for split in (["test"] if quick else ["valid", "test"])
    ]
    votes = Votes.concatenate(parts)

    def run() -> None:
        registry.make("spans").fit(votes).predict(votes)

    run()
    value = best(run, 3)
    peer = skweak.fit_and_pipe(votes)
    yield seconds("spans_fit_predict", value, peer / 100, peer)


def start_up() -> Iterator[Figure]:
    """What a user waits for before anything happens."""
    code = [sys.executable, "-c"]
    bare = best(lambda: subprocess.run([*code, "pass"], check=True), clock=WALL)
    loaded = best(lambda: subprocess.run([*code, "import weaklabel"], check=True), clock=WALL)
    yield seconds("import_weaklabel", loaded - bare, 0.3)
    helping = [*code, "from weaklabel.cli import app; app(['--help'])"]
    value = best(lambda: subprocess.run(helping, check=True, stdout=subprocess.DEVNULL), clock=WALL)
    yield seconds("weaklabel_help", value, 0.6)


_FIRST = """
import sys
from pathlib import Path
from benchmarks import speed
import weaklabel as wl
data, cache = Path(sys.argv[1]), sys.argv[2]
shard = wl.Corpus.from_texts(speed.texts(data, "test")[:50]).one_shard()
task = wl.Task("spans", speed.LABELS)
votes = wl.apply_sources(shard, speed.sources(data, cache), task).votes
speed.registry.make("spans").fit(votes).predict(votes)
"""


def first_run(data: Path) -> Figure:
    """A process with nothing compiled: raw text to labels of fifty documents."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", _FIRST, str(data), cache]
        value = best(lambda: subprocess.run(command, check=True, env=environment), 1, WALL)
    return seconds("first_run", value, 20)
