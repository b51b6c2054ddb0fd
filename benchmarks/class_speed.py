"""The class model next to snorkel (500 epochs, as in ``votes``): seconds of a fit, and memory.

Each fit runs in a process of its own, after a warm-up on a few of the same votes. Memory is what
the process holds at its peak, votes included, in the form that each model wants.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from weaklabel.errors import MissingExtra
from weaklabel.formats.wrench import read_wrench, splits
from weaklabel.models.base import registry
from weaklabel.votes import Votes

from .results import Figure, peak_rss_mb
from .scale import ClassShards

SNORKEL = "snorkel 0.10"


def class_fits(data: Path, quick: bool) -> Iterator[Figure]:
    """semeval's votes, and a generated million of documents x 50 sources x 10 classes."""
    documents = 20_000 if quick else 1_000_000
    for name, where in (
        ("semeval", str(data / "wrench" / "semeval")),
        (f"{documents}_documents", str(documents)),
    ):
        ours, theirs = _in_own_process("ours", where), _in_own_process("snorkel", where)
        fit, rss = ours["seconds"], ours["rss"]
        their_fit, their_rss = theirs["seconds"], theirs["rss"]
        yield Figure(
            f"class_fit_{name}", fit, "s", their_fit / 50, fit <= their_fit / 50, SNORKEL, their_fit
        )
        yield Figure(
            f"class_rss_{name}", rss, "MiB", their_rss / 2, rss <= their_rss / 2, SNORKEL, their_rss
        )


def _in_own_process(who: str, where: str) -> dict[str, float]:
    code = f"from benchmarks.class_speed import fit_once; fit_once({who!r}, {where!r})"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def fit_once(who: str, where: str) -> None:
    """Fit one model on a WRENCH folder or on so many generated documents; prints the figures."""
    shards = _votes(where)
    few = shards[0].select_documents(np.arange(100))
    if who == "ours":
        registry.make("classes").fit(few)
        began = time.perf_counter()
        registry.make("classes").fit(shards)
    else:
        _snorkel(few.class_matrix().astype(np.int64), len(few.task.labels))
        parts = [shard.class_matrix() for shard in shards]
        matrix = np.concatenate(parts)
        del parts
        shards = []
        began = time.perf_counter()
        _snorkel(matrix, len(few.task.labels))
    print(json.dumps({"seconds": time.perf_counter() - began, "rss": peak_rss_mb()}))


def _votes(where: str) -> list[Votes]:
    if where.isdigit():
        return list(ClassShards(int(where)))
    return [read_wrench(where, split).votes for split in splits(where)]


def _snorkel(matrix: np.ndarray, n_classes: int) -> None:
    try:
        from snorkel.labeling.model import LabelModel
    except ImportError:
        raise MissingExtra("snorkel", "snorkel") from None
    model = LabelModel(cardinality=n_classes, verbose=False)
    model.fit(matrix, n_epochs=500, seed=0, progress_bar=False)
