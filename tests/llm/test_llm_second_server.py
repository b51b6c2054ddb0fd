"""A second, independent server of the protocol: llama-cpp-python on a model made on the spot.

Skipped where it is not installed; WEAKLABEL_LLAMA_PYTHON may name another interpreter that has
``llama-cpp-python[server]`` and ``gguf`` (it has to be compiled, so it is no extra of ours).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_llm_session import LABELS, shard_of

from weaklabel.sources.base import registry
from weaklabel.sources.llm.session import Session

PYTHON = os.environ.get("WEAKLABEL_LLAMA_PYTHON", sys.executable)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    probe = [PYTHON, "-c", "import llama_cpp.server.app, gguf"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("llama-cpp-python[server] and gguf are not installed")
    model = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    subprocess.run([PYTHON, Path(__file__).parent / "tiny_gguf.py", str(model)], check=True)
    command = [PYTHON, "-m", "llama_cpp.server", "--model", str(model), "--port", "0"]
    command += ["--n_ctx", "4096", "--logits_all", "true"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        port = ""
        for line in server.stderr:
            found = re.search(r"running on http://\S+:(\d+)", line)
            if found:
                port = found.group(1)
                break
        yield f"http://localhost:{port}/v1"
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("confidence", ["none", "logprob"])
def test_a_choice_held_to_its_closed_set(llama, tmp_path, confidence) -> None:
    session = Session(llama, "tiny", cache=tmp_path / "c.sqlite", budget={"tokens": 10**6})
    source = registry.make(
        "llm_classes", name="c", labels=["SPAM", "HAM"], confidence=confidence, max_tokens=60
    )
    source.bind(session)
    session.check([source])
    shard = shard_of("Buy pills", "Dear Anna")
    cast = source(shard)
    # Random weights under a grammar: the answer is one of the set, or white space to the limit.
    assert set(cast.counts) <= {"calls: ok", "calls: abstained", "calls: truncated"}
    assert len(session.cache) == 2
    # It knows no json_schema, but a schema within json_object.
    assert session.dialect("tiny").schema == "json_object+schema"
    worst = sum(call.request.most_prompt_tokens + 60 for call in source.calls(shard))
    spent = session.budget.spent
    assert 0 < spent.tokens <= worst
    assert spent.held_tokens == 0


def test_nonsense_casts_no_vote(llama, tmp_path) -> None:
    session = Session(llama, "tiny", cache=tmp_path / "c.sqlite", fail_above=1)
    source = registry.make("llm_spans", name="s", labels=list(LABELS), max_tokens=150)
    source.bind(session)
    cast = source(shard_of("Anna Berg met Bob in Oslo.", "Quito lies high."))
    assert len(cast.document) == 0
    assert sum(cast.counts[k] for k in cast.counts if k.startswith("calls: ")) == 2
    assert "calls: http_error" not in cast.counts
