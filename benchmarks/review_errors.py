"""Finding wrong labels, against cleanlab's own score on the same probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaklabel.corpus import Shard
from weaklabel.formats.conll import read_conll
from weaklabel.formats.wrench import read_wrench, splits
from weaklabel.labels import ClassLabels
from weaklabel.models.base import registry
from weaklabel.models.windows import token_features
from weaklabel.review.class_review import class_quality, stacked
from weaklabel.review.flags import entity_quality, token_quality
from weaklabel.review.tags import Spans, spans_of, tags_of
from weaklabel.review.text_model import out_of_fold_texts
from weaklabel.review.token_model import TokenModel, fold_of
from weaklabel.task import Task
from weaklabel.votes import Votes

from .results import Figure

Floats = NDArray[np.float64]
TASK = Task("spans", ("PER", "LOC", "ORG", "MISC"))
FLAGS = 309
FLIPPED = 0.1


def conll_figures(folder: Path, quick: bool) -> list[Figure]:
    """The published test labels of CoNLL-2003; CoNLL++ says which are wrong."""
    home = folder / "conll2003"
    names = ("test.txt",) if quick else ("train.txt", "valid.txt", "test.txt")
    documents = [
        (f"{name}:{document.id}", document)
        for name in names
        for document in read_conll(home / name)
    ]
    shard = Shard.from_documents(document for _, document in documents)
    tags = _tags(shard)
    corrected = _tags(Shard.from_documents(read_conll(home / "conllpp_test.txt")))
    test = slice(len(tags) - len(corrected), None)
    wrong = tags[test] != corrected
    fold = np.repeat(fold_of([name for name, _ in documents]), shard.n_tokens)
    features = token_features(shard)
    probabilities = (
        TokenModel()
        .fit(features, np.eye(1 + 2 * len(TASK.labels))[tags], fold)
        .predict(features, fold)
    )
    given = spans_of(tags, shard.indptr)
    found = spans_of(probabilities.argmax(axis=1), shard.indptr)
    quality = token_quality(tags, probabilities, shard.indptr)
    ours = 1 - entity_quality(quality, tags, given, found)[test]
    theirs = 1 - probabilities[np.arange(len(tags)), tags][test]
    margin = 1 - quality[test]
    rows = []
    for name, score in (("auprc", _auprc), (f"precision-at-{FLAGS}", _precision)):
        mine, peer, second = (score(wrong, s) for s in (ours, theirs, margin))
        figure = f"review-conllpp-token-{name}"
        rows.append(Figure(figure, mine, "", peer, mine > peer, "cleanlab, self confidence", peer))
        rows.append(
            Figure(
                f"{figure}-over-margin", mine, "", second, mine > second, "cleanlab, margin", second
            )
        )
    return rows


def _tags(shard: Shard) -> NDArray[np.int64]:
    gold, _ = shard.gold(TASK)
    base = shard.indptr[gold.document]
    spans = Spans(base + gold.start, base + gold.end, gold.label.astype(np.int64))
    return tags_of(spans, len(shard.starts))


def class_figures(folder: Path, quick: bool, seed: int = 0) -> list[Figure]:
    """A tenth of the labels flipped; the votes of the sources speak where the text model errs."""
    return [
        _flipped(folder / "wrench" / name, seed, 1500 if quick else None)
        for name in ("agnews", "trec")
    ]


def _flipped(folder: Path, seed: int, most: int | None) -> Figure:
    parts = [read_wrench(folder, split) for split in splits(folder)]
    votes = Votes.concatenate([part.votes for part in parts])
    texts = [document.text for part in parts for document in part.documents]
    truth = np.full(len(texts), -1, dtype=np.int64)
    offset = 0
    for part in parts:
        truth[offset + part.gold.document] = part.gold.label
        offset += len(part.documents)
    known = np.flatnonzero(truth >= 0)
    random = np.random.default_rng(seed)
    if most is not None:
        known = np.sort(random.permutation(known)[:most])
    votes, texts, truth = votes.select_documents(known), [texts[d] for d in known], truth[known]
    n_labels = len(votes.task.labels)
    wrong = random.random(len(truth)) < FLIPPED
    given = np.where(wrong, (truth + random.integers(1, n_labels, len(truth))) % n_labels, truth)
    probabilities = out_of_fold_texts(texts, given, n_labels)
    labels = registry.make("classes").fit(votes).predict(votes)
    assert isinstance(labels, ClassLabels)
    theirs = 1 - probabilities[np.arange(len(given)), given]
    ours = 1 - class_quality(given, stacked(given, [probabilities, labels.probability]))
    mine, peer = _auprc(wrong, ours), _auprc(wrong, theirs)
    name = f"review-{folder.name}-flipped-auprc"
    return Figure(name, mine, "", peer, mine > peer, "cleanlab, self confidence", peer)


def _auprc(wrong: NDArray[np.bool_], score: Floats) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wrong, score))


def _precision(wrong: NDArray[np.bool_], score: Floats) -> float:
    return float(wrong[np.argsort(-score, kind="stable")[:FLAGS]].mean())
