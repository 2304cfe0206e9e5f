"""Strikes sessions over EPICS with every kind of fault, and checks what no fault may cause.

    python benchmarks/fault_campaign.py [--seeds 20] [--kinds "line cut" ...] [--results FILE] [--json]

Each case is a whole session against ``autoscope ioc`` with one fault at a random moment. It must end within
its deadline; the stage was never sent outside the envelope (the IOC keeps the extremes); the beam is blanked;
every acknowledged frame is on disk and measured; and the interval still covers the truth as often as it says.
With ``--results`` an interrupted campaign goes on where it was. Exit status 1 if a case has a problem.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import json
import sys
import tempfile
from pathlib import Path

import served_ioc

TIME_SCALE = 0.02


def main() -> int:
    """Runs the campaign and prints a table."""
    served_ioc.on_loopback()
    from fault_cases import DEADLINE_S, KINDS, PREFIX, Case, Outcome, blocks

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, metavar="KIND")
    parser.add_argument("--results", type=Path, help="a line for each case; cases in there are not run again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    outcomes = [] if options.results is None else _read(options.results, Outcome)
    done = {(outcome.kind, outcome.seed) for outcome in outcomes}
    todo = [(k, s) for s in range(options.seeds) for k in options.kinds if (k, s) not in done]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        truth = blocks(root / "blocks.h5")
        arguments = ("--prefix", PREFIX, "--time-scale", f"{TIME_SCALE}", "--ideal")
        with served_ioc.ServedIOC(root / "ioc.log", str(root / "blocks.h5"), *arguments) as ioc:
            for kind, seed in todo:
                folder = root / f"case-{kind.replace(' ', '-')}-{seed}"
                folder.mkdir()
                faulthandler.dump_traceback_later(3 * DEADLINE_S, exit=True)  # a case that hangs says where
                outcome = Case(kind, seed, ioc, truth, folder).run()
                faulthandler.cancel_dump_traceback_later()
                outcomes.append(outcome)
                _keep(outcome, options.results, quiet=options.json)
    _print(outcomes, as_json=options.json)
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _read(path: Path, kind: type) -> list:
    if not path.exists():
        return []
    return [kind(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _keep(outcome: object, path: Path | None, *, quiet: bool) -> None:
    line = json.dumps(dataclasses.asdict(outcome))
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    if not quiet:
        print(line, flush=True)


def _print(outcomes: list, *, as_json: bool) -> None:
    rows = []
    for kind in dict.fromkeys(outcome.kind for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.kind == kind]
        said = [outcome.covered for outcome in of if outcome.covered is not None]
        rows.append(
            {
                "kind": kind,
                "cases": len(of),
                "with_problems": sum(bool(outcome.problems) for outcome in of),
                "slowest_s": max(outcome.took_s for outcome in of),
                "covered": sum(said),
                "intervals": len(said),
                "ended": sorted({outcome.ended for outcome in of}),
            }
        )
    if as_json:
        print(json.dumps(rows))
        return
    print(f"\n{'fault':20} cases  problems  slowest  covered  ended")
    for row in rows:
        share = f"{row['covered']}/{row['intervals']}"
        print(
            f"{row['kind']:20} {row['cases']:5d}  {row['with_problems']:8d}  {row['slowest_s']:5.1f} s "
            f" {share:>7}  {', '.join(row['ended'])}"
        )
    cases, covered = sum(r["cases"] for r in rows), sum(r["covered"] for r in rows)
    bad, intervals = sum(r["with_problems"] for r in rows), sum(r["intervals"] for r in rows)
    print(
        f"{cases} cases of {len(rows)} kinds, {bad} with problems; {covered} of {intervals} intervals cover"
    )


if __name__ == "__main__":
    sys.exit(main())
