"""Live time of a sequential stop against a fixed one at equal error; elements of a real map at half its dose.

    python benchmarks/eds_live_time.py --features 4000
    python benchmarks/eds_live_time.py --map ../shared/data/eds_p45/P45_8bit_compressed_80keV_range.bcf

Simulated features: class equally often, composition drawn from the class but its borders, where no live
time tells on which side it lies; log-normal diameter of 1 um and more (median 2 um), mixed with steel by the
electrons' range. ``exact``: spectra by the model that classifies. ``off``: another resolution, gain, beam
voltage and matrix than the model knows, and a smooth 5 % error of the efficiency. Fixed live times are scored
on a grid; the one of equal error is interpolated. Both name the most probable class.

The map: each pixel's counts are split at random; one half is the reference, the other is tested. Elements
that the sum of the whole map does not show are not looked for (``--everything``: all that are known).
``--neighbours`` adds to each half the same half of the eight neighbours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from autoscope.core import BeamSettings, Spectrum, StagePosition
from autoscope.eds import (
    STEEL,
    ClassModel,
    Identifier,
    InclusionClass,
    SequentialRule,
    calibrate,
    measure_sequentially,
    shipped_classes,
)
from autoscope.eds.identification import ELEMENTS
from autoscope.images import read_spectrum_image
from autoscope.xray import Detector, EnergyAxis, Geometry, compound, electron_range_um, expected_rate

AXIS = EnergyAxis()
MATRIX = "matrix"
GRID = 17
"""Fixed live times that are tried: powers of sqrt 2 from one first slice on."""

REFERENCE = ("Fe", "Ca", "Si", "Al", "K", "Na", "Mg", "Ti")
"""Elements of the real map (a dacite); oxygen, which is everywhere, is used to calibrate only."""

DENSITY, STEEL_DENSITY = 4.0, 7.85
"""Of every inclusion and of the steel, g/cm³, for the electrons' range."""

BORDER = 0.15
"""Share of each range at its ends that is left out."""

LEAST_UM = 1.0
"""Smaller inclusions are not classified."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A class and the counts per second that its spectrum has."""

    name: str
    rate: NDArray[np.float64]


def features(n: int, current_pa: float, world: str, seed: int) -> list[Feature]:
    """Inclusions of all classes but the matrix."""
    from scipy.stats import chi

    rng, found = np.random.default_rng(seed), []
    detector, geometry, axis, steel = Detector(), Geometry(), AXIS, STEEL
    sway = np.ones(AXIS.channels)
    if world == "off":
        detector, geometry = Detector(fwhm_mn_ka_ev=133.0), Geometry(kv=19.5, take_off_deg=37.0)
        axis, steel = EnergyAxis(AXIS.channels, 10.01, 3.0), {"Fe": 0.96, "Mn": 0.01, "Cr": 0.02, "Si": 0.01}
        sway = np.exp(0.05 * np.sin(AXIS.energies_ev / 900.0))
    around = expected_rate(steel, axis, detector, geometry)
    steel_um = electron_range_um(steel, STEEL_DENSITY, geometry.kv)
    classes = [inner(c) for c in shipped_classes() if c.name != MATRIX]
    for number in range(n):
        named = classes[number % len(classes)]
        material = compound(named.draw(1, rng)[0])
        ranges_um = electron_range_um(material, DENSITY, geometry.kv), steel_um
        diameter_um = max(LEAST_UM, 2.0 * np.exp(0.45 * rng.standard_normal()))
        share = 1.0
        for _ in range(4):
            sigma_um = (share * ranges_um[0] + (1 - share) * ranges_um[1]) / 3
            share = float(chi.cdf(diameter_um / 2 / sigma_um, 3))
        rate = share * expected_rate(material, axis, detector, geometry) + (1 - share) * around
        found.append(Feature(named.name, sway * rate * current_pa / 1000))
    return found


def inner(named: InclusionClass) -> InclusionClass:
    """A class without its borders, but for those at 0."""
    ranges = {
        element: (low + BORDER * (high - low) * (low > 0), high - BORDER * (high - low))
        for element, (low, high) in named.ranges.items()
    }
    return InclusionClass(named.name, ranges)


class Place:
    """A feature under the beam: spectra of any live time, each of new counts."""

    def __init__(self, feature: Feature, rng: np.random.Generator) -> None:
        self._rate, self._rng = feature.rate, rng

    def acquire(self, live_s: float) -> Spectrum:
        """A spectrum of a live time."""
        counts = self._rng.poisson(self._rate * live_s)
        return Spectrum(
            counts,
            live_s,
            live_s,
            AXIS.ev_per_channel,
            AXIS.offset_ev,
            StagePosition(0, 0),
            BeamSettings(),
            0.0,
        )


def equal_error_s(times_s: NDArray[np.float64], errors: NDArray[np.float64], error: float) -> float | None:
    """The fixed live time of an error, between the last that is worse and the next."""
    worse = np.flatnonzero(errors > error)
    if not len(worse):
        return float(times_s[0])
    if worse[-1] == len(times_s) - 1:
        return None
    a, b = worse[-1], worse[-1] + 1
    low, high = np.log(errors[a]), np.log(max(errors[b], 1e-6))
    part = (low - np.log(max(error, 1e-6))) / (low - high) if low > high else 1.0
    return float(np.exp(np.log(times_s[a]) + min(part, 1.0) * np.log(times_s[b] / times_s[a])))


def live_time(options: argparse.Namespace) -> None:
    model = ClassModel(shipped_classes(), AXIS)
    print(f"{options.features} features, {options.current_pa:g} pA, slices from {options.slice_s:g} s")
    for world in ("exact", "off"):
        people = features(options.features, options.current_pa, world, options.seed)
        rng = np.random.default_rng(options.seed + 1)
        times_s = options.slice_s * np.sqrt(2.0) ** np.arange(GRID)
        errors = np.array(
            [
                np.mean([model.posterior(rng.poisson(f.rate * t)).best != f.name for f in people])
                for t in times_s
            ]
        )
        print(f"{world}: fixed live times and their errors")
        for t, e in zip(times_s, errors, strict=True):
            print(f"    {t:7.3f} s: {100 * e:6.2f} %", flush=True)
        for confidence in options.confidence:
            rule = SequentialRule(options.slice_s, options.max_live_s, confidence)
            compare(people, model, rule, times_s, errors, rng)


def compare(
    people: Sequence[Feature],
    model: ClassModel,
    rule: SequentialRule,
    times_s: NDArray[np.float64],
    errors: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Prints one sequential rule beside the fixed live times."""
    verdicts = [measure_sequentially(Place(f, rng).acquire, model, rule) for f in people]
    wrong = np.array([v.posterior.best != f.name for v, f in zip(verdicts, people, strict=True)])
    live_s, error = np.array([v.live_s for v in verdicts]), float(wrong.mean())
    two_se = 196 * np.sqrt(error * (1 - error) / len(people))
    fixed_s = equal_error_s(times_s, errors, error)
    if fixed_s is None:
        verdict = f"no fixed time is as good: ratio above {times_s[-1] / live_s.mean():.1f}"
    else:
        verdict = f"equal error at a fixed {fixed_s:.3f} s: ratio {fixed_s / live_s.mean():.2f}"
    print(
        f"    sequential, stop at {rule.confidence:g}: {100 * error:.2f} % errors (+-{two_se:.2f}) at a mean"
        f" of {live_s.mean():.3f} s, median {np.median(live_s):.3f}, p95 {np.quantile(live_s, 0.95):.3f},"
        f" undecided {100 * np.mean([not v.decided for v in verdicts]):.2f} %; {verdict}",
        flush=True,
    )


def identification(options: argparse.Namespace) -> None:
    stored = read_spectrum_image(options.map)
    axis = EnergyAxis(stored.counts.shape[2], stored.ev_per_channel, stored.offset_ev)
    kv = stored.kv or 20.0
    found = calibrate(stored.counts.sum((0, 1)), axis, ["O", *REFERENCE], kv=kv)
    print(
        f"{options.map.name}: calibration off by {found.shift_low_ev:.1f} eV at 1 keV and"
        f" {found.shift_high_ev:.1f} eV at 6 keV, {found.detector.fwhm_mn_ka_ev:.0f} eV at Mn K-alpha"
    )
    cube = stored.counts.astype(np.int64)
    elements: Sequence[str] = ELEMENTS
    if not options.everything:
        shown = Identifier(found.axis, detector=found.detector, kv=kv).identify(cube.sum((0, 1))).elements
        elements = [element for element in ELEMENTS if element in {*shown, *REFERENCE}]
    print(f"looked for: {', '.join(elements)}")
    rng = np.random.default_rng(options.seed)
    rich = np.flatnonzero(cube.sum(axis=2).ravel() > 500)
    chosen = rng.choice(rich, min(options.pixels, len(rich)), replace=False)
    at = [elements.index(element) for element in REFERENCE]
    reference = rng.binomial(cube, 0.5)
    for threshold in options.threshold:
        identifier = Identifier(found.axis, elements, detector=found.detector, kv=kv, threshold=threshold)
        for dose in options.doses:
            tested = rng.binomial(cube - reference, 2 * dose)
            halves = [with_neighbours(h) if options.neighbours else h for h in (reference, tested)]
            first, second = (h.reshape(-1, axis.channels)[chosen] for h in halves)
            print(f"{threshold:g} standard errors: ", end="")
            score(identifier, list(zip(first, second, strict=True)), at, dose)


def with_neighbours(cube: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums over 3 x 3 pixels; fewer at the map's edges."""
    height, width, _ = cube.shape
    padded = np.pad(cube, ((1, 1), (1, 1), (0, 0)))
    total = np.zeros_like(cube)
    for row in range(3):
        for column in range(3):
            total += padded[row : row + height, column : column + width]
    return total


def score(
    identifier: Identifier,
    pixels: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    at: Sequence[int],
    dose: float,
) -> None:
    """Prints how well a share of the counts agrees with one half of them that it does not contain."""
    rows = [
        [[(s.counts, s.standard_error, s.present) for s in identifier.identify(h).signals] for h in halves]
        for halves in pixels
    ]
    table = np.array(rows, float)
    net, error, present = table[..., 0], table[..., 1], table[..., 2] > 0
    reference, tested = present[:, 0, at], present[:, 1, at]
    scale = 2 * dose
    apart = np.abs(net[:, 1] - scale * net[:, 0]) > 3 * np.hypot(error[:, 1], scale * error[:, 0])
    contradicted = (reference != tested) & apart[:, at]
    clear = 100 * np.mean(~contradicted.any(axis=1))
    print(
        f"{len(pixels)} pixels, reference half the counts, tested {dose:g} of them: elements agree in"
        f" {100 * np.mean(reference == tested):.1f} % of pixels x elements, all eight in"
        f" {100 * np.mean((reference == tested).all(axis=1)):.1f} % of pixels; without a"
        f" contradiction of more than 3 standard errors {clear:.1f} %"
    )
    for k, element in enumerate(REFERENCE):
        both = np.sum(reference[:, k] & tested[:, k])
        precision, recall = both / max(tested[:, k].sum(), 1), both / max(reference[:, k].sum(), 1)
        print(
            f"    {element:2} present in {100 * reference[:, k].mean():5.1f} %, agrees in"
            f" {100 * np.mean(reference[:, k] == tested[:, k]):5.1f} %, precision {precision:.2f}, recall"
            f" {recall:.2f}"
        )
    others = [k for k in range(present.shape[2]) if k not in at]
    stray = present[:, 1, others].mean(axis=0)
    listed = [
        f"{identifier.identify(pixels[0][0]).signals[k].element} {100 * s:.1f} %"
        for k, s in zip(others, stray, strict=True)
        if s > 0
    ]
    print(f"    others found: {', '.join(listed) or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=int, default=4000)
    parser.add_argument("--current-pa", type=float, default=100.0)
    parser.add_argument("--slice-s", type=float, default=0.03)
    parser.add_argument("--max-live-s", type=float, default=10.0)
    parser.add_argument("--confidence", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--map", type=Path, help="a Bruker .bcf: score element identification on it instead")
    parser.add_argument("--pixels", type=int, default=1500, help="pixels of the map")
    parser.add_argument(
        "--doses", type=float, nargs="+", default=[0.5, 0.25, 0.1], help="shares of the counts"
    )
    parser.add_argument("--threshold", type=float, nargs="+", default=[3.0], help="standard errors")
    parser.add_argument("--neighbours", action="store_true", help="sum 3 x 3 pixels of each half")
    parser.add_argument("--everything", action="store_true", help="look for all elements that are known")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.map is not None:
        identification(options)
    else:
        live_time(options)


if __name__ == "__main__":
    main()
