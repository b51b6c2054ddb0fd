"""skweak at the tasks of the ``speed`` benchmark."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weaklabel.votes import Votes

ANSWER = "answer"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """skweak prints as it works."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def blank_tokenizer() -> Iterator[None]:
    """skweak loads a large pipeline only to tokenize names; its blank tokenizer does as well."""
    import spacy

    load = spacy.load
    spacy.load = lambda *arguments, **options: spacy.blank("en")  # type: ignore[assignment]
    try:
        yield
    finally:
        spacy.load = load


def load_gazetteer(path: Path) -> Any:
    """label -> Trie, the way skweak reads its lists."""
    from skweak.gazetteers import extract_json_data

    with quiet(), blank_tokenizer():
        return extract_json_data(str(path))


def gazetteer(tries: Any) -> Any:
    """A gazetteer annotator with skweak's defaults."""
    from skweak.gazetteers import GazetteerAnnotator

    return GazetteerAnnotator("names", tries)


def ten_sources(
    rules: Mapping[str, Any], regexes: Mapping[str, Any], lists: Mapping[str, Any]
) -> Any:
    """The ten sources as skweak annotators in one."""
    from skweak.base import CombinedAnnotator
    from skweak.gazetteers import GazetteerAnnotator, Trie
    from skweak.heuristics import RegexAnnotator, TokenConstraintAnnotator

    combined = CombinedAnnotator()
    for name, (label, holds) in rules.items():
        constraint = TokenConstraintAnnotator(
            name, lambda token, holds=holds: holds(token.text), label, min_characters=1
        )
        constraint.gap_tokens = set()
        combined.add_annotator(constraint)
    for name, (label, pattern) in regexes.items():
        combined.add_annotator(RegexAnnotator(name, pattern, label))
    for name, (label, path) in lists.items():
        data = json.loads(path.read_text(encoding="utf-8"))
        names = data if isinstance(data, list) else [n for part in data.values() for n in part]
        trie = Trie([n.split() if isinstance(n, str) else n for n in names if n])
        combined.add_annotator(GazetteerAnnotator(name, {label: trie}))
    return combined


def raw_to_labels(
    texts: Sequence[str], annotators: Any, labels: Sequence[str]
) -> tuple[int, float]:
    """(tokens, seconds) from raw text to the HMM's labels."""
    import spacy
    from skweak.generative import HMM

    nlp = spacy.blank("en")
    begin = time.process_time()
    with quiet():
        docs = list(annotators.pipe(nlp.pipe(texts)))
        model = HMM(ANSWER, list(labels))
        model.fit(docs)
        docs = list(model.pipe(docs))
    return sum(map(len, docs)), time.process_time() - begin


def fit_and_pipe(votes: Votes) -> float:
    """Seconds of HMM.fit and HMM.pipe on votes that are laid out as documents before."""
    from skweak.generative import HMM

    docs = as_docs(votes)
    begin = time.process_time()
    with quiet():
        model = HMM(ANSWER, list(votes.task.labels))
        model.fit(docs)
        for _ in model.pipe(docs):
            pass
    return time.process_time() - begin


def as_docs(votes: Votes) -> list[Any]:
    """Votes as span layers of blank documents."""
    from spacy.tokens import Doc, Span
    from spacy.vocab import Vocab

    vocab, docs = Vocab(), []
    for d in range(votes.n_documents):
        doc = Doc(vocab, words=["x"] * int(votes.n_tokens[d]))
        layers: dict[str, list[Any]] = {name: [] for name in votes.names}
        for i in range(int(votes.indptr[d]), int(votes.indptr[d + 1])):
            label = votes.task.vote_labels[votes.label[i]]
            span = Span(doc, int(votes.start[i]), int(votes.end[i]), label)
            layers[votes.names[votes.source[i]]].append(span)
        for name, spans in layers.items():
            doc.spans[name] = spans
        docs.append(doc)
    return docs
