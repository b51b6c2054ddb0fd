"""A language's rules as spaCy has them, and what may be known of them in advance."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_TOP = 65_536


@cache
def blank(lang: str) -> Language:
    """spaCy's blank pipeline of a language, made once per process."""
    import spacy

    try:
        nlp = spacy.blank(lang)
    except ImportError:
        raise InputError(
            f"language {lang!r}: spaCy has no tokenizer of that code, or needs a package for it; "
            "'xx' is the multi-language one"
        ) from None
    nlp.max_length = 2**62
    return nlp


@cache
def bare(lang: str) -> Callable[[str], Doc]:
    """The language's tokenizer on a vocabulary that works out no attributes: several times faster.

    Where tokens end depends on no attribute. Only for tokenizers of which ``glue`` can say
    something.
    """
    from spacy.tokenizer import Tokenizer
    from spacy.vocab import Vocab

    full: Any = blank(lang).tokenizer
    tokenizer: Callable[[str], Doc] = Tokenizer(
        Vocab(),
        rules=full.rules,
        prefix_search=full.prefix_search,
        suffix_search=full.suffix_search,
        infix_finditer=full.infix_finditer,
        token_match=full.token_match,
        url_match=full.url_match,
    )
    return tokenizer


@cache
def glue(lang: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """Classes of characters, and between which of them one space must not cut; None: cannot say.

    spaCy's rules for whole strings (emoticons, abbreviations) are matched on tokens wherever
    spaces lie, and one match can keep another from being made. Where the last character before a
    space and the first one after it could be inside such a rule, the two pieces stay together.
    """
    from spacy.tokenizer import Tokenizer

    rules: Any = blank(lang).tokenizer
    if type(rules) is not Tokenizer:
        return None
    plain = Tokenizer(
        blank(lang).vocab,
        prefix_search=rules.prefix_search,
        suffix_search=rules.suffix_search,
        infix_finditer=rules.infix_finditer,
        token_match=rules.token_match,
        url_match=rules.url_match,
    )
    pairs = set()
    for rule in rules.rules:
        if any(c.isspace() and c != " " for c in rule.strip()):
            return None
        if rule.strip() and _in_second_pass(rules, rule):
            words = [token.text for token in plain(rule) if not token.is_space]
            pairs |= {(a[-1], b[0]) for a, b in pairwise(words)}
    known = sorted({character for pair in pairs for character in pair})
    classes = np.zeros(_TOP, dtype=np.uint8)
    glued = np.zeros((256, 256), dtype=bool)
    if len(known) > 254 or any(ord(c) >= _TOP - 1 for c in known):
        return None
    number = {character: i + 1 for i, character in enumerate(known)}
    for character, i in number.items():
        classes[ord(character)] = i
    for a, b in pairs:
        glued[number[a], number[b]] = True
    return classes, glued


def _in_second_pass(rules: Any, rule: str) -> bool:
    affix = rules.find_prefix(rule) or rules.find_suffix(rule) or rules.find_infix(rule)
    return bool(affix or " " in rule or not rules.faster_heuristics)


@dataclass(frozen=True, eq=False)
class WholeWords:
    """Which strings are sure to be one token: all of these letters, and in no rule.

    letters: (65536,) of code points, the last also for all above; none where rules may cut words.
    rules: the strings that have rules of their own.
    """

    letters: NDArray[np.bool_]
    rules: frozenset[str]


@cache
def whole_words(lang: str) -> WholeWords:
    """What spaCy's tokenizer of a language need not be asked about. Only where ``glue`` is."""
    rules: Any = blank(lang).tokenizer
    letters = np.fromiter((chr(code).isalpha() for code in range(_TOP)), dtype=bool, count=_TOP)
    letters[-1] = False
    searches = (rules.prefix_search, rules.suffix_search, rules.infix_finditer)
    if any(search is not None and _may_match(search, letters) for search in searches):
        letters[:] = False
    return WholeWords(letters, frozenset(rules.rules))


def _may_match(search: Any, letters: NDArray[np.bool_]) -> bool:
    """Whether a compiled pattern's method can find anything in a string of letters; yes if unsure.

    The parsed pattern is walked: whatever it must see and a letter cannot be, rules it out.
    """
    pattern = getattr(search, "__self__", None)
    if not isinstance(pattern, re.Pattern) or pattern.flags & (re.I | re.A):
        return True
    try:
        parse = importlib.import_module("re._parser").parse
        return _tree_may_match(parse(pattern.pattern, pattern.flags), letters)
    except (ImportError, AttributeError):  # the parser is no public part of Python
        return True


def _tree_may_match(tree: Any, letters: NDArray[np.bool_]) -> bool:
    return all(_part_may_match(str(kind), given, letters) for kind, given in tree)


def _part_may_match(kind: str, given: Any, letters: NDArray[np.bool_]) -> bool:
    match kind:
        case "LITERAL":
            return bool(letters[given : given + 1].any())
        case "RANGE":
            return bool(letters[given[0] : given[1] + 1].any())
        case "CATEGORY":
            return str(given) not in {"CATEGORY_DIGIT", "CATEGORY_SPACE", "CATEGORY_NOT_WORD"}
        case "IN":
            return any(_part_may_match(str(item), value, letters) for item, value in given)
        case "BRANCH":
            return any(_tree_may_match(branch, letters) for branch in given[1])
        case "SUBPATTERN":
            return bool(given[1]) or _tree_may_match(given[3], letters)
        case "MAX_REPEAT" | "MIN_REPEAT":
            return given[0] == 0 or _tree_may_match(given[2], letters)
        case "ASSERT":
            return _tree_may_match(given[1], letters)
        case _:
            return True
