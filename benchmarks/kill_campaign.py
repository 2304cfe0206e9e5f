"""Kills sessions with SIGKILL at random moments, resumes them, and compares with the uninterrupted run.

    python benchmarks/kill_campaign.py [--kills 50] [--config configs/...toml] [--json]

Every resumed session must end with the same result and the same decisions, observations and frames' metadata
as the session that nobody killed; only what the wall clock says may differ. Exit status 1 if one does not.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscope.records import open_session

CONFIG = """
seed = 11
[microscope]
kind = "simulated"
specimen = "synthetic:pearlite"
specimen_size_um = [512.0, 512.0]
[imaging.overview]
hfw_um = 256.0
width_px = 256
height_px = 256
[imaging.reference]
hfw_um = 16.0
width_px = 128
height_px = 128
dwell_us = 3.0
[focus]
every_s = 120.0
[[targets]]
quantity = "area_fraction"
class = "pearlite"
half_width = 0.012
[model]
kind = "truth"
[policy]
kind = "proportional"
"""
WALL = ("seq", "time", "following", "wall_time_s", "spent_wall")
COMPARED = ("decision", "observation", "frame", "focus", "estimate")


@dataclass(frozen=True, slots=True)
class Round:
    """One killed and resumed session."""

    kills: int
    after_s: tuple[float, ...]
    steps_at_kill: tuple[int, ...]
    same: bool
    difference: str


def command(*arguments: str) -> list[str]:
    """The command line of this very installation."""
    return [sys.executable, "-m", "autoscope", *arguments]


def run_whole(config: Path, folder: Path) -> float:
    """Runs the session that nobody kills; returns its duration."""
    start = time.monotonic()
    subprocess.run(command("run", str(config), "--out", str(folder)), check=True, capture_output=True)
    return time.monotonic() - start


def kill_and_resume(config: Path, folder: Path, moments: list[float]) -> list[int]:
    """Runs, kills after each moment, resumes; returns how many steps were on disk at each kill."""
    steps = []
    for moment in moments:
        resume = folder.exists()
        arguments = ("run", "--resume", str(folder)) if resume else ("run", str(config), "--out", str(folder))
        process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        steps.append(done_steps(folder))
    if folder.exists():
        last = command("run", "--resume", str(folder))
    else:
        last = command("run", str(config), "--out", str(folder))
    done = subprocess.run(last, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"resuming {folder} failed with status {done.returncode}: {done.stderr[-2000:]}")
    return steps


def done_steps(folder: Path) -> int:
    """Fields whose observation is on disk."""
    if not folder.exists():
        return 0
    return sum(document.type == "observation" for document in open_session(folder).documents())


def essence(folder: Path) -> dict[str, Any]:
    """All that a resumed session must have in common with the uninterrupted one."""
    result = json.loads((folder / "result.json").read_text())
    for key in ("started", "finished"):
        result.pop(key)
    result["spent"].pop("wall_time_s")
    view = open_session(folder)
    documents = [
        {key: value for key, value in document.model_dump(mode="json").items() if key not in WALL}
        for document in view.documents()
        if document.type in COMPARED
    ]
    frames = [view.frame(d["frame"]).pixels.sum().item() for d in documents if d["type"] == "frame"]
    return {"result": result, "documents": documents, "frames": frames}


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """The first thing in which two sessions differ, empty where they do not."""
    if expected["result"] != found["result"]:
        keys = [k for k in expected["result"] if expected["result"][k] != found["result"].get(k)]
        return f"result: {keys}"
    for kind in COMPARED:
        a, b = ([d for d in x["documents"] if d["type"] == kind] for x in (expected, found))
        if a != b:
            first = next(
                (i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q), min(len(a), len(b))
            )
            return f"{kind} documents differ from number {first} on ({len(a)} and {len(b)})"
    return "" if expected["frames"] == found["frames"] else "frames"


def main() -> int:
    """Runs the campaign and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        config = options.config
        if config is None:
            config = root / "campaign.toml"
            config.write_text(CONFIG)
        run_whole(config, root / "first")  # generates the specimen, once
        duration = run_whole(config, root / "whole")
        expected = essence(root / "whole")
        while sum(r.kills for r in rounds) < options.kills:
            moments = [rng.uniform(0.2, duration) for _ in range(rng.choice((1, 1, 1, 2)))]
            folder = root / f"round-{len(rounds)}"
            steps = kill_and_resume(config, folder, moments)
            what = difference(expected, essence(folder))
            rounds.append(Round(len(moments), tuple(moments), tuple(steps), not what, what))
            if not options.json:
                state = "same" if not what else f"DIFFERENT: {what}"
                print(f"round {len(rounds):3d}  killed with {steps} steps on disk  {state}", flush=True)
    bad = sum(not r.same for r in rounds)
    kills = sum(r.kills for r in rounds)
    if options.json:
        print(json.dumps({"kills": kills, "sessions": len(rounds), "different": bad}))
    else:
        print(f"{kills} kills in {len(rounds)} sessions of {duration:.1f} s; {bad} ended differently")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
