"""Token patterns in the syntax of spaCy's Matcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus import Shard
from ..errors import SourceError
from ..language import blank
from ..votes import SourceKind
from .base import Cast, registry
from .limits import each_document

Token = Mapping[str, Any]

_ONE_LEXEME = {
    *("ORTH", "TEXT", "LOWER", "NORM", "LENGTH", "SHAPE", "PREFIX", "SUFFIX"),
    *("IS_ALPHA", "IS_ASCII", "IS_DIGIT", "IS_LOWER", "IS_UPPER", "IS_TITLE", "IS_STOP"),
    *("IS_PUNCT", "IS_BRACKET", "IS_QUOTE", "IS_LEFT_PUNCT", "IS_RIGHT_PUNCT", "IS_CURRENCY"),
    *("LIKE_NUM", "LIKE_URL", "LIKE_EMAIL"),
}
"""What a word alone decides, so that it can be asked once per distinct lexeme."""


@registry.register("matcher")
class TokenPattern:
    """Every match of a token pattern is a span; of overlapping ones the longest stays.

    patterns: one pattern (a list of token descriptions), several, or label -> one or several;
    ``label`` is that of patterns without. Patterns on more than the word itself (tags, entities)
    find nothing, for documents here are tokenized and no more.
    """

    def __init__(
        self,
        name: str,
        patterns: Sequence[Any] | Mapping[str, Sequence[Any]],
        label: str | None = None,
        *,
        kind: SourceKind = "spotter",
        group: str | None = None,
    ) -> None:
        self.name, self.kind, self.group = name, kind, group
        self.patterns = list(_labelled(name, patterns, label))
        self.labels = tuple(dict.fromkeys(label for label, _ in self.patterns))
        for _, pattern in self.patterns:
            _matcher(name, "en", pattern)

    def __call__(self, shard: Shard) -> Cast:
        """The matches in every document that has the words for one."""
        rows: list[tuple[int, int, int, int]] = []
        failed: dict[int, str] = {}
        for label, pattern in self.patterns:
            k = self.labels.index(label)
            masks = [self._lexemes(shard, token) for token in pattern]
            if not any(mask is None for mask in masks) and not any("OP" in t for t in pattern):
                rows += ((d, a, b, k) for d, a, b in _in_line(shard, masks))
                continue
            matcher = _matcher(self.name, shard.lang, pattern)

            def look(d: int, k: int = k, matcher: Any = matcher) -> list[tuple[int, int, int, int]]:
                return [(d, a, b, k) for _, a, b in matcher(shard.doc(d)) if b > a]

            said, late = each_document(_candidates(shard, masks, pattern), look)
            rows += said
            failed |= late
        columns = list(zip(*rows, strict=True)) or [()] * 4
        return Cast.of(self.labels, *columns, failed=failed)

    def _lexemes(self, shard: Shard, token: Token) -> NDArray[np.bool_] | None:
        """(L,) which words meet the description of one token; None if the word does not decide."""
        if not set(token) - {"OP"} <= _ONE_LEXEME or not set(token) - {"OP"}:
            return None
        from spacy.tokens import Doc

        plain = {key: value for key, value in token.items() if key != "OP"}
        words = Doc(blank(shard.lang).vocab, words=list(shard.lexemes))
        meets = np.zeros(len(shard.lexemes), dtype=bool)
        meets[[a for _, a, _ in _matcher(self.name, shard.lang, [plain])(words)]] = True
        return meets


def _in_line(
    shard: Shard, masks: Sequence[NDArray[np.bool_] | None]
) -> Iterator[tuple[int, int, int]]:
    """Consecutive words of one document that meet one mask each, in order."""
    n, size = len(masks), len(shard.token_ids)
    hit = np.ones(max(size - n + 1, 0), dtype=bool)
    for i, mask in enumerate(masks):
        assert mask is not None
        hit &= mask[shard.token_ids[i : i + len(hit)]]
    at = np.flatnonzero(hit)
    document = np.searchsorted(shard.indptr, at, side="right") - 1
    inside = at + n <= shard.indptr[document + 1]
    for t, d in zip(at[inside].tolist(), document[inside].tolist(), strict=True):
        start = t - int(shard.indptr[d])
        yield d, start, start + n


def _candidates(
    shard: Shard, masks: Sequence[NDArray[np.bool_] | None], pattern: Sequence[Token]
) -> list[int]:
    """The documents that have a word for every token that the pattern cannot do without."""
    keep = shard.n_tokens > 0
    for mask, token in zip(masks, pattern, strict=True):
        if mask is not None and token.get("OP", "1") in {"1", "+"}:
            at = np.flatnonzero(mask[shard.token_ids])
            has = np.zeros(len(shard), dtype=bool)
            has[np.searchsorted(shard.indptr, at, side="right") - 1] = True
            keep &= has
    return [int(d) for d in np.flatnonzero(keep)]


def _matcher(name: str, lang: str, pattern: Sequence[Token]) -> Any:
    from spacy.matcher import Matcher

    matcher = Matcher(blank(lang).vocab, validate=True)
    try:
        matcher.add(name, [[dict(token) for token in pattern]], greedy="LONGEST")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"source {name!r}: pattern {pattern!r}: {reason}") from None
    return matcher


def _labelled(name: str, patterns: Any, label: str | None) -> Iterator[tuple[str, Sequence[Token]]]:
    if isinstance(patterns, Mapping):
        for key, value in patterns.items():
            yield from _labelled(name, value, key)
        return
    if label is None:
        raise SourceError(f"source {name!r}: the pattern has no label; set 'label'")
    if not isinstance(patterns, Sequence) or isinstance(patterns, str) or not patterns:
        raise SourceError(f"source {name!r}: a pattern is a list of token descriptions")
    several = patterns if isinstance(patterns[0], Sequence) else [patterns]
    yield from ((label, pattern) for pattern in several)
