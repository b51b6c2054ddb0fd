"""Prompt templates for the LLM sources, usable by name: ``template: ner-strict``.

ner-strict      names only, with the borderline cases that annotation guidelines settle
ner-biomedical  diseases, chemicals, genes and the like in scientific text
ner-dialogue    chat and social media: no reliable case, typos, nicknames
topic           what a document is mainly about
sentiment       the writer's attitude, with irony and mixed feelings settled
intent          what the writer wants of the reader

All take ``labels`` with meanings and have a slot for solved examples; how to answer is added by
the source. Each is registered under the entry point group ``weaklabel.prompts``.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("ner-strict", "ner-biomedical", "ner-dialogue", "topic", "sentiment", "intent")

_FOLDER = Path(__file__).parent


def load(name: str) -> str:
    """The text of a template."""
    return (_FOLDER / f"{name}.j2").read_text(encoding="utf-8")


def __getattr__(name: str) -> str:
    if name.replace("_", "-") in NAMES:
        return load(name.replace("_", "-"))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
