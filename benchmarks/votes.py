"""``python -m benchmarks votes DIR...``: label models and their peers on folders of WRENCH votes.

Gold is read for scoring only; two reference rows use it and say so: ``best-source`` (the source
with the best score on the scored split) and ``oracle`` (right wherever any source is right).
Every model runs in a process of its own, after a warm-up that compiles, so that time and memory
are its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weaklabel.class_scoring import class_scores, gold_rows
from weaklabel.corpus import Shard
from weaklabel.errors import InputError, nearest
from weaklabel.formats.wrench import read_wrench, splits
from weaklabel.labels import ClassLabels, SpanLabels
from weaklabel.models.base import registry
from weaklabel.scoring import Score, score_sets, score_spans, span_keys
from weaklabel.votes import Gold, Votes

from . import peers
from .results import peak_rss_mb, print_table, versions, write_json

SPAN_MODELS = ("majority", "majority-silence", "spans", "hmm", "skweak-hmm", "skweak-nb")
CLASS_MODELS = ("majority", "classes", "classes-text", "dawid-skene")
SPAN_PEERS = ("snorkel", "crowdkit-ds")
CLASS_PEERS = (*SPAN_PEERS, "crowdkit-majority", "crowdkit-mace", "crowdkit-glad", "crowdkit-wawa")
REFERENCES = ("best-source", "oracle")
OURS: dict[str, dict[str, Any]] = {"majority-silence": {"silence": True}}
SEEDS = (0, 1, 2)
WARM_UP = 60


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a folder: documents, votes on them, and gold for scoring."""

    name: str
    shard: Shard
    votes: Votes
    gold: Gold


def main(arguments: list[str]) -> int:
    """Parse, run every model on every folder, print and write the rows."""
    options = _parse(arguments)
    rows = []
    for folder in options.folders:
        for model in _models(folder, options.models):
            print(f"{folder.name}: {model}", file=sys.stderr, flush=True)
            rows.append(_in_own_process(folder, model, options.fit_on, options.split))
            if "error" in rows[-1]:
                print(f"{folder.name}: {model}: {rows[-1]['error']}", file=sys.stderr)
            write_json(options.json, rows)
    for task in ("spans", "classes"):
        columns = ["dataset", "model"]
        columns += ["precision", "recall", "f1"] if task == "spans" else ["accuracy", "macro_f1"]
        columns += ["brier", "ece"] if task == "classes" else []
        print_table([r for r in rows if r["task"] == task], [*columns, "fit_s", "predict_s"])
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks votes", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--models", help="comma-separated; all that fit the task if left out")
    parser.add_argument("--fit-on", choices=("all", "train", "test"), default="all")
    parser.add_argument("--split", choices=("train", "valid", "test"), default="test")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def _models(folder: Path, chosen: str | None) -> Sequence[str]:
    spans = (folder / "meta.json").is_file()
    if not splits(folder):
        raise InputError(f"{folder}: no WRENCH folder (train.json, valid.json or test.json)")
    possible = (
        (*SPAN_MODELS, *SPAN_PEERS, *REFERENCES)
        if spans
        else (*CLASS_MODELS, *CLASS_PEERS, *REFERENCES)
    )
    if chosen is None:
        return possible
    known = {*SPAN_MODELS, *CLASS_MODELS, *CLASS_PEERS, *REFERENCES, *registry.names()}
    for name in chosen.split(","):
        if name not in known:
            raise InputError(f"--models: no model {name!r}; {nearest(name, known)}")
    return [name for name in chosen.split(",") if name in possible or name in registry.names()]


def _in_own_process(folder: Path, model: str, fit_on: str, split: str) -> dict[str, Any]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, (folder, model, fit_on, split))


def run(folder: Path, model: str, fit_on: str, split: str) -> dict[str, Any]:
    """One row: fit, predict, score."""
    warnings.simplefilter("ignore")
    there = splits(folder)
    wanted = {"all": list(there), "train": ["train"], "test": [split]}[fit_on]
    for name in {split, *wanted} - set(there):
        raise InputError(f"{folder}: no {name}.json; there is {', '.join(there)}")
    read = {name: _read(folder, name) for name in {split, *wanted}}
    scored, fitted = read[split], [read[name] for name in wanted]
    row = {
        "dataset": folder.resolve().name,
        "model": model,
        "split": split,
        "fit_on": fit_on,
        "task": scored.votes.task.kind,
        "n_docs": len(scored.shard),
        "n_tokens": int(scored.shard.n_tokens.sum()),
        "n_sources": scored.votes.n_sources,
        "uses_gold": model in REFERENCES,
    }
    if model in REFERENCES:
        row |= _reference(model, scored)
    else:
        try:
            row |= _measure(model, fitted, scored)
        except Exception as error:  # a peer that breaks must not take the others with it
            row |= {"error": f"{type(error).__name__}: {error}"}
    return row | {
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "versions": versions("skweak", "snorkel", "crowd-kit"),
    }


def _read(folder: Path, name: str) -> Split:
    split = read_wrench(folder, name)
    return Split(name, split.shard(), split.votes, split.gold)


def _measure(model: str, fitted: Sequence[Split], scored: Split) -> dict[str, Any]:
    seeds = SEEDS if model in peers.RANDOM else SEEDS[:1]
    runs = [_fit_and_score(model, fitted, scored, seed) for seed in seeds]
    row: dict[str, Any] = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
    if len(runs) > 1:
        measure = "f1" if scored.votes.task.kind == "spans" else "accuracy"
        row[f"{measure}_sd"] = statistics.stdev(run[measure] for run in runs)
    return row | {"seed": list(seeds) if len(seeds) > 1 else seeds[0]}


def _fit_and_score(
    model: str, fitted: Sequence[Split], scored: Split, seed: int
) -> dict[str, float]:
    few = np.arange(min(WARM_UP, len(scored.shard)))
    _fit(model, [scored.votes.select_documents(few)], [None], seed)
    texts = [split.shard for split in fitted]
    began = time.perf_counter()
    fitted_model = _fit(model, [split.votes for split in fitted], texts, seed)
    fit_s = time.perf_counter() - began
    began = time.perf_counter()
    labels = fitted_model.predict(scored.votes, texts=scored.shard)
    predict_s = time.perf_counter() - began
    scores = (
        _span_scores(score_spans(labels, scored.gold)[""])
        if isinstance(labels, SpanLabels)
        else _class_scores(model, labels, scored.gold)
    )
    return scores | {"fit_s": fit_s, "predict_s": predict_s}


def _fit(model: str, votes: list[Votes], texts: Sequence[Shard | None], seed: int) -> Any:
    if model in peers.names():
        return peers.make(model, seed).fit(votes)
    name = "majority" if model == "majority-silence" else model
    made = registry.make(name, **OURS.get(model, {}))
    given = None if any(text is None for text in texts) else list(texts)
    return made.fit(votes, texts=given)


def _span_scores(score: Score) -> dict[str, float]:
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}


def _class_scores(model: str, labels: ClassLabels, gold: Gold) -> dict[str, float]:
    probability, truth, _ = gold_rows(labels, gold)
    return class_scores(probability, truth, expected_ties=model == "majority")


def _reference(model: str, scored: Split) -> dict[str, Any]:
    if scored.votes.task.kind == "spans":
        return _span_reference(model, scored)
    return _class_reference(model, scored)


def _span_reference(model: str, scored: Split) -> dict[str, Any]:
    votes, gold, task = scored.votes, scored.gold, scored.votes.task
    actual = span_keys(gold.document, gold.start, gold.end, gold.label)
    if model == "oracle":
        predicted = peers.oracle_keys(votes, task) & actual
        return _span_scores(score_sets(predicted, actual, ())[""])
    scores = {
        name: score_sets(peers.oracle_keys(votes.select_sources([name]), task), actual, ())[""]
        for name in votes.names
    }
    best = max(scores, key=lambda name: scores[name].f1)
    return _span_scores(scores[best]) | {"source": best}


def _class_reference(model: str, scored: Split) -> dict[str, Any]:
    matrix = scored.votes.class_matrix()[scored.gold.document]
    right = matrix == scored.gold.label[:, None]
    if model == "oracle":
        return {"accuracy": float(right.any(axis=1).mean())}
    best = int(right.sum(axis=0).argmax())
    return {"accuracy": float(right[:, best].mean()), "source": scored.votes.names[best]}
