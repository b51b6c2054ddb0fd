"""The gazetteer source: which names, under which labels and case rule, and where it is kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...atoms import atomize
from ...corpus import Shard
from ...errors import RunError, SourceError, nearest
from ...votes import SourceKind
from ..base import Cast, registry
from ..lists import read_names
from .trie import Trie

Case = Literal["exact", "insensitive", "variants"]
CASES = ("exact", "insensitive", "variants")


def default_cache() -> Path:
    """Where compiled lists are kept unless a source says otherwise."""
    given = os.environ.get("WEAKLABEL_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weaklabel"


def split_words(lang: str) -> dict[str, str]:
    """Words that a language's tokenizer splits between letters, such as "don't" -> "do n't"."""
    from spacy.attrs import ORTH

    from ...language import blank

    rules = getattr(blank(lang).tokenizer, "rules", None) or {}
    pieces = {word: [token[ORTH] for token in tokens] for word, tokens in rules.items()}
    return {
        word: " ".join(parts)
        for word, parts in pieces.items()
        if any(a[-1:].isalpha() and b[:1].isalpha() for a, b in pairwise(parts))
    }


def _paths(files: Any, label: str | None = None) -> Iterator[tuple[str | None, Path]]:
    if isinstance(files, str | Path):
        yield label, Path(files)
    elif isinstance(files, Mapping):
        for key, value in files.items():
            yield from _paths(value, key)
    else:
        for value in files:
            yield from _paths(value, label)


def _pairs(
    names: Iterable[str] | Mapping[str, Iterable[str]],
) -> Iterator[tuple[str | None, str]]:
    if isinstance(names, Mapping):
        for label, values in names.items():
            yield from ((label, value) for value in values)
    else:
        yield from ((None, value) for value in names)


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _title(name: str) -> str:
    """Each word with one capital; unlike ``str.title`` not after an apostrophe."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in name.split())


@registry.register("gazetteer")
class Gazetteer:
    """Names from lists, the leftmost longest first; several labels, millions of names.

    files: a path or several, or label -> paths: text (a name a line), JSON (a list, or label ->
        names), CSV or TSV (``column``), each also ``.gz``; UTF-8, or Latin-1 where it is not valid.
    names: strings, or label -> strings.
    label: of the names whose list does not say. relabel: what a file's own labels are called in
        the task, such as {COMPANY: ORG}; labels not in it stay.
    case: "exact"; "insensitive"; or "variants": as listed, in UPPER CASE, and in Title Case.
    lang: whose tokenizer splits words such as "don't".
    min_characters: shorter names are left out. exclude: names, whatever their case, left out.
    cache: folder of compiled lists, addressed by content; by default $WEAKLABEL_CACHE, else
        weaklabel in the user's cache folder.
    """

    def __init__(
        self,
        name: str,
        *,
        files: str | Path | Sequence[str | Path] | Mapping[str, Any] = (),
        names: Iterable[str] | Mapping[str, Iterable[str]] = (),
        label: str | None = None,
        relabel: Mapping[str, str] | None = None,
        case: Case = "exact",
        min_characters: int = 1,
        exclude: Iterable[str] = (),
        column: str | int | None = None,
        encoding: str | None = None,
        lang: str = "en",
        kind: SourceKind = "spotter",
        group: str | None = None,
        cache: str | Path | None = None,
    ) -> None:
        if case not in CASES:
            raise SourceError(f"gazetteer {name!r}: case is {case!r}; {nearest(case, CASES)}")
        self.name, self.kind, self.group = name, kind, group
        self.case, self.min_characters = case, min_characters
        self.label, self.relabel = label, dict(relabel or {})
        self.column, self.encoding, self.lang = column, encoding, lang
        self.files = list(_paths(files))
        self.names = list(_pairs(names))
        self.exclude = frozenset(_key(word) for word in exclude)
        self.cache = Path(cache) if cache is not None else default_cache()
        self.fingerprint = self._fingerprint()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the lists have names for."""
        return self.trie.label_names

    @cached_property
    def trie(self) -> Trie:
        """The compiled names: mapped from the cache, or compiled and put there."""
        path = self.cache / f"gazetteer-{self.fingerprint}.trie"
        if path.exists():
            try:
                return Trie.map(path)
            except SourceError:
                pass  # a damaged cache file is made anew
        trie = self._compile()
        try:
            trie.save(path)
            return Trie.map(path)
        except RunError:
            return trie  # nowhere to keep it: compiled again next time

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "trie"}

    def __len__(self) -> int:
        return int((np.diff(self.trie.first_label) > 0).sum())

    def __call__(self, shard: Shard) -> Cast:
        """The names in the shard."""
        return Cast.of(self.labels, *self.trie.find(shard, fold=self.case == "insensitive"))

    def _fingerprint(self) -> str:
        """Everything that decides what is compiled, as a hash: file contents, names, settings."""
        digest = hashlib.blake2b(digest_size=16)
        settings = [
            *(self.case, self.min_characters, self.label, self.relabel, self.column),
            *(self.encoding, self.lang, sorted(self.exclude), self.names),
        ]
        digest.update(json.dumps(settings).encode("utf-8", "surrogatepass"))
        for label, path in self.files:
            try:
                content = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
            except OSError as error:
                raise SourceError(
                    f"gazetteer {self.name!r}: cannot read {path}: {error.strerror}"
                ) from None
            digest.update(json.dumps([label, path.suffixes[-2:], content]).encode())
        return digest.hexdigest()

    def _compile(self) -> Trie:
        labels: dict[str, int] = {}
        ids: list[int] = []
        names: list[str] = []
        splits = split_words(self.lang)
        for label, name in self._all_names():
            words = " ".join(name.split())
            if len(words) < self.min_characters or (self.exclude and _key(words) in self.exclude):
                continue
            for form in self._forms(words, splits):
                names.append(form)
                ids.append(labels.setdefault(label, len(labels)))
        atoms = atomize(names, fold=self.case == "insensitive")
        return Trie.build(tuple(labels), atoms, np.asarray(ids, dtype=np.int32))

    def _forms(self, name: str, splits: Mapping[str, str]) -> Iterator[str]:
        yield name
        if self.case == "variants":
            yield name.upper()
            yield _title(name)
        if any(word in splits for word in name.split()):
            yield " ".join(splits.get(word, word) for word in name.split())

    def _all_names(self) -> Iterator[tuple[str, str]]:
        for given, path in self.files:
            for own, name in read_names(path, encoding=self.encoding, column=self.column):
                yield self._label(given or own, str(path)), name
        for given, name in self.names:
            yield self._label(given, "names"), name

    def _label(self, label: str | None, where: str) -> str:
        label = label or self.label
        if label is None:
            raise SourceError(f"gazetteer {self.name!r}: {where} gives no label; set 'label'")
        return self.relabel.get(label, label)
