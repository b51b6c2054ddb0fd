"""Every format, written and read back: the share of spans that come back where they were.

The texts hold what breaks offsets: emoji, combining marks, CRLF, right-to-left script, odd white
space. Part of ``python -m benchmarks review``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weaklabel import Corpus, Task
from weaklabel.corpus import Document
from weaklabel.formats import read, write
from weaklabel.formats.record import Record, RecordSpan

FORMATS = (
    "jsonl",
    "csv",
    "conll",
    "conllu",
    "docbin",
    "huggingface",
    "label_studio",
    "doccano",
    "argilla",
    "prodigy",
    "kili",
    "labelbox",
    "sagemaker",
)
TOKEN_LEVEL = ("conll",)
"""Formats without offsets: spans are compared as tokens."""

TASKS = {"spans": Task("spans", ("PER", "LOC", "ORG"))}
SETTINGS: dict[str, dict[str, Any]] = {"labelbox": {"texts": "texts.jsonl"}}

TEXTS = (
    "Anna Berg joined Acme Corp in Oslo.",
    "👩‍👩‍👧 Zoë met 🇳🇴 José\u0301 in Mu\u0308nchen 🎉🎉, then left 👍🏽 for Łódź.",
    "First line\r\nSecond line: Anna\r\n\r\nBerg lives\there.\r\n",
    "שלום לאנה ברג מתל אביב 🙂 ואז London.",
    "مرحبا آنا من أوسلو، 🕌 ثم Acme.",
    "  leading and   trailing\u00a0spaces \u2028 Oslo\u0085 and\u3000東京 \u200bNATO  ",
    '=cmd|"/C calc"!A0, "quoted, Anna", {"json": "Oslo"} | \\n <script>alert("Berg")</script>',
    "𝒜𝓃𝓃𝒶 𝔅𝔢𝔯𝔤 \U0001f9d1\u200d\U0001f680 नमस्ते दिल्ली 서울 ไทย",
    "",
    "Oslo",
)


def corpus(copies: int = 20, seed: int = 0) -> list[Record]:
    """Records with random spans on whole tokens that do not overlap, some with sentences."""
    dice = random.Random(seed)
    texts = [
        " ".join(dice.sample(TEXTS, 2)) if copy else text
        for copy in range(copies)
        for text in TEXTS
    ]
    shard = Corpus.from_texts(texts, lang="xx").one_shard()
    records = []
    for d, text in enumerate(shard.texts):
        low, high = shard.indptr[d], shard.indptr[d + 1]
        starts, ends = shard.starts[low:high].tolist(), shard.ends[low:high].tolist()
        tokens = tuple(zip(starts, ends, strict=True))
        sentences = (0, len(tokens) // 2) if d % 2 and len(tokens) > 1 else ()
        records.append(Record(f"d{d}", text, tokens, sentences, random_spans(tokens, dice)))
    return records


def random_spans(tokens: Sequence[tuple[int, int]], dice: random.Random) -> tuple[RecordSpan, ...]:
    """Spans of one to four tokens with gaps between them, or none."""
    spans = []
    position = dice.randint(0, 2)
    while position < len(tokens):
        end = min(position + dice.randint(1, 4), len(tokens))
        label = dice.choice(TASKS["spans"].labels)
        probability = round(dice.uniform(0.5, 1), 3)
        spans.append(RecordSpan(tokens[position][0], tokens[end - 1][1], label, probability))
        position = end + dice.randint(0, 3)
    return tuple(spans)


def read_back(
    name: str, records: Iterable[Record], tasks: dict[str, Task], folder: Path
) -> list[Document]:
    """What a format gives back of records that it has written."""
    rows = list(records)
    path = folder / f"out.{name}"
    write(name, path, rows, tasks)
    settings = dict(SETTINGS.get(name, {}))
    if "texts" in settings:
        settings["texts"] = folder / settings["texts"]
        write("jsonl", settings["texts"], rows, {})
    return list(read(name, path, **settings))


def places(name: str, item: Record | Document) -> set[tuple[int, int, str]]:
    """The spans of a record or document, in characters, or in tokens where a format has no text."""
    if isinstance(item, Record):
        spans = [(span.start, span.end, span.label) for span in item.spans]
    else:
        layer = "gold" if "gold" in item.spans else "predicted"
        spans = [(span.start, span.end, span.label) for span in item.spans.get(layer, ())]
    if name not in TOKEN_LEVEL:
        return set(spans)
    starts = {start: i for i, (start, _) in enumerate(item.tokens or ())}
    ends = {end: i for i, (_, end) in enumerate(item.tokens or ())}
    return {(starts[start], ends[end], label) for start, end, label in spans}


def round_trip(name: str) -> tuple[int, int]:
    """(spans that came back in place, spans written or come back) over the corpus of a format."""
    records = corpus()
    with TemporaryDirectory() as folder:
        documents = read_back(name, records, TASKS, Path(folder))
    ok = total = 0
    for record, document in zip(records, documents, strict=True):
        expected, found = places(name, record), places(name, document)
        total += len(expected | found)
        if name in TOKEN_LEVEL or document.text == record.text:
            ok += len(expected & found)
    return ok, total
