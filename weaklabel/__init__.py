"""weaklabel: weak supervision for spans and classes in one engine.

    documents -> sources -> votes -> label model -> labels -> review -> export

Names load when they are first used, so that ``import weaklabel`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apply import Applied as Applied
    from .apply import apply_sources as apply_sources
    from .corpus import Annotation as Annotation
    from .corpus import Corpus as Corpus
    from .corpus import Document as Document
    from .corpus import Shard as Shard
    from .errors import WeaklabelError as WeaklabelError
    from .labels import ClassLabels as ClassLabels
    from .labels import Reasons as Reasons
    from .labels import SpanLabels as SpanLabels
    from .models.classes import ClassModel as ClassModel
    from .models.classes_text import TextClassModel as TextClassModel
    from .models.majority import MajorityModel as MajorityModel
    from .models.spans import SpanModel as SpanModel
    from .pipeline import run_job as run_job
    from .run import Run as Run
    from .scoring import Score as Score
    from .scoring import score_spans as score_spans
    from .sources.base import Cast as Cast
    from .sources.base import Source as Source
    from .sources.editor import span_editor as span_editor
    from .sources.function import class_lf as class_lf
    from .sources.function import span_lf as span_lf
    from .sources.gazetteer import Gazetteer as Gazetteer
    from .sources.lexeme import LexemeRule as LexemeRule
    from .sources.matcher import TokenPattern as TokenPattern
    from .sources.regex import Regex as Regex
    from .task import Task as Task
    from .votes import Gold as Gold
    from .votes import Voter as Voter
    from .votes import Votes as Votes

__version__ = "0.1.0"

_HOMES = {
    "Annotation": "corpus",
    "Applied": "apply",
    "Cast": "sources.base",
    "ClassLabels": "labels",
    "ClassModel": "models.classes",
    "Corpus": "corpus",
    "Document": "corpus",
    "Gazetteer": "sources.gazetteer",
    "Gold": "votes",
    "LexemeRule": "sources.lexeme",
    "MajorityModel": "models.majority",
    "Reasons": "labels",
    "Regex": "sources.regex",
    "Run": "run",
    "Score": "scoring",
    "Shard": "corpus",
    "Source": "sources.base",
    "SpanLabels": "labels",
    "SpanModel": "models.spans",
    "Task": "task",
    "TextClassModel": "models.classes_text",
    "TokenPattern": "sources.matcher",
    "Voter": "votes",
    "Votes": "votes",
    "WeaklabelError": "errors",
    "apply_sources": "apply",
    "class_lf": "sources.function",
    "run_job": "pipeline",
    "score_spans": "scoring",
    "span_editor": "sources.editor",
    "span_lf": "sources.function",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'weaklabel' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
