"""run.json: what was run on what. No times in it, so that equal runs have equal manifests."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from . import __version__
from .prepare import Prepared
from .stages import Work

PACKAGES = ("numpy", "scipy", "numba", "spacy", "pyarrow", "scikit-learn", "cleanlab")

EXAMPLES = 20
"""Failed documents that are listed per source; all are counted."""


def manifest(
    prepared: Prepared, input_key: str, notes: list[dict[str, Any]], limit: int | None
) -> dict[str, Any]:
    """The content of run.json when the shards are there."""
    job = prepared.job
    kept = ("documents", "tokens", "layers", "sha256")
    return {
        "versions": {"weaklabel": __version__, "python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "seed": job.seed,
        "job_folder": str(job.folder),
        "input": {"format": job.input.format, "path": job.input.path, "key": input_key},
        "input_key": input_key,
        "limit": limit,
        "shards": [{name: note[name] for name in kept} for note in notes],
        "tasks": {task: _sources(prepared, task) for task in prepared.tasks},
    }


def same_beginning(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a manifest, perhaps a finished one, begins with what a new one says."""
    tasks = {
        name: {key: facts.get(key) for key in new["tasks"].get(name, ())}
        for name, facts in old.get("tasks", {}).items()
    }
    return {**{key: old.get(key) for key in new}, "tasks": tasks} == new


def _sources(prepared: Prepared, task: str) -> dict[str, Any]:
    made = prepared.sources[task]
    return {
        "sources": [one.source.name for one in made],
        "kinds": {one.source.name: one.source.kind for one in made},
        "rounds": {one.source.name: one.round for one in made},
    }


def task_facts(work: Work, task: str, n_shards: int) -> dict[str, Any]:
    """What is known of a task when it is done: its sources, their counts, the model's warnings."""
    facts = _sources(work.prepared, task)
    names = facts["sources"]
    model = work.stamps.read(work.run.model_folder(task) / "model.json") or {}
    notes = [work.stamps.read(work.run.votes_path(task, i)) or {} for i in range(n_shards)]
    said = [note.get("sources", {}) for note in notes]
    counts = {name: _counts([one.get(name, {}) for one in said]) for name in names}
    return {**facts, "counts": counts, "warnings": model.get("warnings", [])}


def _counts(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """What happened to one source, summed over the notes of all shards."""
    total: dict[str, Any] = {"votes": 0, "misaligned": 0, "overlapping": 0, "failed": 0}
    other: dict[str, int] = {}
    examples: dict[str, str] = {}
    given_up: dict[str, str] = {}
    for i, note in enumerate(notes):
        counts = note.get("counts", {})
        for name in ("votes", "misaligned", "overlapping"):
            total[name] += counts.get(name, 0)
        failed = counts.get("failed", {})
        total["failed"] += len(failed)
        for document, reason in failed.items():
            if len(examples) < EXAMPLES:
                examples[document] = reason
        for name, count in counts.get("other", {}).items():
            other[name] = other.get(name, 0) + count
        if note.get("given_up"):
            given_up[str(i)] = note["given_up"]
    return {**total, "failures": examples, "other": other, "given_up": given_up}
