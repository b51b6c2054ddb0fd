"""spaCy's DocBin (.spacy): ents, spans["sc"], cats; the text comes back to the character."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus import Annotation, Document
from ..errors import InputError
from ..language import blank
from ..task import Task
from .files import InputFile, Source, input_files, output_file
from .placing import Placed, flat, on_tokens
from .record import Record, Written
from .registry import readers, writers

if TYPE_CHECKING:
    from spacy.tokens import Doc, DocBin

SPANS_KEY = "sc"
"""The span group that spaCy's spancat trains on."""


@readers.register("docbin")
def read_docbin(
    path: Source,
    *,
    spans_key: str = SPANS_KEY,
    multi: bool = False,
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents with spaCy's tokens; white space tokens are none here.

    spans_key: the span group to read; documents without it give their ents.
    multi: classes are all cats above 0.5, else the highest one.
    """
    for file in input_files(path, (".spacy",)):
        yield from _documents(file, spans_key, multi, layer)


def _documents(file: InputFile, spans_key: str, multi: bool, layer: str) -> Iterator[Document]:
    from spacy.tokens import DocBin

    content = file.content()
    try:
        docs = DocBin().from_bytes(content).get_docs(blank("xx").vocab)
        for number, doc in enumerate(docs):
            yield _document(doc, f"{file.name}-{number}", spans_key, multi, layer)
    except Exception as error:  # spaCy checks little of what it unpacks, so anything may come
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{file.path}: no DocBin of spaCy ({reason})") from None


def _document(doc: Doc, name: str, spans_key: str, multi: bool, layer: str) -> Document:
    real = [token for token in doc if not token.is_space]
    parted = doc.has_annotation("SENT_START")
    found = doc.spans.get(spans_key, doc.ents)
    spans: dict[str, tuple[Annotation, ...]] = {}
    if spans_key in doc.spans or doc.has_annotation("ENT_IOB"):
        spans[layer] = tuple(Annotation(s.start_char, s.end_char, s.label_) for s in found)
    classes: dict[str, tuple[str, ...]] = {}
    if doc.cats:
        best = max(doc.cats, key=lambda label: doc.cats[label])
        several = tuple(label for label, p in doc.cats.items() if p > 0.5)
        classes[layer] = several if multi else (best,)
    return Document(
        str(doc.user_data.get("id", name)),
        doc.text,
        tuple((token.idx, token.idx + len(token)) for token in real),
        tuple(i for i, token in enumerate(real) if token.is_sent_start) if parted else None,
        spans=spans,
        classes=classes,
    )


@writers.register("docbin")
def write_docbin(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    spans_key: str = SPANS_KEY,
    soft: bool = True,
    documents_per_file: int | None = None,
) -> Written:
    """A DocBin to train spaCy on: outer spans in ents, all in spans[spans_key], classes in cats.

    The group's attrs hold "scores", the probabilities. ``user_data["id"]`` is the document's id.
    soft: cats are probabilities, else 1 and 0. Documents without evidence get no cats.
    documents_per_file: the path is then a folder of such files, which ``spacy train`` reads as
        one. A DocBin is held in memory until it is written: some 200 bytes a token.
    """
    from spacy.tokens import DocBin

    kinds: set[str] = {task.kind for task in tasks.values()}
    written = Written()
    walk = iter(records)
    for number in itertools.count():
        packed = DocBin(store_user_data=True)
        for record in itertools.islice(walk, documents_per_file):
            _add(packed, record, written, kinds, spans_key, soft)
        if number and not len(packed):
            break
        target = Path(path) / f"{number:05d}.spacy" if documents_per_file else path
        with output_file(target) as out:
            out.write(packed.to_bytes())
    if documents_per_file:
        _drop_beyond(Path(path), number)
    return written


def _drop_beyond(folder: Path, count: int) -> None:
    """Files of an earlier, longer export go, for a folder is read as a whole."""
    for file in folder.glob("[0-9][0-9][0-9][0-9][0-9].spacy"):
        if int(file.stem) >= count:
            file.unlink()


def _add(
    packed: DocBin, record: Record, written: Written, kinds: set[str], spans_key: str, soft: bool
) -> None:
    from spacy.tokens import Doc

    words, spaces, index = _words(record)
    starts = {index[i] for i in record.sentence_starts}
    parted: list[Any] | None = [i in starts for i in range(len(words))] if starts else None
    doc = Doc(blank("xx").vocab, words=words, spaces=spaces, sent_starts=parted)
    doc.user_data["id"] = record.id
    if "spans" in kinds:
        placed = on_tokens(record, written)
        doc.spans[spans_key] = _spans(doc, placed, index)
        doc.spans[spans_key].attrs["scores"] = [round(s.probability, 6) for *_, s in placed]
        outer = flat(placed, len(record.tokens), Written())
        doc.set_ents(_spans(doc, outer, index), default="outside")
        written.spans += len(placed)
    if "classes" in kinds and record.chosen:
        hard = {label: float(label in record.chosen) for label in record.classes}
        doc.cats = {k: round(p, 6) for k, p in record.classes.items()} if soft else hard
    packed.add(doc)
    written.documents += 1


def _spans(doc: Doc, placed: list[Placed], index: list[int]) -> list[Any]:
    from spacy.tokens import Span

    return [Span(doc, index[a], index[b - 1] + 1, label=span.label) for a, b, span in placed]


def _words(record: Record) -> tuple[list[str], list[bool], list[int]]:
    """Words and spaces that give the record's text again, and where its tokens stand in them.

    What lies between tokens and is more than one space becomes a token, as in spaCy.
    """
    words: list[str] = []
    spaces: list[bool] = []
    index: list[int] = []
    position = 0
    for start, end in [*record.tokens, (len(record.text), len(record.text))]:
        gap = record.text[position:start]
        if words and gap.startswith(" "):
            spaces[-1] = True
            gap = gap[1:]
        if gap:
            spaced = len(gap) > 1 and gap.endswith(" ")
            words.append(gap[:-1] if spaced else gap)
            spaces.append(spaced)
        if end > start:
            index.append(len(words))
            words.append(record.text[start:end])
            spaces.append(False)
        position = end
    return words, spaces, index
