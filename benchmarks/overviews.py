"""Specimens seen through the overviews of a simulated microscope: to train on, and to score on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, ImagingSettings, Rectangle, StagePosition
from autoscope_simulators import SimulatedMicroscope, SpecimenFile, import_specimen, write_specimen
from autoscope_simulators.synthetic import FIRST_TRAINING_SEED, generate

STRIP_PIXEL_NM = 500.0
"""Nominal pixel of the melt-pool strips."""


@dataclass(frozen=True, slots=True)
class View:
    """One overview: frames side by side, and what is truly under each of their pixels.

    Attributes:
        specimen: its name.
        sha256: its hash.
        frames: of the overview.
        truth: for each frame ``classes x height x width``: area fraction of each class in each pixel.
        classes: names, ``kind.class``, the first (the matrix) left out.
    """

    specimen: str
    sha256: str
    frames: tuple[Frame, ...]
    truth: tuple[NDArray[np.float32], ...]
    classes: tuple[str, ...]


def synthetic(kind: str, seed: int, folder: Path, size_um: tuple[float, float] | None = None) -> Path:
    """A synthetic specimen as a file."""
    path = folder / f"{kind}-{seed}.h5"
    if not path.exists():
        write_specimen(generate(kind, seed=seed, size_um=size_um), path)
    return path


def strip(name: str, data: Path, folder: Path) -> Path:
    """A melt-pool strip as a specimen file."""
    image, mask = (
        data / "meltpool" / "strips" / f"{name}.png",
        data / "meltpool" / "strip_masks" / f"{name}.png",
    )
    if not image.is_file():
        sys.exit(f"{image} is missing: give the folder of the real micrographs with --data")
    path = folder / f"meltpool-{name}.h5"
    if not path.exists():
        specimen = import_specimen(
            [image], [mask], pixel_nm=STRIP_PIXEL_NM, class_names=("matrix", "pool"), name=f"meltpool {name}"
        )
        write_specimen(specimen, path)
    return path


def overview(
    specimen: SpecimenFile, pixel_um: float, frame_px: int, dwell_us: float, seed: int
) -> tuple[Frame, ...]:
    """Frames of about ``frame_px`` squared that cover the whole specimen, from the simulated microscope."""
    extent = specimen.extent
    width_px = min(frame_px, round(extent.width_um / pixel_um))
    height_px = min(frame_px, round(extent.height_um / pixel_um))
    imaging = ImagingSettings(width_px * pixel_um, width_px, height_px, dwell_us)
    microscope = SimulatedMicroscope(specimen, seed=seed)
    frames = []
    for y in _centres(extent.y0_um, extent.y1_um, imaging.vfw_um):
        for x in _centres(extent.x0_um, extent.x1_um, imaging.hfw_um):
            microscope.move_to(StagePosition(x, y))
            frames.append(microscope.acquire_image(imaging))
    return tuple(frames)


def _centres(low: float, high: float, extent: float) -> NDArray[np.float64]:
    count = max(1, int(np.ceil((high - low) / extent - 1e-9)))
    if count == 1:
        return np.array([(low + high) / 2])
    return np.linspace(low + extent / 2, high - extent / 2, count)


def view(
    path: Path, kind: str, pixel_um: float, frame_px: int, dwell_us: float, seed: int, limit: int
) -> View:
    """A specimen's overview, at most ``limit`` of its frames, and the truth under it."""
    with SpecimenFile(path) as specimen:
        names = specimen.class_names or ()
        frames = overview(specimen, pixel_um, frame_px, dwell_us, seed)
        chosen = np.random.default_rng(seed).permutation(len(frames))[:limit]
        frames = tuple(frames[i] for i in sorted(chosen))
        truth = tuple(_truth_under(frame, specimen, len(names)) for frame in frames)
        classes = tuple(f"{kind}.{name}" for name in names[1:])
        return View(specimen.name, specimen.sha256, frames, truth, classes)


def _truth_under(frame: Frame, specimen: SpecimenFile, n_classes: int) -> NDArray[np.float32]:
    """Mean of each class over the area of every overview pixel, where the stage said it was."""
    x, y, i = frame.position.x_um, frame.position.y_um, frame.imaging
    box = Rectangle(x - i.hfw_um / 2, y - i.vfw_um / 2, x + i.hfw_um / 2, y + i.vfw_um / 2)
    labels = specimen.truth_window(box)
    rows = np.linspace(0, labels.shape[0], i.height_px + 1)
    columns = np.linspace(0, labels.shape[1], i.width_px + 1)
    planes = [_box_means((labels == k).astype(np.float64), rows, columns) for k in range(1, n_classes)]
    return np.stack(planes).astype(np.float32)


def _box_means(
    plane: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means between fractional grid lines, by interpolating the running sums."""
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    np.cumsum(np.cumsum(plane, 0), 1, out=sums[1:, 1:])
    sums = _between(sums, rows)
    sums = _between(sums.T, columns).T
    area = np.diff(rows)[:, None] * np.diff(columns)[None]
    return np.asarray(np.diff(np.diff(sums, axis=0), axis=1) / area)


def _between(sums: NDArray[np.float64], lines: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.minimum(lines.astype(np.intp), len(sums) - 2)
    share = (lines - low)[:, None]
    return np.asarray((1 - share) * sums[low] + share * sums[low + 1])


TRAINING = {
    "pearlite": ((512.0, 512.0), (0.5, 1.0, 1.0, 2.0)),
    "inclusions": ((768.0, 768.0), (0.5, 0.5, 1.0)),
    "superalloy": ((45.0, 45.0), (0.0586, 0.0586, 0.1)),
}
"""Kind: size of the specimens and pixel sizes of the overviews, um."""
DWELLS_US = (0.3, 1.0, 1.0, 3.0)


def training_views(
    per_kind: int,
    strips: Sequence[str],
    data: Path,
    folder: Path | None = None,
    *,
    first: int = FIRST_TRAINING_SEED,
) -> Iterator[View]:
    """Overviews of many specimens of every kind, and of stored strips."""
    with TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        for kind, (size_um, pixels_um) in TRAINING.items():
            for seed in range(first, first + per_kind):
                path = synthetic(kind, seed, place, size_um)
                rng = np.random.default_rng(seed)
                for number in range(2):
                    pixel_um = pixels_um[(seed + 3 * number) % len(pixels_um)]
                    yield view(path, kind, pixel_um, 512, float(rng.choice(DWELLS_US)), 2 * seed + number, 2)
                if folder is None:
                    path.unlink()
        for name in strips:
            for number, pixel_um in enumerate((1.0, 2.0)):
                yield view(strip(name, data, place), "meltpool", pixel_um, 512, 1.0, number, 8)
