"""How much of a session's real time the computer costs, beyond what hides behind stage and scan.

    python benchmarks/session_share.py [CONFIG] [--beam-time 120] [--json]

The session runs in real time: a simulated second takes a second. Whatever the wall clock shows between the
first and the last frame beyond the microscope's own clock is the computer's: deciding, segmenting, storing,
and here also rendering the simulated frames, which a real microscope would not cost.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from autoscope.app.loading import load_config
from autoscope.app.running import run_session
from autoscope.records import FrameDocument, open_session


def main() -> None:
    """Runs one session in real time and prints the share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path)
    parser.add_argument("--beam-time", type=float, default=120.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    path = options.config or Path(str(files("autoscope.app").joinpath("quickstart.toml")))
    config = load_config(path, ["microscope.time_scale=1.0", f"budget.beam_time_s={options.beam_time}"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "session"
        result = run_session(config, folder)
        frames = [d for d in open_session(folder).documents() if isinstance(d, FrameDocument)]
    frames = [d for d in frames if d.purpose == "field"]
    first, last = frames[0], frames[-1]
    wall_s = (datetime.fromisoformat(last.time) - datetime.fromisoformat(first.time)).total_seconds()
    beam_s = last.driver.clock_s - first.driver.clock_s
    share = (wall_s - beam_s) / wall_s
    facts = {"fields": len(frames), "wall_s": wall_s, "microscope_s": beam_s, "computer_share": share}
    if options.json:
        print(json.dumps(facts | {"model": result.model.kind}))
    else:
        print(
            f"{len(frames)} fields with the {result.model.kind} model: {wall_s:.1f} s real time, of which the"
            f" microscope {beam_s:.1f} s; the computer's share {100 * share:.1f} %"
        )


if __name__ == "__main__":
    main()
