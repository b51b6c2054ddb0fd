"""CoNLL-U: NER=B-PER in MISC, and the white space between tokens, so that the text comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..corpus import Annotation, Document
from ..errors import InputError
from ..tags import Scheme, decode, split_tag
from ..task import Task
from .files import InputFile, Source, input_files, output_file
from .placing import flat_on_tokens, sentences, tags_of
from .record import Record, Written
from .registry import joinable, readers, writers

_ESCAPES = {" ": r"\s", "\t": r"\t", "\r": r"\r", "\n": r"\n", "|": r"\p", "\\": r"\\"}
_UNESCAPES = {code[1]: character for character, code in _ESCAPES.items()}


@dataclass
class _Row:
    form: str
    tag: str
    before: str
    after: str


@dataclass
class _Block:
    """The sentences of one document."""

    id: str | None = None
    sentences: list[list[_Row]] = field(default_factory=list)


@readers.register("conllu")
def read_conllu(
    path: Source,
    *,
    documents: Literal["auto", "newdoc", "sentence"] = "auto",
    layer: str = "gold",
) -> Iterator[Document]:
    """Documents from CoNLL-U; entities are read from NER= in MISC.

    White space between tokens: SpacesAfter and SpacesBefore (UDPipe's escapes) where given, none
    after SpaceAfter=No, else one space. A multiword token is one token, tagged as its first word;
    empty nodes are left out.
    documents: "newdoc": "# newdoc" comments part them; "sentence": each sentence is one; "auto":
        "newdoc" for a file that begins with such a comment, else "sentence".
    """
    if documents not in ("auto", "newdoc", "sentence"):
        raise InputError(f"documents: {documents!r} should be auto, newdoc or sentence")
    for file in input_files(path, (".conllu",)):
        for number, block in enumerate(_blocks(file, documents)):
            yield _document(block, f"{file.name}-{number}", layer)


def _document(block: _Block, name: str, layer: str) -> Document:
    text = ""
    offsets: list[tuple[int, int]] = []
    starts: list[int] = []
    spans: list[Annotation] = []
    pieces: list[str] = []
    position = 0
    for rows in block.sentences:
        base = len(offsets)
        starts.append(base)
        for row in rows:
            begin = position + len(row.before)
            offsets.append((begin, begin + len(row.form)))
            pieces += (row.before, row.form, row.after)
            position = begin + len(row.form) + len(row.after)
        for first, end, label in decode([row.tag for row in rows]):
            spans.append(Annotation(offsets[base + first][0], offsets[base + end - 1][1], label))
    text = "".join(pieces)
    return Document(
        name if block.id is None else block.id,
        text,
        tuple(offsets),
        tuple(starts),
        spans={layer: tuple(spans)},
    )


def _blocks(file: InputFile, mode: str) -> Iterator[_Block]:
    block: _Block | None = None
    rows: list[_Row] = []
    covered = 0
    identifier: str | None = None
    for number, line in file.lines():
        where = f"{file.path}, line {number}"
        if mode == "auto":
            mode = "newdoc" if line.startswith("# newdoc") else "sentence"
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip() in ("newdoc", "newdoc id") and mode == "newdoc":
                if block is not None:
                    yield block
                block = _Block(value.strip() or None)
            elif key.strip() == "sent_id" and mode == "sentence":
                identifier = value.strip()
        elif line.strip():
            row, last = _row(line, where)
            if row is not None and last > covered:
                rows.append(row)
            covered = max(covered, last)
        else:
            if rows and mode == "sentence":
                yield _Block(identifier, [rows])
            elif rows:
                block = block or _Block()
                block.sentences.append(rows)
            rows, covered, identifier = [], 0, None
    if rows and mode == "sentence":
        yield _Block(identifier, [rows])
    elif rows:
        block = block or _Block()
        block.sentences.append(rows)
    if block is not None:
        yield block


def _row(line: str, where: str) -> tuple[_Row | None, int]:
    """A token and the number of the last word it covers; None for an empty node."""
    columns = line.split("\t")
    if len(columns) != 10:
        raise InputError(f"{where}: {len(columns)} columns parted by tabs, expected 10")
    number, form, misc = columns[0], columns[1], columns[9]
    if "." in number:
        return None, 0
    last = number.partition("-")[2] or number
    if not last.isdecimal():
        raise InputError(f"{where}: ID {number!r} should be a number, or a range such as 3-4")
    facts = dict(part.partition("=")[::2] for part in misc.split("|"))
    tag = facts.get("NER", "O")
    try:
        split_tag(tag)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    after = "" if facts.get("SpaceAfter") == "No" else " "
    after = _unescape(facts["SpacesAfter"]) if "SpacesAfter" in facts else after
    return _Row(form, tag, _unescape(facts.get("SpacesBefore", "")), after), int(last)


@writers.register("conllu")
@joinable
def write_conllu(
    path: Path | str,
    records: Iterable[Record],
    tasks: Mapping[str, Task],
    *,
    scheme: Scheme = "IOB2",
) -> Written:
    """CoNLL-U: FORM, and NER= and the white space in MISC; a "# newdoc id" for each document.

    White space within a token is written as it is, save tabs and line ends, which become "_";
    white space around no token at all has no room here.
    """
    written = Written()
    with output_file(path) as out:
        for record in records:
            spans = flat_on_tokens(record, written)
            tags = tags_of(record, spans, scheme)
            identifier = " ".join(record.id.split())
            lines = [f"# newdoc id = {identifier}\n"]
            for number, (low, high) in enumerate(sentences(record, spans), 1):
                content = record.text[record.tokens[low][0] : record.tokens[high - 1][1]]
                lines.append(f"# sent_id = {identifier}-{number}\n")
                lines.append(f"# text = {' '.join(content.split())}\n")
                lines += [_line(record, i, i - low + 1, tags[i]) for i in range(low, high)]
                lines.append("\n")
            if not record.tokens:
                lines.append("\n")
            out.write("".join(lines).encode())
            written.documents += 1
    return written


def _line(record: Record, token: int, number: int, tag: str) -> str:
    start, end = record.tokens[token]
    last = token + 1 == len(record.tokens)
    after = record.text[end : len(record.text) if last else record.tokens[token + 1][0]]
    misc = [] if tag == "O" else [f"NER={tag}"]
    if token == 0 and start:
        misc.append(f"SpacesBefore={_escape(record.text[:start])}")
    if not after:
        misc.append("SpaceAfter=No")
    elif after != " ":
        misc.append(f"SpacesAfter={_escape(after)}")
    form = record.text[start:end]
    for character in "\t\r\n":
        form = form.replace(character, "_")
    columns = [str(number), form, *["_"] * 7, "|".join(misc) or "_"]
    return "\t".join(columns) + "\n"


def _escape(space: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in space)


def _unescape(code: str) -> str:
    pieces, characters = [], iter(code)
    for character in characters:
        if character == "\\":
            following = next(characters, "\\")
            pieces.append(_UNESCAPES.get(following, following))
        else:
            pieces.append(character)
    return "".join(pieces)
