"""Sequential against fixed dose on a real map: which mineral is a pixel of?

    python benchmarks/eds_map_live_time.py ../shared/data/eds_p45/P45_8bit_compressed_80keV_range.bcf
    python benchmarks/eds_map_live_time.py P45_8bit_compressed_80keV_range.bcf --pooled --learnt --pixels 2400

Each pixel's counts are split at random. One half says the class, where it is sure to 0.99; the other half is
read in slices until sure enough, and beside that at fixed shares. The reference is wrong at times too, at the
same dose; that part of the error nobody can read away. Doses are shares of the tested half.

With ``--pooled`` the reference is better than what is tested: the first half together with all counts of the
eight neighbours says the class, and the first half alone must not contradict it. That leaves out the grains'
borders, where a pixel is of two minerals, and compares how soon the inside of grains is recognised.

With ``--learnt`` the posterior knows the minerals from the left half of the map, where all counts of a pixel
and of its neighbours say sure enough what it is, and how frequent each is; the right half is tested.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from eds_live_time import equal_error_s
from numpy.typing import NDArray

from autoscope.eds import UNKNOWN, ClassModel, InclusionClass, calibrate
from autoscope.images import read_spectrum_image
from autoscope.xray import EnergyAxis

CLASSES = (
    InclusionClass("quartz", {"Si": (0.30, 0.38), "O": (0.60, 0.70)}),
    InclusionClass(
        "potassic",
        {"K": (0.02, 0.1), "Na": (0, 0.05), "Al": (0.03, 0.12), "Si": (0.18, 0.32), "O": (0.56, 0.66)},
    ),
    InclusionClass(
        "plagioclase",
        {"Ca": (0.01, 0.08), "Na": (0.01, 0.08), "Al": (0.08, 0.16), "Si": (0.14, 0.25), "O": (0.56, 0.66)},
    ),
    InclusionClass(
        "mafic",
        {
            "Fe": (0.03, 0.2), "Mg": (0.02, 0.2), "Ca": (0, 0.12), "Al": (0, 0.12), "K": (0, 0.06),
            "Ti": (0, 0.03), "Si": (0.1, 0.24), "O": (0.54, 0.66),
        },
    ),
    InclusionClass("oxide", {"Fe": (0.2, 0.45), "Ti": (0, 0.25), "O": (0.5, 0.66)}),
)  # fmt: skip
"""Minerals of a dacite; the potassic class is groundmass and feldspar alike."""

ELEMENTS = ("O", "Na", "Mg", "Al", "Si", "K", "Ca", "Ti", "Fe")
SHARES = 0.02 * np.sqrt(2.0) ** np.arange(12)
FIRST_COUNTS, GROWTH = 4, 1.2
FEWEST = 10
"""Spectra from which a class is learnt."""


def load(path: Path) -> tuple[NDArray[np.int64], ClassModel]:
    """``height x width x channels`` between 0.2 and 9 keV, and the model of the classes on them."""
    stored = read_spectrum_image(path)
    whole = EnergyAxis(stored.counts.shape[2], stored.ev_per_channel, stored.offset_ev)
    found = calibrate(stored.counts.sum((0, 1)), whole, ELEMENTS)
    start, stop = np.searchsorted(found.axis.energies_ev, [200.0, 9000.0])
    axis = EnergyAxis(int(stop - start), found.axis.ev_per_channel, float(found.axis.energies_ev[start]))
    pixels = stored.counts[:, :, start:stop].astype(np.int64)
    return pixels, ClassModel(CLASSES, axis, detector=found.detector, matrix=None)


def learnt(pixels: NDArray[np.int64], model: ClassModel) -> ClassModel:
    """The model taught by the inside of the grains of a part of the map."""
    height, width, _ = pixels.shape
    found: dict[str, list[NDArray[np.int64]]] = {}
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            around = pixels[row - 1 : row + 2, column - 1 : column + 2].sum(axis=(0, 1))
            verdict = model.posterior(around)
            if verdict.confidence >= 0.99 and verdict.best != UNKNOWN:
                found.setdefault(verdict.best, []).append(around)
    enough = {name: np.array(rows) for name, rows in found.items() if len(rows) >= FEWEST}
    print(f"learnt from { ({name: len(rows) for name, rows in enough.items()}) }")
    frequency = {c.name: len(enough.get(c.name, ())) + 1.0 for c in CLASSES}
    return model.taught(enough, frequency)


def references(
    pixels: NDArray[np.int64],
    model: ClassModel,
    count: int,
    rng: np.random.Generator,
    *,
    pooled: bool,
    sure: float = 0.99,
) -> list[tuple[str, NDArray[np.int64]]]:
    """Sure classes of pixels, and the half of their counts that is to be tested."""
    height, width, _ = pixels.shape
    inner = [(row, column) for row in range(1, height - 1) for column in range(1, width - 1)]
    people = []
    for k in rng.choice(len(inner), min(count, len(inner)), replace=False):
        row, column = inner[k]
        counts = pixels[row, column]
        reference = rng.binomial(counts, 0.5)
        verdict = model.posterior(reference)
        if pooled:
            alone = verdict.best
            around = pixels[row - 1 : row + 2, column - 1 : column + 2].sum(axis=(0, 1)) - counts
            verdict = model.posterior(around + reference)
            if alone != verdict.best:
                continue
        if verdict.confidence >= sure and verdict.best != UNKNOWN:
            people.append((verdict.best, counts - reference))
    return people


def read_slices(
    counts: NDArray[np.int64], model: ClassModel, confidence: float, rng: np.random.Generator
) -> tuple[str, float]:
    """The class after a sequential stop, and the share of the counts that it took."""
    order = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    used, step = 0, float(FIRST_COUNTS)
    while True:
        used, step = min(len(order), used + round(step)), step * GROWTH
        posterior = model.posterior(np.bincount(order[:used], minlength=len(counts)))
        if posterior.confidence >= confidence or used == len(order):
            return posterior.best, used / max(len(order), 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("map", type=Path, help="a Bruker .bcf")
    parser.add_argument("--pixels", type=int, default=2000)
    parser.add_argument("--confidence", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--pooled", action="store_true", help="reference: a half and the eight neighbours")
    parser.add_argument("--learnt", action="store_true", help="learn on the left half, test on the right")
    parser.add_argument("--sure", type=float, default=0.99, help="what the reference must be")
    parser.add_argument("--repeats", type=int, default=1, help="draws of each pixel, at each share and stop")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pixels, model = load(options.map)
    if options.learnt:
        middle = pixels.shape[1] // 2
        model = learnt(pixels[:, :middle], model)
        pixels = pixels[:, middle:]
    rng = np.random.default_rng(options.seed)
    people = references(pixels, model, options.pixels, rng, pooled=options.pooled, sure=options.sure)
    print(f"{len(people)} pixels with a sure reference: {dict(Counter(name for name, _ in people))}")
    shares = SHARES[SHARES <= 1]
    often = [person for person in people for _ in range(options.repeats)]
    errors = np.array(
        [np.mean([model.posterior(rng.binomial(c, s)).best != name for name, c in often]) for s in shares]
    )
    for share, error in zip(shares, errors, strict=True):
        print(f"    fixed {share:.3f}: {100 * error:5.1f} % errors")
    for confidence in options.confidence:
        read = [(name, *read_slices(c, model, confidence, rng)) for name, c in often]
        error, used = np.mean([a != b for a, b, _ in read]), float(np.mean([u for _, _, u in read]))
        fixed = equal_error_s(shares, errors, float(error))
        ratio = (
            "no fixed share is as good" if fixed is None else f"fixed {fixed:.3f}: ratio {fixed / used:.2f}"
        )
        head = f"sequential, stop at {confidence:g}: {100 * error:.1f} % errors at a mean of {used:.3f}"
        print(f"    {head}; {ratio}")


if __name__ == "__main__":
    main()
