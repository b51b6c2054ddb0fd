"""The conll2003 benchmark on a few sentences of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import conll2003
from weaklabel.errors import InputError

TEXT = """-DOCSTART- -X- -X- O

OSLO NNP B-NP B-LOC
1996-08-22 CD I-NP O

Anna NNP B-NP B-PER
Dahl NNP I-NP I-PER
left VBD B-VP O
Bergtec NNP B-NP B-ORG
Inc NNP I-NP I-ORG
in IN B-PP O
Norway NNP B-NP B-LOC
. . O O

"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for split in conll2003.SPLITS:
        (tmp_path / f"{split}.txt").write_text(TEXT * 3)
    return tmp_path


def test_every_model_gets_a_row_and_knows_these_names(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    arguments = ["--data", str(data), "--models", "spans,majority", "--json", str(out)]
    assert conll2003.main(arguments) == 0
    rows = json.loads(out.read_text())
    assert [row["model"] for row in rows] == ["spans", "majority"]
    assert [row["f1"] for row in rows] == [1.0, 1.0]
    assert all(row["n_docs"] == 3 and row["n_tokens"] == 30 for row in rows)


def test_tags_stay_behind(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    conll2003.write_job(folder, data, None)
    lines = (folder / "text" / "test.txt").read_text().splitlines()
    assert len([line for line in lines if line]) == 33
    assert {line.split()[-1] for line in lines if line} == {"O"}


def test_a_missing_split_is_one_clear_line(data: Path) -> None:
    (data / "valid.txt").unlink()
    with pytest.raises(InputError, match="no valid.txt"):
        conll2003.main(["--data", str(data)])
