"""The prompt sources by the names that a job uses: llm_spans, llm_classes, llm_question.

    sources:
      - use: llm_spans
        name: people
        labels: {PER: people, ORG: companies and institutions}
      - use: llm_question
        name: offers
        question: Does the message offer something for sale?
        votes: {yes: SPAM, no: HAM, unsure: null}

Settings that all three share:

    template: inline Jinja, or the name of one (see ``templates``); template_file: a file instead
    examples: a JSONL file of solved examples; or examples_layer: take the documents that have this
        annotation layer; shots: how many; choose: first, or similar to the document
    confidence: none, verbalised, logprob (of the label's tokens) or samples (several answers)
    samples: answers per document, as one soft vote; temperature: 0 for one sample, 0.7 for more
    model: another than the session's; max_tokens: of an answer
    kind: exhaustive by default: a prompt that says nothing says no. group: by default prompts to
        one model share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import JobError, nearest
from ...votes import SourceKind
from ..base import registry
from .confidence import Confidence
from .examples import Choose, ExamplePool, read_examples
from .forms import ChoiceForm, Form, SpanForm
from .prompt import PromptSource, Settings
from .templates import PromptTemplate, named_or_inline, read_template

_CONFIDENCES = ("none", "verbalised", "logprob", "samples")
Labels = Sequence[str] | Mapping[str, str]


@registry.register("llm_spans")
def llm_spans(
    *,
    name: str,
    labels: Labels,
    template: str = "ner",
    template_file: Path | str | None = None,
    examples: Path | str | None = None,
    examples_layer: str | None = None,
    shots: int = 4,
    choose: Choose = "first",
    confidence: Confidence = "none",
    samples: int = 0,
    temperature: float | None = -1.0,
    max_tokens: int = 1024,
    model: str | None = None,
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> PromptSource:
    """Ask for the mentions of some labels; the model quotes, the offsets are found.

    labels: names, or name -> what it means.
    """
    names = _names(name, "labels", labels)
    return _source(
        name,
        SpanForm(names, confidence),
        _template(name, template, template_file),
        names,
        _values(labels),
        _settings(name, confidence, samples, temperature, max_tokens, model),
        (examples, examples_layer, shots, choose),
        kind,
        group,
    )


@registry.register("llm_classes")
def llm_classes(
    *,
    name: str,
    labels: Labels,
    several: bool = False,
    abstain: str | None = "unsure",
    template: str = "classify",
    template_file: Path | str | None = None,
    examples: Path | str | None = None,
    examples_layer: str | None = None,
    shots: int = 4,
    choose: Choose = "first",
    confidence: Confidence = "none",
    samples: int = 0,
    temperature: float | None = -1.0,
    max_tokens: int = 256,
    model: str | None = None,
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> PromptSource:
    """Ask which label fits the document.

    labels: names, or name -> what it means. several: any number may fit. abstain: the answer that
    says that none can be told, or null to make the model choose.
    """
    names = _names(name, "labels", labels)
    votes: dict[str, str | None] = dict(zip(names, names, strict=True))
    if abstain is not None and not several:
        if abstain in votes:
            raise JobError(f"source {name!r}: abstain: {abstain!r} is a label; give another word")
        votes[abstain] = None
    return _source(
        name,
        ChoiceForm(names, votes, several, confidence),
        _template(name, template, template_file),
        names,
        _values(labels),
        _settings(name, confidence, samples, temperature, max_tokens, model),
        (examples, examples_layer, shots, choose),
        kind,
        group,
    )


@registry.register("llm_question")
def llm_question(
    *,
    name: str,
    votes: Mapping[Any, str | None],
    question: str = "",
    answers: Sequence[Any] | None = None,
    abstain: Sequence[Any] = (),
    template: str = "question",
    template_file: Path | str | None = None,
    examples: Path | str | None = None,
    examples_layer: str | None = None,
    shots: int = 4,
    choose: Choose = "first",
    confidence: Confidence = "none",
    samples: int = 0,
    temperature: float | None = -1.0,
    max_tokens: int = 256,
    model: str | None = None,
    kind: SourceKind = "exhaustive",
    group: str | None = None,
) -> PromptSource:
    """Ask a narrow question, and map each answer to a vote. Several questions make several sources.

    votes: answer -> label (or "!label": not it), null to abstain. abstain: answers that cast no
    vote. answers: what may be answered; those of votes and abstain if left out.
    """
    table = {_answer(key): value for key, value in votes.items()}
    table |= {_answer(key): None for key in abstain}
    allowed = [_answer(key) for key in answers] if answers is not None else list(table)
    for word in allowed:
        if word not in table:
            raise JobError(
                f"source {name!r}: votes: misses the answer {word!r}; "
                "give its label, or null to abstain"
            )
    for word in table:
        if word not in allowed:
            raise JobError(
                f"source {name!r}: votes: {word!r} is no answer; {nearest(word, allowed)}"
            )
    labels = tuple(dict.fromkeys(label for label in table.values() if label is not None))
    if not labels:
        raise JobError(f"source {name!r}: votes: every answer abstains")
    if question == "" and template == "question" and template_file is None:
        raise JobError(f"source {name!r}: question is missing")
    chosen = {word: table[word] for word in allowed}
    return _source(
        name,
        ChoiceForm(labels, chosen, confidence=confidence),
        _template(name, template, template_file),
        labels,
        {"labels": labels, "definitions": {}, "question": question, "answers": tuple(chosen)},
        _settings(name, confidence, samples, temperature, max_tokens, model),
        (examples, examples_layer, shots, choose),
        kind,
        group,
    )


def _source(
    name: str,
    form: Form,
    template: PromptTemplate,
    labels: tuple[str, ...],
    values: dict[str, Any],
    settings: Settings,
    examples: tuple[Path | str | None, str | None, int, Choose],
    kind: SourceKind,
    group: str | None,
) -> PromptSource:
    file, layer, shots, choose = examples
    pool = None
    if file is not None or layer is not None:
        where = f"source {name!r}: examples"
        if "examples" not in template.variables:
            raise JobError(f"{where}: the template has no place for them: {{% for ... examples %}}")
        if file is not None and layer is not None:
            raise JobError(f"{where}: a file and examples_layer exclude each other")
        if choose not in ("first", "similar") or shots < 1:
            raise JobError(f"source {name!r}: choose: first or similar, shots: from 1")
        known = tuple(form.votes) if isinstance(form, ChoiceForm) else labels
        solved = [] if file is None else read_examples(file, known, where)
        pool = ExamplePool(solved, shots, choose)
    return PromptSource(
        name,
        form,
        template,
        labels,
        values=values,
        settings=settings,
        pool=pool,
        layer=layer,
        kind=kind,
        group=group,
    )


def _template(name: str, template: str, file: Path | str | None) -> PromptTemplate:
    where = f"source {name!r}: template"
    if file is None:
        return PromptTemplate(named_or_inline(template, where), where)
    return PromptTemplate(read_template(file, f"{where}_file"), f"{where}_file")


def _settings(
    name: str,
    confidence: Confidence,
    samples: int,
    temperature: float | None,
    max_tokens: int,
    model: str | None,
) -> Settings:
    if confidence not in _CONFIDENCES:
        raise JobError(
            f"source {name!r}: confidence: {confidence!r}; {nearest(confidence, _CONFIDENCES)}"
        )
    count = samples or (5 if confidence == "samples" else 1)
    if count < 1 or max_tokens < 1:
        raise JobError(f"source {name!r}: samples and max_tokens must be at least 1")
    if confidence == "samples" and count < 2:
        raise JobError(f"source {name!r}: confidence: samples needs at least 2 samples")
    # -1 stands for "not given", for null is a setting: leave the temperature to the server.
    warm = (0.0 if count == 1 else 0.7) if temperature == -1.0 else temperature
    if count > 1 and warm == 0:
        raise JobError(f"source {name!r}: temperature: {count} samples at 0 are all the same")
    return Settings(model, count, warm, max_tokens, confidence)


def _names(name: str, key: str, labels: Labels) -> tuple[str, ...]:
    names = tuple(labels)
    if not names or isinstance(labels, str) or not all(isinstance(x, str) and x for x in names):
        raise JobError(f"source {name!r}: {key}: expected label names, or name: meaning")
    if len({label.casefold() for label in names}) < len(names):
        raise JobError(f"source {name!r}: {key}: two labels differ only in case, or not at all")
    return names


def _values(labels: Labels) -> dict[str, Any]:
    meanings = dict(labels) if isinstance(labels, Mapping) else {}
    known = {label: meaning for label, meaning in meanings.items() if meaning}
    return {"labels": tuple(labels), "definitions": known, "question": "", "answers": ()}


def _answer(key: Any) -> str:
    """YAML reads yes and no as truth values."""
    return {True: "yes", False: "no"}[key] if isinstance(key, bool) else str(key)
