"""Times whole commands as a user meets them: --help, plan and the quickstart session.

    python benchmarks/command_times.py [--runs 5] [--json]

Each command runs in a process of its own; the median of the wall times is printed. The first run of the
quickstart generates its specimen; it is timed apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path


def seconds(*arguments: str) -> float:
    """Wall time of one command, which must succeed."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "autoscope", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quickstart = str(files("autoscope.app").joinpath("quickstart.toml"))
    with tempfile.TemporaryDirectory() as folder:
        first = seconds("run", "--out", str(Path(folder) / "first"))
        rows = {
            "run (quickstart, first time)": [first],
            "run (quickstart)": [seconds("run", "--out", str(Path(folder) / f"s{n}")) for n in range(2)],
            "--help": [seconds("--help") for _ in range(options.runs)],
            "plan (quickstart)": [seconds("plan", quickstart) for _ in range(options.runs)],
        }
    medians = {name: statistics.median(values) for name, values in rows.items()}
    if options.json:
        print(json.dumps(medians))
    else:
        for name, value in medians.items():
            print(f"{name:32s} {value:7.2f} s  (median of {len(rows[name])})")


if __name__ == "__main__":
    main()
