"""Do intervals cover the truth on a specimen with planted defects? Many sessions on fields measured once.

    python benchmarks/unfamiliar_coverage.py --sessions 200

The specimen is ferrite-pearlite steel with regions of another alloy and of the mount, places that charge
and places out of the plane. Every field is imaged once with the simulated microscope, segmented and judged
by the shipped model, and looked at again by the code of a session where it looks unfamiliar; sessions are
then run on that table, each with its own draws. The truth is that of the specimen file: planted pixels are
not pearlite, whatever the model makes of them. For comparison the same sessions take every frame at its
face value (``unfamiliar = "off"``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from coverage import Session, make
from numpy.typing import NDArray
from overviews import overview
from scipy.special import betaincinv

from autoscope.core import Frame, ImagingSettings, InstrumentError, StagePosition
from autoscope.estimation import area_fraction
from autoscope.perception import load_segmenter, shipped_model
from autoscope.perception.overview_card import shipped_reader
from autoscope.perception.overview_groups import overview_groups
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.session import SegmentingMeasurer, TargetMeasure
from autoscope.session.second_look import SecondLook, Settled
from autoscope.survey import FieldGrid, Statistics, Survey, TableSource, Target, lay_grid, run
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, write_specimen
from autoscope_simulators.synthetic import generate
from autoscope_simulators.synthetic.foreign import plant_foreign

PHASE = "pearlite"
REFERENCE = ImagingSettings(32.0, 256, 256, 3.0)
FIELD_PX = 32
PLANTED = Imperfections(relief_per_mm2=8.0, charging_per_mm2=4.0)


@dataclass(frozen=True, slots=True)
class Population:
    """Every field of the specimen, measured once.

    Attributes:
        grid: the fields.
        truth: of the specimen.
        values: ``1 x fields``, with second looks.
        lost: fields at their worst case.
        face_values: ``1 x fields``, first looks taken at their face value.
        groups: what the overview says.
        actions: how many fields ended how.
    """

    grid: FieldGrid
    truth: float
    values: NDArray[np.float64]
    lost: frozenset[int]
    face_values: NDArray[np.float64]
    groups: tuple[NDArray[np.float64], ...]
    actions: dict[str, int]


class Bench:
    """The imaging that a second look needs, without journal and session."""

    def __init__(self, microscope: SimulatedMicroscope) -> None:
        self.microscope, self.journal = microscope, types.SimpleNamespace(warn=print)
        self.plane = microscope.beam()
        self.recovery = types.SimpleNamespace(attempt=lambda what, first, again: first())

    def visit(self, place: StagePosition) -> Frame:
        """The first look, with the focus that the session has found for the plane."""
        self.microscope.move_to(place)
        wanted_mm = self.microscope.column.plane_mm(self.off_relief(place), self.microscope.clock.now_s())
        self.microscope.set_beam(replace(self.plane, working_distance_mm=wanted_mm))
        return self.microscope.acquire_image(REFERENCE)

    def off_relief(self, place: StagePosition) -> StagePosition:
        """The place as the plane through the specimen knows it: where relief raised it, lower by as much."""
        raised = self.microscope.column.relief_um(place)
        return replace(place, z_um=place.z_um - raised)

    def go_back(self, place: StagePosition) -> None:
        """The stage has not left."""

    def arrive(self) -> None:
        """Nor has it to arrive."""

    def take_again(self, field: int, *, refocus: bool) -> tuple[Frame, int]:
        """The second look, focused where that is asked."""
        if refocus:
            with suppress(InstrumentError):  # a place without contrast
                self.microscope.autofocus()
        return self.microscope.acquire_image(REFERENCE), field


def population(size_um: float, seed: int, share: float) -> Population:
    """Makes the specimen and measures it."""
    data = generate(PHASE, seed=seed, size_um=(size_um, size_um))
    planted = plant_foreign(data, ("superalloy", "mount"), share, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "specimen.h5"
        write_specimen(planted, path)
        specimen = SpecimenFile(path)
        with SimulatedMicroscope(specimen, seed=seed, imperfections=PLANTED) as microscope:
            grid = lay_grid(specimen.extent, specimen.tiles, REFERENCE.hfw_um, REFERENCE.vfw_um)
            truth = np.array(list(true_values(specimen, grid)))
            settled = list(measured(microscope, grid))
            frames = overview(specimen, REFERENCE.hfw_um / FIELD_PX, 512, 1.0, seed)
    groups = overview_groups(frames, grid.x_um, grid.y_um, grid.hfw_um, grid.vfw_um, reader=shipped_reader())
    return Population(
        grid,
        float(truth @ grid.weight),
        np.array([[s.best.measurement.value[0] for s, _ in settled]]),
        frozenset(i for i, (s, _) in enumerate(settled) if s.worst_case),
        np.array([[value for _, value in settled]]),
        groups,
        dict(Counter(ending(s) for s, _ in settled)),
    )


def true_values(specimen: SpecimenFile, grid: FieldGrid) -> Iterator[float]:
    index = (specimen.class_names or ()).index(PHASE)
    for field in range(len(grid)):
        yield area_fraction(specimen.truth_window(grid.rectangle(field)), index)


def measured(microscope: SimulatedMicroscope, grid: FieldGrid) -> Iterator[tuple[Settled, float]]:
    """Of every field: what was made of its looks, and the first look at its face value."""
    target = Target("area_fraction", PHASE, 0.02, None, 0.95)
    segmenter = load_segmenter(shipped_model(PHASE))
    measurer = SegmentingMeasurer(segmenter, grid, (TargetMeasure(target),), None)
    bench = Bench(microscope)
    looks = SecondLook(bench, measurer, "worst_case")  # type: ignore[arg-type]
    for field in range(len(grid)):
        place = StagePosition(float(grid.x_um[field]), float(grid.y_um[field]))
        frame = bench.visit(place)
        decision = types.SimpleNamespace(step=field, field=field)
        settled = looks.settle(decision, frame, field, None, partial(_same, place))  # type: ignore[arg-type]
        first = measurer.measure(frame, field) if settled.documents else settled.best.measurement
        yield settled, float(first.value[0])
        if field % 32 == 31:
            print(f"{field + 1} of {len(grid)} fields measured", file=sys.stderr, flush=True)


def _same(place: StagePosition) -> StagePosition:
    return place


def ending(settled: Settled) -> str:
    if not settled.documents:
        return "familiar at first sight"
    if settled.worst_case:
        return "worst case"
    return "familiar when taken again" if not settled.note else "suspicious, measured"


def simulate(
    of: Population, values: NDArray[np.float64], lost: frozenset[int], half_width: float, seed: int
) -> Session:
    """One session on the table."""
    survey = Survey(
        grid=of.grid,
        targets=(Target("area_fraction", PHASE, half_width, None, 0.95),),
        policy=make("active"),
        predictor=OverviewPredictor(len(of.grid), 0.0, 1.0, of.groups),
        statistics=Statistics("standard", 0.2),
        seed=seed,
        travel_s=lambda distance_um: distance_um / 500.0 + 1.0,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )
    fields = run(survey, TableSource(values, lost=lost))
    state = survey.states()[0]
    low = -np.inf if state.ci_low is None else state.ci_low
    high = np.inf if state.ci_high is None else state.ci_high
    covered = bool(low - 1e-12 <= of.truth <= high + 1e-12)
    return Session(state.estimate - of.truth, low, high, covered, state.met, fields)


def row(name: str, sessions: list[Session]) -> dict[str, float | str]:
    """Coverage with its 99 % Monte-Carlo interval, and what it cost."""
    count, hits = len(sessions), sum(s.covered for s in sessions)
    found = {
        "unfamiliar": name,
        "sessions": count,
        "coverage": hits / count,
        "coverage_low": 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, 0.005)),
        "coverage_high": 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 0.995)),
        "bias": float(np.mean([s.error for s in sessions])),
        "half_width_mean": float(np.mean([(s.high - s.low) / 2 for s in sessions])),
        "reached": float(np.mean([s.met for s in sessions])),
        "fields_mean": float(np.mean([s.fields for s in sessions])),
    }
    print(
        f"{name:11} coverage {found['coverage']:.3f} [{found['coverage_low']:.3f},"
        f" {found['coverage_high']:.3f}]  bias {found['bias']:+.4f}"
        f"  half-width {found['half_width_mean']:.4f}"
        f"  reached {found['reached']:.2f}  fields {found['fields_mean']:.0f}",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--size-um", type=float, default=1024.0)
    parser.add_argument("--share", type=float, default=0.03, help="of the area that is foreign")
    parser.add_argument("--half-width", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    of = population(options.size_um, options.seed, options.share)
    said = ", ".join(f"{n} {what}" for what, n in sorted(of.actions.items()))
    print(f"{len(of.grid)} fields: {said}; truth {of.truth:.4f}", flush=True)
    cases = {"worst_case": (of.values, of.lost), "off": (of.face_values, frozenset[int]())}
    rows = [
        row(name, [simulate(of, *case, options.half_width, seed) for seed in range(options.sessions)])
        for name, case in cases.items()
    ]
    if options.json:
        print(json.dumps({"schema": "autoscope.unfamiliar-coverage/1", "fields": of.actions, "rows": rows}))


if __name__ == "__main__":
    main()
