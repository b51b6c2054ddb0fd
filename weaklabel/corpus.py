"""Documents in columns. A corpus is a sequence of shards; nothing needs more than one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .atoms import Atoms, atomize
from .errors import InputError
from .task import Task
from .votes import Gold

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from .key_table import KeyTable


@dataclass(frozen=True)
class Annotation:
    """A span that came with a document: characters, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Document:
    """One document as a reader yields it, before it is tokenized.

    tokens: (n, 2) character offsets of its tokens if the format gives them, else None.
    sentence_starts: indices of the tokens that begin a sentence, if the format gives them.
    fields: what else the record held (plain JSON values).
    spans: annotation layers, by name ("gold", or a column's): distant supervision, or to score by.
    classes: class layers, by name: the labels of the document.
    """

    id: str
    text: str
    tokens: tuple[tuple[int, int], ...] | None = None
    sentence_starts: tuple[int, ...] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    spans: Mapping[str, tuple[Annotation, ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_tokens(cls, id: str, sentences: Sequence[Sequence[str]], **rest: Any) -> Document:
        """A document of given tokens: spaces between them, a line a sentence."""
        offsets: list[tuple[int, int]] = []
        starts: list[int] = []
        lines: list[str] = []
        position = 0
        for sentence in sentences:
            starts.append(len(offsets))
            for token in sentence:
                offsets.append((position, position + len(token)))
                position += len(token) + 1
            lines.append(" ".join(sentence))
        text = "\n".join(lines)
        return cls(id, text, tuple(offsets), tuple(starts), **rest)


@dataclass(frozen=True, eq=False)
class Shard:
    """D documents with T tokens in columns.

    ids, texts: D strings. indptr: (D+1,) the tokens of document d are ``indptr[d]:indptr[d+1]``.
    starts, ends: (T,) character offsets in the document's text, end exclusive. White space is
        no token.
    token_ids: (T,) index into ``lexemes``, the distinct token strings of the shard.
    sentence_starts: (T,) whether a token begins a sentence; all False where nobody said.
    fields, spans, classes: per document, see ``Document``.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    indptr: NDArray[np.int64]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    token_ids: NDArray[np.int32]
    lexemes: tuple[str, ...]
    sentence_starts: NDArray[np.bool_]
    fields: tuple[Mapping[str, Any], ...]
    spans: tuple[Mapping[str, tuple[Annotation, ...]], ...]
    classes: tuple[Mapping[str, tuple[str, ...]], ...]
    lang: str = "en"

    @classmethod
    def from_documents(cls, documents: Iterable[Document], lang: str = "en") -> Shard:
        """Tokenize what has no tokens yet (spaCy's rules for the language) and lay out columns."""
        from .tokenizer import tokenize

        docs = list(documents)
        tokens = tokenize(docs, lang)
        sentences = np.zeros(len(tokens.ids), dtype=bool)
        for low, length, doc in zip(tokens.indptr, np.diff(tokens.indptr), docs, strict=False):
            if doc.sentence_starts and length:
                sentences[low + np.asarray(doc.sentence_starts)] = True
        return cls(
            tuple(doc.id for doc in docs),
            tuple(doc.text for doc in docs),
            tokens.indptr,
            tokens.starts,
            tokens.ends,
            tokens.ids,
            tokens.lexemes,
            sentences,
            tuple(doc.fields for doc in docs),
            tuple(doc.spans for doc in docs),
            tuple(doc.classes for doc in docs),
            lang,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def n_tokens(self) -> NDArray[np.int32]:
        """(D,) tokens of each document."""
        return np.diff(self.indptr).astype(np.int32)

    @cached_property
    def atoms(self) -> Atoms:
        """The atoms of each lexeme, by which names are matched."""
        return atomize(self.lexemes)

    @cached_property
    def folded_atoms(self) -> Atoms:
        """The atoms of each lexeme's case-folded form."""
        return atomize(self.lexemes, fold=True)

    def select_documents(self, documents: ArrayLike) -> Shard:
        """Some of the documents, in the order given; the lexemes stay as they are."""
        chosen = np.asarray(documents, dtype=np.int64)
        lengths = self.n_tokens[chosen].astype(np.int64)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.repeat(self.indptr[chosen] - indptr[:-1], lengths) + np.arange(indptr[-1])
        columns: dict[str, Any] = {
            name: getattr(self, name)[rows]
            for name in ("starts", "ends", "token_ids", "sentence_starts")
        }
        columns |= {
            name: tuple(getattr(self, name)[d] for d in chosen)
            for name in ("ids", "texts", "fields", "spans", "classes")
        }
        return Shard(indptr=indptr, lexemes=self.lexemes, lang=self.lang, **columns)

    def compact(self) -> Shard:
        """The same without lexemes that no token has, to be sent elsewhere."""
        used, ids = np.unique(self.token_ids, return_inverse=True)
        lexemes = tuple(self.lexemes[i] for i in used)
        return replace(self, token_ids=ids.astype(self.token_ids.dtype), lexemes=lexemes)

    def tokens(self, document: int) -> list[str]:
        """The token strings of one document."""
        low, high = self.indptr[document], self.indptr[document + 1]
        return [self.lexemes[i] for i in self.token_ids[low:high]]

    def characters(
        self, document: ArrayLike, start: ArrayLike, end: ArrayLike
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Token offsets (n,) as character offsets."""
        base = self.indptr[np.asarray(document, dtype=np.int64)]
        return self.starts[base + np.asarray(start)], self.ends[base + np.asarray(end) - 1]

    def align(
        self, document: ArrayLike, start: ArrayLike, end: ArrayLike
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
        """Character offsets (n,) as token offsets, widened to whole tokens, and which were exact.

        A span that touches no token comes back empty (start = end) and not exact.
        """
        docs = np.asarray(document, dtype=np.int64)
        first, last = np.asarray(start, dtype=np.int64), np.asarray(end, dtype=np.int64)
        base, stop = self.indptr[docs], self.indptr[docs + 1]
        low = np.searchsorted(self._end_keys, self._key(docs, first), side="right")
        high = np.searchsorted(self._start_keys, self._key(docs, last), side="left")
        low, high = np.clip(low, base, stop), np.clip(high, base, stop)
        high = np.maximum(high, low)
        full = high > low
        at, to = np.where(full, low, 0), np.where(full, high - 1, 0)
        exact = full.copy()
        if len(self.starts):
            exact &= (self.starts[at] == first) & (self.ends[to] == last)
        return (low - base).astype(np.int32), (high - base).astype(np.int32), exact

    @cached_property
    def _stride(self) -> int:
        return max((len(text) for text in self.texts), default=0) + 2

    def _key(self, document: NDArray[np.int64], offset: NDArray[Any]) -> NDArray[np.int64]:
        bounded = np.clip(offset.astype(np.int64), 0, self._stride - 1)
        return document * self._stride + bounded

    @cached_property
    def _document_of_token(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self)), self.n_tokens)

    @cached_property
    def _start_keys(self) -> NDArray[np.int64]:
        return self._key(self._document_of_token, self.starts)

    @cached_property
    def _end_keys(self) -> NDArray[np.int64]:
        return self._key(self._document_of_token, self.ends)

    def doc(self, document: int) -> Doc:
        """A spaCy ``Doc`` with exactly the shard's tokens, so that token positions are the same."""
        from .tokenizer import make_doc

        return make_doc(self, document)

    def gold(self, task: Task, layer: str = "gold") -> tuple[Gold, int]:
        """An annotation layer as ``Gold``, and how many of its spans lay off token boundaries.

        Documents without the layer are not complete. Labels outside the task are left out, for a
        layer may hold more than one task.
        """
        if task.kind == "classes":
            return self._class_gold(task, layer), 0
        columns = [
            (d, a.start, a.end, task.label_id(a.label))
            for d, spans in enumerate(self.spans)
            for a in spans.get(layer, ())
            if a.label in task.labels
        ]
        table = np.asarray(columns, dtype=np.int64).reshape(-1, 4)
        start, end, exact = self.align(table[:, 0], table[:, 1], table[:, 2])
        known = [d for d, spans in enumerate(self.spans) if layer in spans]
        gold = Gold.build(
            task,
            self.n_tokens,
            document=table[exact, 0],
            start=start[exact],
            end=end[exact],
            label=table[exact, 3],
            complete=known,
        )
        return gold, int((~exact).sum())

    def _class_gold(self, task: Task, layer: str) -> Gold:
        columns = [
            (d, task.label_id(label))
            for d, classes in enumerate(self.classes)
            for label in classes.get(layer, ())
            if label in task.labels
        ]
        table = np.asarray(columns, dtype=np.int64).reshape(-1, 2)
        return Gold.build(task, self.n_tokens, document=table[:, 0], label=table[:, 1])


class Corpus:
    """A sequence of shards that can be walked over again and again.

    documents: called for a fresh stream of documents each time the corpus is walked.
    shard_documents, shard_tokens: a shard ends at whichever of the two is reached first; tokens
        are estimated by characters, so that the cut does not depend on the tokenizer.
    """

    def __init__(
        self,
        documents: Sequence[Document] | Reread,
        *,
        lang: str = "en",
        shard_documents: int = 20_000,
        shard_characters: int = 8_000_000,
    ) -> None:
        self.documents = documents
        self.lang = lang
        self.shard_documents = shard_documents
        self.shard_characters = shard_characters

    @classmethod
    def from_texts(cls, texts: Iterable[str], *, lang: str = "en") -> Corpus:
        """A corpus of plain strings; their positions are the ids."""
        return cls([Document(str(i), text) for i, text in enumerate(texts)], lang=lang)

    def batches(self) -> Iterator[list[Document]]:
        """The documents of each shard, in order, before tokenizing."""
        batch: list[Document] = []
        size = 0
        for document in self.documents:
            batch.append(document)
            size += len(document.text)
            if len(batch) >= self.shard_documents or size >= self.shard_characters:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def __iter__(self) -> Iterator[Shard]:
        for batch in self.batches():
            yield Shard.from_documents(batch, self.lang)

    def one_shard(self) -> Shard:
        """The whole corpus as one shard, for small ones."""
        return Shard.from_documents(self.documents, self.lang)


class Reread:
    """An iterable that starts afresh each time: a reader with its arguments bound."""

    def __init__(self, read: Any, *arguments: Any, **options: Any) -> None:
        self.read, self.arguments, self.options = read, arguments, options

    def __iter__(self) -> Iterator[Document]:
        iterator: Iterator[Document] = self.read(*self.arguments, **self.options)
        return iterator


ID_BLOCK = 50_000
"""So many ids are kept as they are; of those before, 16 bytes each."""


def check_ids(documents: Iterable[Document], where: str = "input") -> Iterator[Document]:
    """The documents, as long as no id comes twice; ``where`` names them in the error.

    A repetition of an id that lies far back is found when some more documents have been read.
    """
    known: KeyTable | None = None
    block: dict[str, int] = {}
    for position, document in enumerate(documents):
        if document.id in block:
            raise _used_before(where, position, document.id)
        block[document.id] = position
        yield document
        if len(block) == ID_BLOCK:
            known = _known_with(known, block, where)
            block = {}
    if known is not None:
        _known_with(known, block, where)


def _known_with(known: KeyTable | None, block: dict[str, int], where: str) -> KeyTable:
    from .key_table import KeyTable

    table = KeyTable() if known is None else known
    ids = (identifier.encode("utf-8", "surrogatepass") for identifier in block)
    digests = b"".join(hashlib.blake2b(data, digest_size=16).digest() for data in ids)
    before = len(table)
    number = table.number(np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2).copy())
    for i in np.flatnonzero(number < before)[:1]:
        identifier, position = list(block.items())[i]
        raise _used_before(where, position, identifier)
    return table


def _used_before(where: str, position: int, identifier: str) -> InputError:
    return InputError(
        f"{where}, document {position}: id {identifier!r} was used before; ids must differ"
    )
