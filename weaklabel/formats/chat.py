"""JSON lines to train language models on: chats, and preferences between two answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError
from ..task import Task
from .files import json_line, output_file
from .record import Record, RecordSpan, Written, check_labels
from .registry import joinable, writers


@writers.register("chat")
@joinable
def write_chat(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    system: str = "",
    decided: bool = True,
) -> Written:
    """OpenAI's fine-tuning format, which TRL and most trainers read: {"messages": [...]}.

    The user's message is the text, the assistant's the labels as JSON. system: instructions;
    by default they name the labels. decided: what a person decided goes before the model's.
    Documents of unknown class are left out.
    """
    check_labels(tasks.values())
    instructions = system or default_instructions(tasks)
    written = Written()
    with output_file(path) as out:
        for record in records:
            reply = answer(record, tasks, decided)
            if reply is not None:
                messages = [_says("system", instructions), _says("user", record.text)]
                out.write(json_line({"messages": [*messages, _says("assistant", reply)]}))
                written.documents += 1
                written.spans += len(record.spans)
    return written


@writers.register("preference")
@joinable
def write_preference(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    form: Literal["trl", "openai"] = "trl",
    system: str = "",
) -> Written:
    """Where a person decided otherwise than the model: their answer chosen, its own rejected.

    form: "trl": prompt, chosen, rejected; "openai": input, preferred_output,
    non_preferred_output. Documents that nobody decided, or that agree, give no line.
    """
    if form not in ("trl", "openai"):
        raise InputError(f"form: {form!r} should be trl or openai")
    check_labels(tasks.values())
    instructions = system or default_instructions(tasks)
    written = Written()
    with output_file(path) as out:
        for record in records:
            if record.decided_spans is None and record.decided_classes is None:
                continue
            chosen, rejected = answer(record, tasks, True), answer(record, tasks, False)
            if chosen is None or rejected is None or chosen == rejected:
                continue
            prompt = [_says("system", instructions), _says("user", record.text)]
            pair = [_says("assistant", chosen)], [_says("assistant", rejected)]
            row: dict[str, Any] = {"prompt": prompt, "chosen": pair[0], "rejected": pair[1]}
            if form == "openai":
                row = {
                    "input": {"messages": prompt},
                    "preferred_output": pair[0],
                    "non_preferred_output": pair[1],
                }
            out.write(json_line(row))
            written.documents += 1
            written.spans += len(record.decided_spans or ())
    return written


def default_instructions(tasks: Mapping[str, Task]) -> str:
    """What a model is asked for, from the tasks."""
    parts = []
    for task in tasks.values():
        names = ", ".join(task.labels)
        if task.kind == "spans":
            parts.append(
                f'list the entities of the text as "entities", each with its exact "quote" and '
                f'"label" ({names})'
            )
        elif task.multi:
            parts.append(f'give all labels that hold as "{task.name}" (a list of {names})')
        else:
            parts.append(f'give the one label that holds as "{task.name}" ({names})')
    return "Answer with JSON: " + "; ".join(parts) + "."


def answer(record: Record, tasks: Mapping[str, Task], decided: bool) -> str | None:
    """The labels of a record as a JSON answer; None where a class is unknown."""
    spans, chosen = record.spans, record.chosen
    if decided:
        spans = record.spans if record.decided_spans is None else record.decided_spans
        chosen = record.chosen if record.decided_classes is None else record.decided_classes
    reply: dict[str, Any] = {}
    for task in tasks.values():
        if task.kind == "spans":
            reply.setdefault("entities", [])
            reply["entities"] += [_entity(record, s) for s in spans if s.label in task.labels]
            continue
        mine = [label for label in chosen if label in task.labels]
        if not mine and not task.multi:
            return None
        reply[task.name] = mine if task.multi else mine[0]
    return json.dumps(reply, ensure_ascii=False)


def _entity(record: Record, span: RecordSpan) -> dict[str, str]:
    return {"quote": record.text[span.start : span.end], "label": span.label}


def _says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
