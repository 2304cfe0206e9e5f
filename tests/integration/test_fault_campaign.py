"""Two seeds of every kind of fault; the campaign itself takes twenty."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds",
    [
        ("stalled move", "missed target", "readback NaN", "stage alarm"),
        ("lost frame", "repeated frame", "corrupt frame", "slow scan", "lost focus"),
        ("valve closed", "vacuum lost", "beam lost"),
        ("line cut", "server hangs", "IOC restarted", "IOC dead at start"),
        ("SIGTERM", "SIGKILL and resume"),
    ],
    ids=lambda kinds: kinds[0],
)
def test_no_fault_does_what_no_fault_may(kinds: tuple[str, ...]) -> None:
    command = [sys.executable, "benchmarks/fault_campaign.py", "--seeds", "2", "--json", "--kinds", *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900)
    assert done.stdout.strip(), f"status {done.returncode}: {done.stderr[-3000:]}"
    rows = json.loads(done.stdout.splitlines()[-1])
    assert [row["kind"] for row in rows] == list(kinds)
    assert all(row["cases"] == 2 for row in rows)
    assert {row["kind"]: row["with_problems"] for row in rows if row["with_problems"]} == {}, done.stdout
