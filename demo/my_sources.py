"""Two labelling functions: plain Python over a spaCy Doc, yielding (first token, end, label)."""

from pathlib import Path

from weaklabel.sources.function import span_lf

FIRST_NAMES = set((Path(__file__).parent / "lists" / "first_names.txt").read_text().split())
TITLES = {"coach", "minister", "professor", "president", "mayor", "captain", "striker", "manager"}
TITLES |= {"pilot", "goalkeeper", "lawyer", "analyst", "organiser", "governor", "pianist"}


@span_lf("PER")
def first_name_and_surname(doc):
    """A known first name and the capitalised word after it."""
    for token in doc[:-1]:
        if token.text in FIRST_NAMES and doc[token.i + 1].is_title:
            yield token.i, token.i + 2, "PER"


@span_lf("PER")
def after_a_title(doc):
    """Capitalised words after a title or an occupation, a comma between them or not."""
    for token in doc:
        if token.lower_ in TITLES:
            start = token.i + 1 + (token.i + 1 < len(doc) and doc[token.i + 1].text == ",")
            end = start
            while end < len(doc) and doc[end].is_title:
                end += 1
            if end > start:
                yield start, end, "PER"
