"""Bad records: one line that says where, what is wrong, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weaklabel.errors import InputError, JobError
from weaklabel.formats import read, write
from weaklabel.formats.record import Record
from weaklabel.task import Task

OK = '{"text": "fine"}'


def span(start, end, label='"PER"') -> str:
    return f'{{"text": "Anna", "spans": [{{"start": {start}, "end": {end}, "label": {label}}}]}}'


JSONL = [
    ("[1, 2", "no JSON"),
    ("3", "expected a JSON object, found the number 3"),
    ('"a"', "expected a JSON object, found a string"),
    ("{'text': 1}", "no JSON"),
    ("{" * 100_000, "no JSON"),
    ('{"txt": "a"}', "no key 'text'; did you mean 'txt'"),
    ("{}", "no key 'text'"),
    ('{"text": 3}', "'text' should be a string, found the number 3"),
    ('{"text": null}', "'text' should be a string, found nothing"),
    ('{"text": ["a"]}', "'text' should be a string, found a list"),
    ('{"text": "a", "id": [1]}', "an id should be a string or a number, found a list"),
    ('{"text": "a", "id": true}', "an id should be a string or a number, found true or false"),
    ('{"text": "\\ud83d"}', "ud83d is half of a surrogate pair"),
    ('{"text": "a", "x": {"\\uDC00": 1}}', "udc00 is half of a surrogate pair"),
    (span(0, 5), "span 0 to 5 .PER. lies outside the text, which has 4 characters"),
    (span(-1, 2), "span -1 to 2 .PER. lies outside"),
    (span(2, 2), "span 2 to 2 .PER. is empty; its end is exclusive"),
    (span(3, 1), "span 3 to 1 .PER. is empty"),
    (span(0.5, 2), "offsets should be integers, found the number 0.5"),
    (span("true", 2), "offsets should be integers, found true or false"),
    (span(0, 2, "null"), "should have a label, found nothing"),
    (span(0, 2, '""'), "should have a label, found an empty string"),
    ('{"text": "Anna", "spans": 3}', "'spans' should be a list, found the number 3"),
    ('{"text": "Anna", "spans": [[0, 1]]}', "a span should be an object with start, end, label"),
    ('{"text": "Anna", "label": 1}', "'label' should be a label or a list of labels"),
    ('{"text": "Anna", "tokens": [[0, 2], [1, 4]]}', "tokens should be strings or .start, end."),
    ('{"text": "Anna", "tokens": ["An", "an"]}', "token 'an' is not in the text after 2"),
]


@pytest.mark.parametrize(("line", "message"), JSONL)
def test_jsonl(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{OK}\n\n{line}\n")
    with pytest.raises(InputError, match=message) as caught:
        list(read("jsonl", path))
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert "\n" not in str(caught.value)


def test_a_json_list_names_the_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f"[{OK},\n {OK}, 3]")
    with pytest.raises(InputError, match="a.json, record 2: expected a JSON object"):
        list(read("jsonl", tmp_path / "a.json"))


def test_ids_that_come_twice(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n')
    with pytest.raises(InputError, match="id '1' was used before"):
        list(read("jsonl", tmp_path / "a.jsonl"))


def test_empty_documents_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n{"text": " \\n"}\n')
    assert [d.text for d in read("jsonl", tmp_path / "a.jsonl")] == ["", " \n"]


CONLL = [
    ("Anna NNP O\nBerg B-PER\n", "line 2: 2 columns parted by spaces, expected 3, as in the lines"),
    ("Anna\n", "line 1: 1 columns parted by spaces, expected 2 or more"),
    ("Anna O\n\nBerg PER\n", "line 3: tag 'PER' is of no known scheme; expected O, or B-"),
    ("Anna\tO\nNew York\tX-LOC\n", "line 2: tag 'X-LOC' is of no known scheme"),
]


@pytest.mark.parametrize(("content", "message"), CONLL)
def test_conll(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(content)
    with pytest.raises(InputError, match=message):
        list(read("conll", tmp_path / "a.conll"))


CONLLU = [
    ("1\tAnna\n", "line 1: 2 columns parted by tabs, expected 10"),
    ("x\tAnna" + "\t_" * 8 + "\n", "line 1: ID 'x' should be a number, or a range"),
    ("1\tAnna" + "\t_" * 7 + "\tNER=PER\n", "line 1: tag 'PER' is of no known scheme"),
]


@pytest.mark.parametrize(("content", "message"), CONLLU)
def test_conllu(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text(content)
    with pytest.raises(InputError, match=message):
        list(read("conllu", tmp_path / "a.conllu"))


CSV = [
    ("", "a.csv: no column 'text'; the file is empty"),
    ("id,texts\n1,a\n", "a.csv: no column 'text'; did you mean 'texts'"),
    ("id,text\n1\n", "line 2: 1 cells, expected 2 as in the header"),
    ('id,text\n1,"a\n', "line 2: unexpected end of data"),
    ("id,text,spans\n1,a,x\n", "line 2: no JSON"),
    ('id,text,spans\n1,a,"[[0,9,""X""]]"\n', "line 2: span 0 to 9"),
    ("id,text,label\n1,a,[1]\n", "line 2: 'label' should be a label"),
]


@pytest.mark.parametrize(("content", "message"), CSV)
def test_csv(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        list(read("csv", tmp_path / "a.csv"))


@pytest.mark.parametrize("name", ["parquet", "huggingface"])
def test_parquet(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 no parquet at all PAR1")
    with pytest.raises(InputError, match="a.parquet: not readable as Parquet"):
        list(read(name, path))
    pq.write_table(pa.table({"texts": ["a"], "number": [1]}), path)
    with pytest.raises(InputError, match="a.parquet: no column 'text'; did you mean 'texts'"):
        list(read(name, path))
    pq.write_table(pa.table({"text": ["a", None]}), path)
    with pytest.raises(InputError, match="a.parquet, row 1: 'text' should be a string"):
        list(read(name, path))


HUGGINGFACE = [
    ({"tokens": [["a"]], "ner_tags": [[1]]}, "row 0: tag 1 has no name: the schema has no"),
    ({"tokens": [["a"]], "ner_tags": [["B-X", "O"]]}, "row 0: 1 tokens, but 2 tags"),
    ({"tokens": [["a"]], "ner_tags": [["X"]]}, "row 0: tag 'X' is of no known scheme"),
    (
        {"tokens": [["a"]], "text": ["a"], "starts": [[0]], "ends": [[2]]},
        "row 0: span 0 to 2 .token. lies outside",
    ),
]


@pytest.mark.parametrize(("columns", "message"), HUGGINGFACE)
def test_huggingface(columns, message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=message):
        list(read("huggingface", tmp_path / "a.parquet"))


def test_huggingface_schema(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"]})
    for facts in (b"{", b"[]", b'{"info": {"features": {"text": 3}}}'):
        pq.write_table(
            table.replace_schema_metadata({"huggingface": facts}), tmp_path / "a.parquet"
        )
        with pytest.raises(InputError, match="the schema's 'huggingface' facts are broken"):
            list(read("huggingface", tmp_path / "a.parquet"))


@pytest.mark.parametrize("content", [b"", b"no docbin", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_docbin(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.spacy").write_bytes(content)
    with pytest.raises(InputError, match="a.spacy: no DocBin of spaCy"):
        list(read("docbin", tmp_path / "a.spacy"))


def studio(start: int, end: int, **other) -> dict:
    result = {"type": "labels", "value": {"start": start, "end": end, "labels": ["PER"]}, **other}
    return {"data": {"text": "🙂 Anna"}, "annotations": [{"result": [result]}]}


TOOLS = [
    ("label_studio", {"text": "a"}, "expected a JSON object, found nothing"),
    ("label_studio", studio(1, 3), "offset 1 in utf-16 units is not in the text or halves"),
    ("label_studio", studio(0, 8), "offset 8 in utf-16 units is not in the text"),
    ("label_studio", studio(0, 2, type="hypertextlabels"), "HyperText offsets are XPaths"),
    ("doccano", {"text": "a", "label": [[0, 1]]}, "a span should be .start, end, label."),
    ("doccano", {"text": "a", "label": [["0", 1, "X"]]}, "offsets should be integers"),
    ("doccano", {"text": "a", "label": [[0, 2, "X"]]}, "span 0 to 2 .X. lies outside the text"),
    ("argilla", {"fields": {"t": "a"}}, "no key 'text'"),
    (
        "argilla",
        {"fields": {"text": "a"}, "responses": {"q": [{"value": [{"start": 0}]}]}},
        "span 0 to -1",
    ),
    ("prodigy", {"text": "a", "answer": "yes"}, "answer 'yes' should be accept, reject or ignore"),
    ("prodigy", {"text": "a", "spans": [{"start": 0}]}, "offsets should be integers"),
    ("kili", {"content": 3}, "'content' should be a string"),
    (
        "kili",
        {
            "content": "Anna",
            "jsonResponse": {
                "J": {
                    "annotations": [
                        {"beginOffset": 1, "content": "Anna", "categories": [{"name": "X"}]}
                    ]
                }
            },
        },
        "the text at offset 1 is not the span's content 'Anna'",
    ),
    ("labelbox", {"uuid": "1"}, "no export of data rows; for lines of annotations give `texts`"),
    ("sagemaker", {"text": "a"}, "no key 'source'"),
    (
        "sagemaker",
        {"source": "a", "m": "0", "m-metadata": {"type": "groundtruth/text-classification"}},
        "should have 'class-name'",
    ),
]


@pytest.mark.parametrize(("name", "record", "message"), TOOLS)
def test_tools(name: str, record: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        list(read(name, path))
    assert str(caught.value).startswith(f"{path}, line 1: ")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no such file"),
        ({"test.json": {}}, "no WRENCH folder, which has meta.json"),
        (
            {"label.json": {"0": "a", "2": "b"}, "test.json": {}},
            "the keys should be the numbers 0 to 1",
        ),
        (
            {
                "label.json": {"0": "a", "1": "b"},
                "test.json": {"x": {"label": 2, "data": {"text": "t"}, "weak_labels": [0]}},
            },
            "document 'x': label 2 should be -1 to 1",
        ),
        (
            {
                "meta.json": {"entity_types": ["PER"], "lf": ["s"]},
                "test.json": {"x": {"label": [], "data": {"text": ["t"]}, "weak_labels": [["O"]]}},
            },
            "document 'x': 1 tokens, 0 tags and 1 rows",
        ),
        (
            {
                "meta.json": {"entity_types": ["PER"], "lf": ["s"]},
                "test.json": {
                    "x": {"label": ["O"], "data": {"text": ["t"]}, "weak_labels": [["B-LOC"]]}
                },
            },
            "document 'x': 'LOC' is no label of the task",
        ),
    ],
)
def test_wrench(files, message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        list(read("wrench", tmp_path))


def test_settings_are_checked_before_anything_is_read() -> None:
    with pytest.raises(
        InputError, match="reader 'jsonl' has no setting 'txt'; did you mean 'text'"
    ):
        read("jsonl", "nowhere", txt="a")
    with pytest.raises(JobError, match="no reader 'json'; did you mean 'jsonl'"):
        read("json", "nowhere")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("conll", {"columns": 3}, "columns: 3 should be 2 or 4"),
        ("conll", {"scheme": "IOB"}, "no tag scheme 'IOB'"),
        ("doccano", {"unit": "byte"}, "no unit 'byte'"),
        ("preference", {"form": "x"}, "form: 'x' should be trl or openai"),
    ],
)
def test_wrong_settings_of_writers(name: str, settings, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write(
            name, tmp_path / "out", [Record("1", "a")], {"t": Task("spans", ("PER",))}, **settings
        )
    assert list(tmp_path.iterdir()) == []
