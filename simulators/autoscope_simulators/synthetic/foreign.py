"""Planting into a specimen what does not belong to it: another alloy, or the mount showing through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, component_rng, nearest
from autoscope_simulators.specimen_data import SpecimenData
from autoscope_simulators.synthetic import KINDS, generate
from autoscope_simulators.synthetic.canvas import SMALLEST_PX

FOREIGN = "foreign"
"""Name of the true class of planted pixels."""

MOUNT = "mount"
"""The kind that is the mounting resin: dark, with hardly any structure."""

RADIUS_SHARE = (0.03, 0.06)
"""Radii of the planted discs, shares of the specimen's shorter edge."""

LARGEST_SHARE = 0.5
"""More than this share of a specimen may not be foreign."""

_MOUNT_LEVEL, _MOUNT_RMS = 0.08, 0.012
_MOUNT_GRAIN_PX = 6.0


def foreign_problems(kinds: Sequence[str], share: float) -> list[str]:
    """What is wrong with a wish for foreign regions, each in one sentence."""
    known = (*sorted(KINDS), MOUNT)
    problems = [
        f"foreign material {kind!r} is unknown{nearest(kind, known)}; choose among {', '.join(known)}"
        for kind in kinds
        if kind not in known
    ]
    if not 0 <= share <= LARGEST_SHARE:
        problems.append(f"the foreign share {share:g} must lie in [0, {LARGEST_SHARE:g}]")
    if share > 0 and not kinds:
        problems.append(f"a foreign share of {share:g} needs a foreign material: {', '.join(known)}")
    return problems


def plant_foreign(data: SpecimenData, kinds: Sequence[str], share: float, *, seed: int = 0) -> SpecimenData:
    """Replaces discs of a specimen by other materials; the truth says so pixel by pixel.

    Planted pixels belong to the class :data:`FOREIGN`, which is added to the specimen's classes, so no
    class of the specimen has them. True inclusions whose centre is covered are gone. They stay valid: a
    session does not know beforehand that they are there.

    Args:
        data: the specimen.
        kinds: what is planted, in turn; other synthetic kinds (their raster, pixel for pixel) or
            :data:`MOUNT`.
        share: of the raster that is covered at least.
        seed: of the places and of what is planted.

    Raises:
        ConfigurationError: the kinds or the share cannot be had.
    """
    if problems := foreign_problems(kinds, share):
        raise ConfigurationError(*problems)
    if share == 0:
        return data
    rng = component_rng(seed, "foreign regions")
    detectors = {name: pixels.copy() for name, pixels in data.detectors.items()}
    covered = np.zeros(data.shape, bool)
    shortest = min(data.shape)
    number = 0
    while covered.mean() < share:
        radius = round(float(rng.uniform(*RADIUS_SHARE)) * shortest) + 1
        window, disc = _disc(data.shape, rng.integers(0, data.shape), radius)
        texture = _texture(kinds[number % len(kinds)], 2 * radius + 1, seed + number)
        for pixels in detectors.values():
            full = float(np.iinfo(pixels.dtype).max)
            planted = np.rint(texture[: disc.shape[0], : disc.shape[1]] * full).astype(pixels.dtype)
            pixels[window][disc] = planted[disc]
        covered[window] |= disc
        number += 1
    return _with_truth(data, detectors, covered)


def _with_truth(
    data: SpecimenData,
    detectors: dict[str, NDArray[np.uint8] | NDArray[np.uint16]],
    covered: NDArray[np.bool_],
) -> SpecimenData:
    """The specimen with its truth taken away where it is covered."""
    pixel_um = data.pixel_nm / 1000
    kept = tuple(i for i in data.inclusions if not covered[int(i.y_um / pixel_um), int(i.x_um / pixel_um)])
    classes, names = None, data.class_names
    if data.classes is not None:
        classes, names = data.classes.copy(), (*data.class_names, FOREIGN)
        classes[covered] = len(names) - 1
    grains = data.grains
    if grains is not None:
        grains = np.where(covered, grains.dtype.type(0), grains)
    share = 100 * float(covered.mean())
    return replace(
        data, source=f"{data.source}; {share:.1f} % foreign regions planted", detectors=detectors,
        classes=classes, class_names=names, inclusions=kept, grains=grains,
    )  # fmt: skip


def _disc(
    shape: tuple[int, int], centre: NDArray[np.int64], radius: int
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """The window of a disc on the raster, and the disc in it."""
    spans = [
        slice(max(int(c) - radius, 0), min(int(c) + radius + 1, n))
        for c, n in zip(centre, shape, strict=True)
    ]
    rows, columns = (np.arange(s.start, s.stop) - int(c) for s, c in zip(spans, centre, strict=True))
    return (spans[0], spans[1]), rows[:, None] ** 2 + columns[None, :] ** 2 <= radius**2


def _texture(kind: str, edge_px: int, seed: int) -> NDArray[np.float32]:
    """``edge_px x edge_px`` of a material, shares of the full scale."""
    if kind == MOUNT:
        from scipy.ndimage import gaussian_filter

        rng = component_rng(seed, "mount")
        rough = gaussian_filter(rng.standard_normal((edge_px, edge_px)), _MOUNT_GRAIN_PX)
        return np.asarray(np.maximum(_MOUNT_LEVEL + _MOUNT_RMS * rough / rough.std(), 0.0), np.float32)
    pixel_nm: float = import_module(f"autoscope_simulators.synthetic.{kind}").PIXEL_NM
    edge_um = max(edge_px, SMALLEST_PX) * pixel_nm / 1000
    other = generate(kind, seed=seed, size_um=(edge_um, edge_um))
    pixels = next(iter(other.detectors.values()))[:edge_px, :edge_px]
    return np.asarray(pixels / np.float32(np.iinfo(pixels.dtype).max), np.float32)
