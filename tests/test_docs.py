"""What the README says is true: its Python runs, its commands and names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import weaklabel
from benchmarks import tables
from weaklabel.formats.registry import writers
from weaklabel.models.base import registry as models
from weaklabel.sources.base import registry as sources

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_first_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[0]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == "[(0, 2, 'PER'), (3, 5, 'PER'), (6, 7, 'LOC')]"


def test_every_public_name_is_there() -> None:
    for name in weaklabel.__all__:
        assert getattr(weaklabel, name) is not None


def test_names_in_yaml_examples_are_registered() -> None:
    examples = "\n".join(re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL))
    used = set(re.findall(r"use: (\w+)", examples))
    assert used
    assert used <= set(sources.names()) | set(models.names())
    for name in re.findall(r"output: \[(.*?)\]", examples):
        assert set(name.split(", ")) <= set(writers.names())


def test_commands_of_the_readme_exist() -> None:
    commands = set(re.findall(r"weaklabel (init|plan|run|analyze|review|export)\b", README))
    done = subprocess.run(
        [sys.executable, "-m", "weaklabel", "--help"], capture_output=True, text=True, check=True
    )
    assert commands == {"init", "plan", "run", "analyze", "review", "export"}
    assert all(command in done.stdout for command in commands)


def test_figures_are_what_the_results_say() -> None:
    assert tables.in_readme(README) == README
    assert tables.page() == (ROOT / "benchmarks" / "README.md").read_text("utf-8")


def test_importing_weaklabel_loads_nothing_heavy() -> None:
    code = "import weaklabel, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"spacy", "torch", "numba", "sklearn", "cleanlab", "pyarrow", "numpy"}
