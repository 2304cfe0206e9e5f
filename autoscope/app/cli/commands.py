"""Which commands there are and what they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscope.app.cli import label_parsers as labels
from autoscope.app.cli.arguments import at_least_two as _at_least_two
from autoscope.app.cli.arguments import new_command as _new
from autoscope.app.cli.arguments import port as _port
from autoscope.app.cli.arguments import positive as _positive
from autoscope.app.cli.arguments import seed as _seed
from autoscope.app.cli.classify import parsers as classify
from autoscope.app.cli.segment import parsers as segment


def add_all(subparsers: Any) -> None:
    """Adds every command to the parser."""
    for add in (
        _run, _plan, _report, _replay, _specimen, segment.add, classify.add, _train, _benchmark, _serve,
        labels.add, _ioc, _doctor,
    ):  # fmt: skip
        add(subparsers)


def _run(subparsers: Any) -> None:
    new = _new(
        subparsers,
        "run",
        "Run one autonomous session; without CONFIG the quickstart on an embedded specimen.",
        "run:run",
    )
    new.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML configuration")
    new.add_argument("--out", type=Path, metavar="DIR", help="session folder (default: sessions/TIME-NAME)")
    new.add_argument("--seed", type=_seed, metavar="N", help="replaces the configuration's seed")
    new.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="replaces a value; values are TOML, as in targets.0.half_width=0.02",
    )
    new.add_argument("--resume", type=Path, metavar="DIR", help="go on with an interrupted session")


def _plan(subparsers: Any) -> None:
    new = _new(subparsers, "plan", "Say what a session would image and cost. Touches nothing.", "plan:run")
    new.add_argument("config", type=Path, metavar="CONFIG")
    new.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY.PATH=VALUE")


def _report(subparsers: Any) -> None:
    new = _new(
        subparsers, "report", "Rebuild result.json and report.html from a session folder.", "report:run"
    )
    new.add_argument("folder", type=Path, metavar="DIR")
    new.add_argument(
        "--explain", nargs="+", default=[], metavar="FIELD",
        help="show what the model looked at on these fields; 'influential': those that moved the answer most",
    )  # fmt: skip


def _replay(subparsers: Any) -> None:
    new = _new(
        subparsers,
        "replay",
        "Say what another policy would have done on what a session recorded. Touches nothing.",
        "replay:run",
    )
    new.add_argument("folder", type=Path, metavar="DIR")
    new.add_argument("--policy", required=True, metavar="NAME", help="uniform, active, learned, ...")
    new.add_argument("--weights", type=Path, metavar="FILE", help="of a learned policy")
    new.add_argument(
        "--option", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="the policy's own parameters, as in batch=4",
    )  # fmt: skip


def _specimen(subparsers: Any) -> None:
    group = subparsers.add_parser("specimen", help="Make specimens and say what is true of them.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = _new(inner, "import", "Make a specimen file from stored micrographs.", "specimen:run_import")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    new.add_argument(
        "--mask", nargs="+", action="extend", default=[], type=Path, metavar="MASK",
        help="class masks, in the images' order",
    )  # fmt: skip
    new.add_argument("--pixel-nm", type=float, metavar="X", help="pixel size, where the images do not tell")
    new.add_argument("--classes", metavar="A,B,C", help="class names in mask-value order")
    new.add_argument(
        "--map-current-pa", type=float, metavar="X",
        help="beam current of a spectrum image (.bcf); the session's where it is not given",
    )  # fmt: skip
    new.add_argument("--name", help="name of the specimen (default: the file's)")
    new.add_argument("--detector", default="bse", choices=("bse", "se"))
    new.add_argument("--source", default="", help="where the images come from; printed in every report")
    new.add_argument("--licence", default="", help="their licence; printed in every report")
    new.add_argument(
        "--keep-black", action="store_true", help="treat large areas of exactly black pixels as specimen"
    )
    new.add_argument("-o", "--output", type=Path, required=True, metavar="F.h5")
    new = _new(inner, "generate", "Make a synthetic specimen with exact truth.", "specimen:run_generate")
    new.add_argument("kind", metavar="KIND", help="pearlite, inclusions, superalloy")
    new.add_argument("--seed", type=_seed, default=0, metavar="N")
    new.add_argument("--size-um", nargs=2, type=float, metavar=("W", "H"))
    new.add_argument(
        "--foreign", nargs="+", default=[], metavar="KIND",
        help="plant regions of other kinds, or of the mount, which have no class of the specimen",
    )  # fmt: skip
    new.add_argument(
        "--foreign-share", type=float, default=0.0, metavar="X", help="share of the area that is planted"
    )
    new.add_argument("-o", "--output", type=Path, required=True, metavar="F.h5")
    new = _new(
        inner, "truth", "Print the true value of every quantity of a configuration.", "specimen:run_truth"
    )
    new.add_argument("specimen", nargs="?", metavar="SPECIMEN", help="a file or synthetic:KIND")
    new.add_argument("--config", type=Path, required=True, metavar="CONFIG")


def _train(subparsers: Any) -> None:
    new = _new(subparsers, "train", "Train a policy in simulation.", "train:run")
    new.add_argument(
        "config", type=Path, metavar="CONFIG", help="a TOML training, as configs/train_survey.toml"
    )
    new.add_argument("--out", type=Path, metavar="DIR", help="results (default: trained-policies/NAME)")
    new.add_argument("--seed", type=_seed, metavar="N", help="train with this seed alone")
    new.add_argument("--steps", type=_positive, metavar="N", help="replaces the configuration's")
    new.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY.PATH=VALUE",
        help="replaces a value, as in training.ppo.batch=128",
    )  # fmt: skip
    new.add_argument(
        "--resume", action="store_true", help="go on with the training that is kept in the folder"
    )
    new.add_argument(
        "--jobs", type=_positive, metavar="N", help="seeds that are trained at once (default: one a core)"
    )
    new.add_argument("--ray", metavar="ADDRESS", help="train on a Ray cluster; auto: the one of this machine")


def _benchmark(subparsers: Any) -> None:
    new = _new(
        subparsers,
        "benchmark",
        "Compare policies on specimens whose truth is known. A second call goes on where one was stopped.",
        "benchmark:run",
    )
    new.add_argument(
        "config", type=Path, metavar="CONFIG", help="a TOML benchmark, as configs/benchmark.toml"
    )
    new.add_argument("--episodes", type=_at_least_two, metavar="N", help="replaces the configuration's")
    new.add_argument(
        "--out", type=Path, metavar="DIR", help="results and cache (default: benchmark-results/NAME)"
    )
    new.add_argument("--jobs", type=_positive, metavar="N", help="processes (default: one for each core)")
    new.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster; auto: the one of this machine")


def _serve(subparsers: Any) -> None:
    new = _new(
        subparsers,
        "serve",
        "Serve live sessions and the labelling page; the first line printed is the link to open.",
        "serve:run",
        as_json=False,
    )
    new.add_argument(
        "--sessions", type=Path, default=Path("sessions"), metavar="DIR",
        help="the folder of the session folders, or one session folder (default: sessions)",
    )  # fmt: skip
    new.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default: loopback)"
    )
    new.add_argument(
        "--port", type=_port, default=8000, metavar="P", help="0 takes a free one (default: 8000)"
    )
    new.add_argument(
        "--queue", metavar="URL", help="label requests: sqlite:///labels.db, postgresql://HOST/NAME"
    )
    new.add_argument(
        "--expert", nargs="+", action="extend", default=[], metavar="NAME",
        help="who may answer label requests (default: whoever gives a name)",
    )  # fmt: skip
    new.add_argument(
        "--guidelines", type=Path, metavar="F.toml", help='what each class is: lines of class = "text"'
    )
    new.add_argument(
        "--models", nargs="+", action="extend", type=Path, default=[], metavar="FILE|DIR",
        help="weights of models whose predictions experts may ask to have explained, beside the shipped ones",
    )  # fmt: skip
    new.add_argument("--token", metavar="T", help="what every request must carry (default: a new secret)")


def _ioc(subparsers: Any) -> None:
    new = _new(
        subparsers,
        "ioc",
        "Serve the simulated microscope over EPICS Channel Access, as a rehearsal for a real one.",
        "ioc:run",
        as_json=False,
    )
    new.add_argument(
        "specimen", nargs="?", metavar="SPECIMEN", help="a file or synthetic:KIND (default: the quickstart's)"
    )
    new.add_argument("--prefix", default="SEM:", metavar="P", help="of all PV names (default: SEM:)")
    new.add_argument(
        "--time-scale", type=float, default=1.0, metavar="S",
        help="real seconds for each simulated one (default: 1; 0.1 runs ten times as fast)",
    )  # fmt: skip
    new.add_argument("--seed", type=_seed, default=0, metavar="N", help="of noise and drift")
    new.add_argument("--ideal", action="store_true", help="no noise, no drift, always in focus")


def _doctor(subparsers: Any) -> None:
    new = _new(subparsers, "doctor", "Say what works here: versions, GPU, disk, specimen.", "doctor:run")
    new.add_argument("config", nargs="?", type=Path, metavar="CONFIG")
