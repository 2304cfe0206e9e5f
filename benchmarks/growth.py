"""Runs many sessions in one process and counts what they leave behind.

    python benchmarks/growth.py [--sessions 100] [--over epics|simulated] [--json]

Threads, file descriptors, sockets and child processes must be as many after the last session as after the
fifth; the memory's slope over the second half is printed. Exit status 1 if something grew.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import served_ioc

SETTLED = 5
"""Sessions after which everything that is loaded once has been."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds."""

    session: int
    threads: int
    descriptors: int
    sockets: int
    children: int
    memory_mib: float


def held(session: int) -> Held:
    process = psutil.Process()
    return Held(
        session,
        threading.active_count(),
        process.num_fds(),
        len(process.net_connections(kind="all")),
        len(process.children(recursive=True)),
        round(process.memory_info().rss / 2**20, 1),
    )


def main() -> int:
    """Runs the sessions and prints what was held after some of them."""
    served_ioc.on_loopback()
    from fault_cases import CONFIG, PREFIX, blocks

    from autoscope.app import run_session
    from autoscope.app.loading import config_from

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--over", choices=("epics", "simulated"), default="epics")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import tomllib

    rows: list[Held] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        blocks(root / "blocks.h5")
        document = tomllib.loads(CONFIG)
        document["budget"]["frames"] = 7
        if options.over == "simulated":
            document["microscope"] = {"kind": "simulated", "specimen": str(root / "blocks.h5")}
        arguments = ("--prefix", PREFIX, "--time-scale", "0.002", "--ideal")
        with served_ioc.ServedIOC(root / "ioc.log", str(root / "blocks.h5"), *arguments):
            for number in range(1, options.sessions + 1):
                run_session(config_from(document | {"seed": number}), root / f"s{number}")
                rows.append(held(number))
                if not options.json and (number % 10 == 0 or number == SETTLED):
                    print(rows[-1], flush=True)
    half = rows[len(rows) // 2 :]
    slope = float(np.polyfit([row.session for row in half], [row.memory_mib for row in half], 1)[0])
    first, last = rows[min(SETTLED, len(rows)) - 1], rows[-1]
    kinds = ("threads", "descriptors", "sockets", "children")
    grown = [kind for kind in kinds if getattr(last, kind) > getattr(first, kind)]
    if options.json:
        print(json.dumps({"rows": [asdict(r) for r in rows], "mib_per_session": slope, "grown": grown}))
    else:
        print(
            f"memory over the second half: {slope:+.3f} MiB per session;"
            f" grown: {', '.join(grown) or 'nothing'}"
        )
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
