"""Where particles lie, what outline they have, and stamping them into a class map without overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope_simulators.synthetic.canvas import Canvas

ANGLES = 64
"""Samples of an outline, over the full turn."""
_GAP_PX = 2
_SMALLEST_PX = 6


@dataclass(frozen=True, slots=True)
class ParticleStyle:
    """Number, size and clustering of the particles of a class.

    Attributes:
        per_mm2: mean number for each square millimetre.
        diameter_um: median equivalent diameter.
        diameter_sigma: standard deviation of its logarithm.
        clustered: share of the particles that lie in clusters.
        cluster_size: mean number of particles in a cluster.
        spread_um: standard deviations ``(x, y)`` of the places in a cluster; rolled along x.
    """

    per_mm2: float
    diameter_um: float
    diameter_sigma: float
    clustered: float
    cluster_size: float
    spread_um: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Particles:
    """Particles with star-shaped outlines.

    Attributes:
        x_px: ``n``, centre.
        y_px: ``n``, centre.
        radius_px: ``n``, of the circle of equal area.
        outline: ``n x ANGLES``, distance of the outline from the centre in units of the radius, at angles
            counted from x towards y.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    radius_px: NDArray[np.float64]
    outline: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stamped:
    """A particle as it lies in the class map.

    Attributes:
        x_px: centroid of its pixels (pixel centres are whole numbers).
        y_px: likewise.
        area_px: number of its pixels.
    """

    x_px: float
    y_px: float
    area_px: int


def scatter(rng: np.random.Generator, canvas: Canvas, style: ParticleStyle, shape: str) -> Particles:
    """Particles of one class: a Poisson process and a Thomas process (Poisson clusters, Gaussian spread).

    Args:
        rng: source of randomness.
        canvas: what to cover; clusters may lie beyond its edge.
        style: how many, how large, how clustered.
        shape: ``"oxide"`` (roundish), ``"sulphide"`` (drawn out along x) or ``"nitride"`` (angular).
    """
    single = rng.poisson(style.per_mm2 * (1 - style.clustered) * canvas.area_um2 * 1e-6)
    place = [rng.uniform(0, 1, (single, 2)) * (canvas.width, canvas.height)]
    spread = np.array([canvas.px(style.spread_um[0]), canvas.px(style.spread_um[1])])
    low, high = -3 * spread, np.array([canvas.width, canvas.height]) + 3 * spread
    parent_area_mm2 = float(np.prod(high - low)) * (canvas.pixel_nm * 1e-6) ** 2
    parents = rng.poisson(style.per_mm2 * style.clustered / style.cluster_size * parent_area_mm2)
    centres = rng.uniform(low, high, (parents, 2))
    # geometric-like richness: the variance of cluster sizes is what makes fields differ
    richness = rng.poisson(rng.gamma(1.5, style.cluster_size / 1.5, parents))
    members = np.repeat(centres, richness, axis=0)
    place.append(members + rng.standard_normal(members.shape) * spread)
    x, y = np.concatenate(place).T
    radius = canvas.px(style.diameter_um) / 2 * np.exp(style.diameter_sigma * rng.standard_normal(len(x)))
    radius = np.minimum(radius, canvas.px(12.0) / 2)
    return Particles(x, y, radius, _OUTLINES[shape](rng, len(x)))


def stamp(classes: NDArray[np.uint8], particles: Particles, value: int) -> Iterator[Stamped]:
    """Writes particles into a class map, one after the other, and yields those that found a free place.

    A particle is left out when it would come within two pixels of another one, reach beyond the map, or
    cover fewer than six pixels; so the connected regions of the map are exactly the particles yielded.

    Args:
        classes: ``height x width``, changed in place; 0 is free.
        particles: what to stamp.
        value: the class.
    """
    height, width = classes.shape
    reach = particles.radius_px * particles.outline.max(axis=1) + _GAP_PX + 1
    inside = (particles.x_px > reach) & (particles.x_px < width - 1 - reach)
    inside &= (particles.y_px > reach) & (particles.y_px < height - 1 - reach)
    for i in np.flatnonzero(inside):
        x, y = float(particles.x_px[i]), float(particles.y_px[i])
        top, left = math.floor(y - reach[i]), math.floor(x - reach[i])
        side = math.ceil(2 * reach[i]) + 2
        target = classes[top : top + side, left : left + side]
        mask = _inside(particles, int(i), left, top, target.shape)
        rows, columns = np.nonzero(mask)
        if len(rows) < _SMALLEST_PX:
            continue
        box = (
            slice(rows.min() - _GAP_PX, rows.max() + _GAP_PX + 1),
            slice(columns.min() - _GAP_PX, columns.max() + _GAP_PX + 1),
        )
        if target[box].any():
            continue
        target[mask] = value
        yield Stamped(left + float(columns.mean()), top + float(rows.mean()), len(rows))


def _inside(particles: Particles, i: int, left: int, top: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    dy = (top + np.arange(shape[0]))[:, None] - particles.y_px[i]
    dx = (left + np.arange(shape[1]))[None, :] - particles.x_px[i]
    turn = np.arctan2(dy, dx) * (ANGLES / (2 * math.pi)) % ANGLES
    outline = np.interp(turn, np.arange(ANGLES + 1), np.append(particles.outline[i], particles.outline[i, 0]))
    return np.asarray(dx * dx + dy * dy <= np.square(outline * particles.radius_px[i]), dtype=np.bool_)


def _unit_area(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scales outlines to the area of the unit circle."""
    mean_square = np.mean(np.square(outline), axis=1, keepdims=True)
    return np.asarray(outline / np.sqrt(mean_square), dtype=np.float64)


def _turns() -> NDArray[np.float64]:
    return np.asarray(np.arange(ANGLES) * (2 * math.pi / ANGLES), dtype=np.float64)


def _ripple(rng: np.random.Generator, count: int, amplitude: float) -> NDArray[np.float64]:
    """Irregularity of an outline: harmonics 2 to 6 of falling amplitude, ``count x ANGLES``, mean 0."""
    result = np.zeros((count, ANGLES))
    for order in range(2, 7):
        phase = rng.uniform(0, 2 * math.pi, (count, 1))
        size = rng.normal(0, amplitude / order, (count, 1))
        result += size * np.cos(order * _turns() + phase)
    return result


def _oxide_outline(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Roundish, somewhat lumpy."""
    return _unit_area(np.maximum(1 + _ripple(rng, count, 0.22), 0.35))


def _sulphide_outline(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Ellipses drawn out along x to aspect ratios of 1.3 to 7, nearly aligned."""
    aspect = np.clip(rng.lognormal(math.log(2.6), 0.45, (count, 1)), 1.3, 7.0)
    angle = _turns() - rng.normal(0, 0.05, (count, 1))
    ellipse = 1 / np.sqrt(np.square(np.cos(angle)) / aspect + np.square(np.sin(angle)) * aspect)
    return _unit_area(ellipse * (1 + _ripple(rng, count, 0.06)))


def _nitride_outline(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Convex polygons with sharp corners: cuts through cubes have three, mostly four, or five sides."""
    sides = rng.choice([3, 4, 5], size=count, p=[0.15, 0.7, 0.15])
    start = rng.uniform(0, 2 * math.pi, count)
    aspect = rng.uniform(1.0, 1.5, count)
    outline = np.full((count, ANGLES), np.inf)
    for side in range(5):
        normal = start + 2 * math.pi * (side + rng.normal(0, 0.03, count)) / sides
        stretch = np.where(side % 2 == 0, aspect, 1.0) * rng.uniform(0.92, 1.08, count)
        towards = np.cos(_turns() - normal[:, None])
        distance = np.where(towards > 1e-3, stretch[:, None] / np.maximum(towards, 1e-3), np.inf)
        outline = np.where((side < sides)[:, None], np.minimum(outline, distance), outline)
    return _unit_area(np.minimum(outline, 3.0))


_OUTLINES = {"oxide": _oxide_outline, "sulphide": _sulphide_outline, "nitride": _nitride_outline}
