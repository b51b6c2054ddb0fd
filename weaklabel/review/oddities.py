"""Texts that are odd whatever their label: near-duplicates and outliers (Datalab), no language."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .suspects import ISSUES

_FEWEST = 32
_DIMENSIONS = 64


def text_issues(texts: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """(D,) index into ISSUES of what is odd about a text, -1 for nothing.

    Near-duplicates and outliers are Datalab's, on TF-IDF reduced to 64 dimensions; of a set of
    near-duplicates all but the first are named. Fewer than 32 texts are not judged.
    """
    issue = np.full(len(texts), -1, dtype=np.int64)
    if len(texts) >= _FEWEST:
        vectors = _vectors(texts, seed)
        if vectors is not None:
            duplicate, outlier = _datalab(vectors)
            issue[outlier] = ISSUES.index("outlier")
            issue[duplicate] = ISSUES.index("near duplicate")
    for d, text in enumerate(texts):
        if unintelligible(text):
            issue[d] = ISSUES.index("unintelligible")
    return issue


def unintelligible(text: str) -> bool:
    """Whether a text has next to no words: empty, mostly symbols, broken, one long run."""
    solid = [c for c in text if not c.isspace()]
    if not solid:
        return True
    letters = sum(c.isalpha() for c in solid)
    broken = sum(c == "\ufffd" or not c.isprintable() for c in solid)
    longest = max(len(word) for word in text.split())
    no_words = letters < 0.3 * len(solid) and len(solid) > 8
    return no_words or broken > 0.1 * len(solid) or (longest > 80 and longest > 0.7 * len(solid))


def _vectors(texts: Sequence[str], seed: int) -> NDArray[np.float64] | None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    try:
        tfidf = TfidfVectorizer(sublinear_tf=True, max_features=20_000).fit_transform(texts)
    except ValueError:
        return None
    size = min(_DIMENSIONS, min(tfidf.shape) - 1)
    if size < 2:
        return None
    reduced = TruncatedSVD(size, random_state=seed).fit_transform(tfidf)
    vectors: NDArray[np.float64] = normalize(reduced)
    return vectors


def _datalab(vectors: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that are near-duplicates of an earlier row, and outliers."""
    from cleanlab import Datalab

    with contextlib.redirect_stdout(io.StringIO()):
        lab = Datalab({"row": np.arange(len(vectors))}, verbosity=0)
        lab.find_issues(features=vectors, issue_types={"near_duplicate": {}, "outlier": {}})
        issues = lab.get_issues()
    duplicate = issues["is_near_duplicate_issue"].to_numpy()
    outlier = np.flatnonzero(issues["is_outlier_issue"].to_numpy())
    sets = lab.get_issues("near_duplicate")["near_duplicate_sets"]
    later = [i for i in np.flatnonzero(duplicate) if min(sets.iloc[i], default=i) < i]
    return np.asarray(later, dtype=np.int64), outlier
