"""Progress and the profile, as a terminal and a log file show them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from weaklabel.context import Step
from weaklabel.metrics import Metrics
from weaklabel.screen import progress_line


def test_a_line_says_what_is_left() -> None:
    assert progress_line(Step("read", 7, None), 3.0) == "read: 7 shards"
    assert progress_line(Step("votes", 0, 40), 0.0) == "votes: 0 of 40"
    assert progress_line(Step("votes", 10, 40), 30.0) == "votes: 10 of 40, about 0:01:30 left"


def on_a_terminal(*arguments: str) -> str:
    """What a command draws on a terminal of 200 columns, colours and movements left out."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "weaklabel", *arguments]
    environment = {**os.environ, "COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(ours)
    assert process.wait() == 0, drawn
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode())


def test_a_terminal_sees_each_stage_and_where_the_time_went(project: Path) -> None:
    drawn = on_a_terminal("run", str(project / "job.yaml"), "--profile")
    for stage in ("read", "votes", "fit spans", "labels of spans", "export labels.jsonl"):
        assert stage in drawn
    assert "10/10" in drawn
    shown = drawn[drawn.rindex("source or task") :]
    assert {"places", "capitals"} <= set(shown.split())
    shares = [float(share) for share in re.findall(r"([\d.]+) %", shown)]
    assert abs(sum(shares) - 100) < 1
    assert shares == sorted(shares, reverse=True)


def test_metrics_hold_rates_per_source(project: Path) -> None:
    command = [sys.executable, "-m", "weaklabel", "run", str(project / "job.yaml"), "--limit", "90"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "90 documents" in done.stdout
    rows = Metrics(project / "job-run" / "metrics.jsonl").read()
    for source in ("places", "capitals"):
        mine = [row for row in rows if row["stage"] == "votes" and row["source"] == source]
        assert sum(row["documents"] for row in mine) == 90
        assert all(row["seconds"] >= 0 and row["votes"] > 0 for row in mine)
