"""Does the census by class cover what it says, and what does the trigger save? Sessions over tables.

    python benchmarks/eds_census.py --sessions 500 --relative 0.35 --out census.jsonl
    python benchmarks/eds_census.py --sessions 200 --hfw-um 76.8 --relative 0.2 --classes oxide --cost

Every field of a synthetic steel is imaged once by the simulated microscope, segmented by the shipped model,
and every inclusion of it gets a spectrum with a sequential stop. The sessions draw fields and spectra from
these tables with the code that sessions run: survey, trigger, two-phase values, learning of what the image
classes are made of. Truth: what spectra of every feature on every field give. ``honest``: the model's
probabilities; ``swapped``: they say oxide where they mean sulphide, nitride where they mean oxide, and are
sure of it. ``--cost`` prints seconds of beam time for the trigger against spectra of everything.
``--out`` keeps every session that was run, and goes on with those that are missing; ``--tables`` keeps the
tables, which are the same for all targets on fields of one size.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from coverage import interval_99
from numpy.typing import NDArray

from autoscope.app import build
from autoscope.app.config import Config
from autoscope.app.eds import extra_cost_of, spectroscopy_of
from autoscope.app.loading import config_from, read_toml
from autoscope.app.preparing import groups_of, predictor_of, preparer
from autoscope.app.running import check
from autoscope.core import StagePosition
from autoscope.session import Spectroscopy
from autoscope.session.candidates import Candidate, find_candidates
from autoscope.session.overview import overview_tiles
from autoscope.session.spectroscopy import Sight, Verdict
from autoscope.survey import Decision, FieldGrid, Outcome, Statistics, Survey, run
from autoscope_simulators import Timing

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "inclusions.toml"
IMAGE_CLASSES = ("matrix", "oxide", "sulphide", "nitride")
SWAP = {"oxide": "sulphide", "sulphide": "nitride", "nitride": "oxide"}
SURE = 0.95


@dataclass(frozen=True, slots=True)
class Feature:
    """A candidate and what its spectrum showed, with the live time of that."""

    candidate: Candidate
    verdict: Verdict
    live_s: float


@dataclass(frozen=True, slots=True)
class Tables:
    """All that a specimen has to tell."""

    config: Config
    grid: FieldGrid
    groups: tuple[NDArray[np.float64], ...]
    fields: tuple[tuple[Feature, ...], ...]


def tabulate(config: Config) -> Tables:
    """Images, segments and takes every spectrum of a specimen once."""
    checked = check(config)
    with checked.microscope as microscope:
        grid, settings = checked.grid, build.settings_of(config, checked.specimen, checked.microscope)
        microscope.set_beam(settings.beam)
        frames = []
        for tile in overview_tiles(grid, settings.overview, microscope.envelope):
            microscope.move_to(tile)
            microscope.autofocus()
            frames.append(microscope.acquire_image(settings.overview))
        prepared = preparer(config, checked.specimen, grid, checked.model, microscope)(frames)
        eds = prepared.spectroscopy
        assert eds is not None
        fields = []
        for field in range(len(grid)):
            microscope.move_to(StagePosition(float(grid.x_um[field]), float(grid.y_um[field])))
            if field % 100 == 0:
                microscope.autofocus()
            frame = microscope.acquire_image(settings.reference)
            seen = prepared.measurer.measure(frame, field).seen
            found = find_candidates(seen, tuple(eds.plan.groups), eds.plan.min_feature_um)
            features = []
            for candidate in found:
                spectrum = microscope.watch_spectrum(eds.plan.rule.looks_s(), eds.enough, candidate.spot_um)
                axis = config_axis(spectrum)
                features.append(Feature(candidate, eds.verdict(spectrum.counts, axis), spectrum.live_s))
            fields.append(tuple(features))
        groups = groups_of(grid, frames, "trained")
    return Tables(config, grid, groups, tuple(fields))


def kept_tables(options: argparse.Namespace) -> Tables:
    """The tables of the command line, from its file where that is there, which must be this program's own."""
    if options.tables is None or not options.tables.exists():
        made = tabulate(configured(options))
        if options.tables is not None:
            options.tables.write_bytes(pickle.dumps(made))
        return made
    tables: Tables = pickle.loads(options.tables.read_bytes())
    return replace(tables, config=configured(options))


def enlarged(tables: Tables, side: int) -> Tables:
    """A region of ``side x side`` fields, each a copy of one of the specimen's, turned at every seam."""
    grid = tables.grid
    columns, rows = int(grid.column.max()) + 1, int(grid.row.max()) + 1
    at = np.empty((rows, columns), np.intp)
    at[grid.row, grid.column] = np.arange(len(grid))
    row, column = np.divmod(np.arange(side**2), side)
    of = at[_folded(row, rows), _folded(column, columns)]
    larger = replace(
        grid, x_um=grid.x_um.min() + column * grid.hfw_um, y_um=grid.y_um.min() + row * grid.vfw_um, row=row,
        column=column, weight=grid.valid_fraction[of] / grid.valid_fraction[of].sum(),
        valid_fraction=grid.valid_fraction[of],
    )  # fmt: skip
    groups = tuple(group[of] for group in tables.groups)
    return Tables(tables.config, larger, groups, tuple(tables.fields[i] for i in of.tolist()))


def _folded(place: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Counts up to a length, back again, and so on."""
    at = place % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)


def config_axis(spectrum):  # type: ignore[no-untyped-def]
    """The energy axis of a spectrum."""
    from autoscope.xray import EnergyAxis

    return EnergyAxis.of(spectrum)


class FeatureSource:
    """Fields and spectra from tables, by the session's own trigger."""

    def __init__(self, tables: Tables, eds: Spectroscopy, timing: Timing, miscalibrated: bool) -> None:
        self._tables, self._eds, self._timing, self._wrong = tables, eds, timing, miscalibrated
        self.seconds = self.live_s = 0.0
        self.spectra = 0
        self._at = (0.0, 0.0)

    def travel(self, decision: Decision) -> None:
        """Costs the way."""
        grid, before = self._tables.grid, self._at
        self._at = float(grid.x_um[decision.field]), float(grid.y_um[decision.field])
        self.seconds += float(
            self._timing.travel_s(np.hypot(self._at[0] - before[0], self._at[1] - before[1]))
        )

    def acquire(self, decision: Decision) -> None:
        """Costs the frame."""
        self.seconds += self._timing.image_s(build.imaging(self._tables.config.imaging.reference))

    def collect(self, decision: Decision) -> Outcome:
        """Draws the spectra of a field, as a session does, and looks them up."""
        eds, tables = self._eds, self._tables
        features = tables.fields[decision.field]
        candidates = tuple(swapped(f.candidate) if self._wrong else f.candidate for f in features)
        area_um2 = tables.grid.area_um2(decision.field)
        drawn = eds.draw(candidates, area_um2, decision.error_weight, decision.step, decision.eds_price)
        sight = Sight(None, candidates, *drawn)  # type: ignore[arg-type]
        seen = {j: (features[j].verdict, features[j].live_s) for j in np.flatnonzero(sight.taken).tolist()}
        measured = eds.measured(sight, seen)
        eds.learn(decision, decision.predicted, area_um2, measured.candidates)
        extra_s = eds.plan.reading_s + sum(
            self._timing.spectrum_overhead_s + live_s for _, live_s in seen.values()
        )
        self.seconds += extra_s
        self.spectra += len(seen)
        self.live_s += sum(live_s for _, live_s in seen.values())
        return Outcome(measured.value, "", measured.variance, extra_s)


def swapped(candidate: Candidate) -> Candidate:
    """What a classifier says that is wrong and sure of it."""
    best = max(candidate.image, key=lambda name: candidate.image[name])
    others = (1 - SURE) / (len(candidate.image) - 1)
    image = {name: SURE if name == SWAP[best] else others for name in candidate.image}
    return replace(candidate, image=image)


@cache
def tables_of(path: Path) -> Tables:
    """What was tabulated, read once in each process."""
    tables: Tables = pickle.loads(path.read_bytes())  # this program's own file
    return tables


def fresh_spectroscopy(config: Config, tables: Tables) -> Spectroscopy:
    """A session's spectroscopy that has learnt nothing yet."""
    microscope, measures = _Costs(build.timing_of(config)), build.targets_of(config)
    return spectroscopy_of(config, tables.grid, microscope, measures, IMAGE_CLASSES)  # type: ignore[arg-type]


@cache
def truths(path: Path) -> NDArray[np.float64]:
    """``targets``: what spectra of every feature give."""
    tables = tables_of(path)
    eds = fresh_spectroscopy(tables.config, tables)
    total = np.zeros(len(tables.config.targets))
    for field, features in enumerate(tables.fields):
        candidates = tuple(f.candidate for f in features)
        prior, sizes, _, _ = eds.draw(candidates, tables.grid.area_um2(field), 1.0, 0)
        everything = np.ones(len(features), bool)
        sight = Sight(None, candidates, prior, sizes, np.ones(len(features)), everything)  # type: ignore[arg-type]
        seen = {j: (f.verdict, f.live_s) for j, f in enumerate(features)}
        total += tables.grid.weight[field] * eds.measured(sight, seen).value
    return total


def simulate(path: Path, policy: str, miscalibrated: bool, least: float, seed: int) -> Mapping[str, object]:
    """One session on the tables."""
    tables = tables_of(path)
    config = tables.config.model_copy(
        update={
            "seed": seed,
            "eds": tables.config.eds.model_copy(update={"least_probability": least}),
        }
    )
    timing = build.timing_of(config)
    microscope = _Costs(timing)
    eds, truth = fresh_spectroscopy(config, tables), truths(path)
    targets = tuple(m.target for m in build.targets_of(config))
    survey = Survey(
        grid=tables.grid, targets=targets, policy=build.make_policy(policy),
        predictor=predictor_of(len(tables.grid), targets, tables.groups),
        statistics=Statistics(config.statistics.tier, config.policy.exploration), seed=seed,
        travel_s=timing.travel_s, visit_s=timing.image_s(build.imaging(config.imaging.reference)),
        start_xy_um=(0.0, 0.0), extra=extra_cost_of(config, microscope, targets),  # type: ignore[arg-type]
    )  # fmt: skip
    source = FeatureSource(tables, eds, timing, miscalibrated)
    fields = run(survey, source)
    states = survey.states()
    inside = [
        bool(s.ci_low is not None and s.ci_high is not None and s.ci_low <= t <= s.ci_high)
        for s, t in zip(states, truth, strict=True)
    ]
    errors = [(s.estimate - t) / t for s, t in zip(states, truth, strict=True)]
    return {
        "seed": seed, "inside": inside, "errors": errors, "fields": fields, "spectra": source.spectra,
        "seconds": source.seconds, "live_s": source.live_s, "truth": truth.tolist(),
        "met": all(s.met for s in states),
    }  # fmt: skip


class _Costs:
    """What the parts of a session ask a microscope for: predictions alone."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing

    def predict_travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._timing.travel_s(distance_um)

    def predict_image_s(self, imaging):  # type: ignore[no-untyped-def]
        return self._timing.image_s(imaging)

    def predict_spectrum_s(self, live_s: float) -> float:
        return self._timing.spectrum_overhead_s + live_s


class Kept:
    """Sessions that were run before, in a file of JSON lines; in no file where none is named.

    Args:
        out: the file.
        what: everything that a session's result depends on beside its seed.
    """

    def __init__(self, out: Path | None, what: Mapping[str, object]) -> None:
        self._out, self._key = out, json.dumps(what, sort_keys=True)
        lines = out.read_text().splitlines() if out is not None and out.exists() else []
        rows = map(json.loads, lines)
        self.rows = {row["seed"]: row for row in rows if row["of"] == self._key}

    def add(self, row: Mapping[str, object]) -> None:
        """Keeps a session's result."""
        self.rows[row["seed"]] = row
        if self._out is not None:
            with self._out.open("a") as file:
                file.write(json.dumps({"of": self._key, **row}) + "\n")


def sessions(
    path: Path, policy: str, wrong: bool, least: float, options: argparse.Namespace
) -> list[Mapping[str, object]]:
    """Many sessions with seeds from 0."""
    specimen = {"specimen": options.specimen_seed, "hfw_um": options.hfw_um, "side": options.side}
    asked = {"classes": options.classes, "relative": options.relative}
    kept = Kept(options.out, {**specimen, **asked, "policy": policy, "wrong": wrong, "least": least})
    missing = [seed for seed in range(options.sessions) if seed not in kept.rows]
    one = partial(simulate, path, policy, wrong, least)
    for row in mapped(one, missing, options.jobs):
        kept.add(row)
    return [kept.rows[seed] for seed in range(options.sessions)]


def mapped(one: partial[Mapping[str, object]], seeds: list[int], jobs: int) -> Iterable[Mapping[str, object]]:
    """Results in the order of the seeds, from this process where one is enough."""
    if jobs == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, seeds, chunksize=max(1, len(seeds) // (8 * jobs)))


def print_coverage(name: str, classes: Sequence[str], rows: list[Mapping[str, object]]) -> None:
    """Coverage of each class with its 99 % Monte-Carlo interval, and what sessions took."""
    mean = {key: np.mean([row[key] for row in rows]) for key in ("fields", "spectra", "seconds", "live_s")}
    print(
        f"{name}: {len(rows)} sessions, {mean['fields']:.0f} fields, {mean['spectra']:.0f} spectra,"
        f" {mean['seconds']:.0f} s, live time {mean['live_s']:.1f} s,"
        f" met {100 * np.mean([row['met'] for row in rows]):.0f} %"
    )
    for k, label in enumerate(classes):
        hits = sum(bool(row["inside"][k]) for row in rows)  # type: ignore[index]
        low, high = interval_99(hits, len(rows))
        errors = np.array([row["errors"][k] for row in rows], float)  # type: ignore[index]
        print(
            f"    {label:12} truth {rows[0]['truth'][k]:7.1f} /mm2, coverage {hits / len(rows):.3f}"  # type: ignore[index]
            f" [{low:.3f}, {high:.3f}], bias {100 * errors.mean():+.1f} %, error {100 * errors.std():.1f} %",
            flush=True,
        )


def configured(options: argparse.Namespace) -> Config:
    """The shipped configuration with the specimen, the fields and the targets of the command line."""
    document = read_toml(CONFIG)
    document["microscope"]["specimen_seed"] = options.specimen_seed
    document["imaging"]["reference"].update(
        hfw_um=options.hfw_um,
        width_px=round(options.hfw_um / 0.3),
        height_px=round(options.hfw_um / 0.3),
    )
    document["targets"] = [
        {"quantity": "inclusions_per_mm2", "class": c, "min_feature_um": 1.5, "relative": options.relative}
        for c in options.classes
    ]
    document["budget"] = {}
    return config_from(document, name=str(CONFIG))


def parser_of(description: str) -> argparse.ArgumentParser:
    """The part of the command line that says which tables."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--specimen-seed", type=int, default=0)
    parser.add_argument("--hfw-um", type=float, default=38.4)
    parser.add_argument("--relative", type=float, default=0.25)
    parser.add_argument("--classes", nargs="+", default=["sulphide", "oxide", "nitride"])
    parser.add_argument("--tables", type=Path, help="file that keeps the tables of the specimen (a pickle)")
    return parser


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--policies", nargs="+", default=["proportional"])
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--side", type=int, help="a region of so many fields squared, made of copies")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file of JSON lines that keeps the sessions")
    options = parser.parse_args()
    tables = kept_tables(options)
    if options.side is not None:
        tables = enlarged(tables, options.side)
    features = sum(map(len, tables.fields))
    print(f"{len(tables.fields)} fields with {features} features of 1.5 um and more")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.pickle"
        path.write_bytes(pickle.dumps(tables))
        for policy in options.policies:
            everything = [("spectra of everything", False, 1.0)] if options.cost else []
            for name, wrong, least in [
                ("honest classifier", False, 0.05),
                *everything,
                ("swapped classifier", True, 0.05),
            ]:
                rows = sessions(path, policy, wrong, least, options)
                print_coverage(f"{policy}, {name}", options.classes, rows)


if __name__ == "__main__":
    main()
