"""What a specimen file holds to make spectra from: one per class, or a stored spectrum image."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, SpecimenError
from autoscope.xray import EnergyAxis

SPECTRA, CUBE = "/truth/spectra", "/eds/cube"
"""Where they lie in the file (CONTRACT section 4)."""

CUBE_CHUNK_PX = 8
"""Edge of a chunk of a spectrum image, in its own pixels."""


@dataclass(frozen=True, slots=True)
class ClassSpectrum:
    """The spectrum of a class in bulk.

    Attributes:
        rate: ``channels``, expected counts per second and nA.
        axis: its energy axis.
        kv: beam energy that it holds for; None: unknown.
        range_um: range of the beam's electrons in it; None: every spectrum is of one class alone.
        material: what the class is made of, for people to read.
    """

    rate: NDArray[np.float64]
    axis: EnergyAxis
    kv: float | None = None
    range_um: float | None = None
    material: str = ""


@dataclass(frozen=True, slots=True)
class SpectrumImage:
    """A stored map of spectra, from the specimen's corner of lowest x and y on.

    Attributes:
        counts: ``height x width x channels`` unsigned counts.
        axis: the energy axis.
        pixel_nm: edge of its pixels.
        live_s: live time of one pixel.
        kv: beam energy; None: unknown.
        beam_current_pa: the current that it was taken with; None: unknown, and taken for the session's.
    """

    counts: NDArray[np.uint8] | NDArray[np.uint16]
    axis: EnergyAxis
    pixel_nm: float
    live_s: float
    kv: float | None = None
    beam_current_pa: float | None = None

    def problems(self) -> list[str]:
        """What is wrong with it."""
        found = []
        if self.counts.ndim != 3 or 0 in self.counts.shape or self.counts.dtype.kind != "u":
            found.append(
                f"the spectrum image is {self.counts.shape} {self.counts.dtype}, not height x width"
                " x channels of unsigned counts"
            )
        elif self.counts.shape[2] != self.axis.channels:
            found.append(
                f"the spectrum image has {self.counts.shape[2]} channels, its axis {self.axis.channels}"
            )
        for name, unit in (("pixel_nm", "nm"), ("live_s", "s")):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                found.append(f"{name} = {value:g} {unit} of the spectrum image must be positive")
        return found


def class_spectrum_problems(name: str, spectrum: ClassSpectrum, class_names: tuple[str, ...]) -> list[str]:
    """What is wrong with the spectrum of a class."""
    found = []
    if name not in class_names:
        found.append(f"the spectrum {name!r} belongs to none of the classes {', '.join(class_names)}")
    if spectrum.rate.shape != (spectrum.axis.channels,):
        found.append(f"the spectrum {name!r} is {spectrum.rate.shape}, not {spectrum.axis.channels} channels")
    if not (np.isfinite(spectrum.rate).all() and (spectrum.rate >= 0).all()):
        found.append(f"the spectrum {name!r} has counts that are negative or not finite")
    return found


def write_spectrum(file: h5py.File, name: str, spectrum: ClassSpectrum) -> None:
    """Writes the spectrum of a class."""
    dataset = file.create_dataset(f"{SPECTRA}/{name}", data=np.asarray(spectrum.rate, np.float64))
    dataset.attrs.update(
        ev_per_channel=spectrum.axis.ev_per_channel, offset_ev=spectrum.axis.offset_ev,
        material=spectrum.material, unit="counts per second per nA",
    )  # fmt: skip
    _write_known(dataset, kv=spectrum.kv, range_um=spectrum.range_um)


def write_cube(file: h5py.File, image: SpectrumImage) -> None:
    """Writes a spectrum image, compressed."""
    height, width, channels = image.counts.shape
    dataset = file.create_dataset(
        CUBE, data=image.counts, compression="gzip", compression_opts=4, shuffle=True,
        chunks=(min(CUBE_CHUNK_PX, height), min(CUBE_CHUNK_PX, width), channels),
    )  # fmt: skip
    dataset.attrs.update(
        ev_per_channel=image.axis.ev_per_channel, offset_ev=image.axis.offset_ev, pixel_nm=image.pixel_nm,
        live_s=image.live_s,
    )  # fmt: skip
    _write_known(dataset, kv=image.kv, beam_current_pa=image.beam_current_pa)


def read_spectra(file: h5py.File) -> dict[str, ClassSpectrum]:
    """Reads the spectra of all classes; none where the file holds none.

    Raises:
        SpecimenError: a spectrum is damaged or lacks its calibration.
    """
    spectra = {}
    for name, dataset in file.get(SPECTRA, {}).items():
        rate = np.asarray(dataset[...], float)
        spectra[str(name)] = ClassSpectrum(
            rate,
            _axis(dataset, rate.shape[-1] if rate.ndim else 0),
            _known(dataset, "kv"),
            _known(dataset, "range_um"),
            str(dataset.attrs.get("material", "")),
        )
    bad = [p for n, s in spectra.items() for p in class_spectrum_problems(n, s, (n,))]
    if bad:
        raise SpecimenError(f"the specimen file {file.filename}: {'; '.join(bad)}")
    return spectra


@dataclass(frozen=True, slots=True)
class StoredCube:
    """A spectrum image in a file, of which one pixel at a time is read; attributes as `SpectrumImage`'s."""

    dataset: h5py.Dataset
    axis: EnergyAxis
    pixel_nm: float
    live_s: float
    kv: float | None
    beam_current_pa: float | None

    def pixel_at(self, x_um: float, y_um: float) -> tuple[int, int] | None:
        """``(row, column)`` of the pixel that covers a place, or None outside."""
        column, row = (int(np.floor(v * 1000 / self.pixel_nm)) for v in (x_um, y_um))
        inside = 0 <= row < self.dataset.shape[0] and 0 <= column < self.dataset.shape[1]
        return (row, column) if inside else None

    def counts(self, pixel: tuple[int, int]) -> NDArray[np.int64]:
        """``channels``, all counts of a pixel."""
        return np.asarray(self.dataset[pixel], np.int64)


def open_cube(file: h5py.File) -> StoredCube | None:
    """The spectrum image of a file, None where there is none.

    Raises:
        SpecimenError: it is damaged or lacks its calibration.
    """
    if CUBE not in file:
        return None
    dataset = file[CUBE]
    if dataset.ndim != 3:
        raise SpecimenError(f"{file.filename}: {CUBE} is {dataset.shape}, not height x width x channels")
    axis = _axis(dataset, dataset.shape[2])
    missing = [key for key in ("pixel_nm", "live_s") if not (_known(dataset, key) or 0) > 0]
    if missing:
        raise SpecimenError(f"{file.filename}: {CUBE} needs positive attributes {', '.join(missing)}")
    return StoredCube(
        dataset, axis, float(dataset.attrs["pixel_nm"]), float(dataset.attrs["live_s"]),
        _known(dataset, "kv"), _known(dataset, "beam_current_pa"),
    )  # fmt: skip


def _axis(dataset: h5py.Dataset, channels: int) -> EnergyAxis:
    missing = [key for key in ("ev_per_channel", "offset_ev") if key not in dataset.attrs]
    if missing:
        raise SpecimenError(f"{dataset.file.filename}: {dataset.name} lacks {' and '.join(missing)}")
    try:
        return EnergyAxis(channels, float(dataset.attrs["ev_per_channel"]), float(dataset.attrs["offset_ev"]))
    except ConfigurationError as error:
        raise SpecimenError(f"{dataset.file.filename}: {dataset.name}: {error}") from error


def _write_known(dataset: h5py.Dataset, **values: float | None) -> None:
    for key, value in values.items():
        if value is not None:
            dataset.attrs[key] = value


def _known(dataset: h5py.Dataset, key: str) -> float | None:
    return float(dataset.attrs[key]) if key in dataset.attrs else None
