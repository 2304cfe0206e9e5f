"""Reading stored spectrum images: Bruker's ``.bcf`` through rosettasciio."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, ImageError

SUFFIXES = (".bcf",)
"""Names of the files that hold spectrum images end so."""

NM = {"nm": 1.0, "µm": 1e3, "um": 1e3, "mm": 1e6}
"""Nanometres in the units that files use."""


@dataclass(frozen=True, slots=True)
class StoredSpectra:
    """A spectrum image and the electron images that were taken with it.

    Attributes:
        counts: ``height x width x channels`` unsigned counts.
        ev_per_channel: width of a channel.
        offset_ev: energy of the centre of channel 0.
        pixel_nm: edge of a pixel.
        live_s: time of the whole map: live time where the file tells it, else real time.
        kv: beam energy, None where the file does not say.
        images: name such as ``"bse"`` to ``height x width`` grey values of the same pixels.
    """

    counts: NDArray[np.uint8] | NDArray[np.uint16]
    ev_per_channel: float
    offset_ev: float
    pixel_nm: float
    live_s: float | None
    kv: float | None
    images: dict[str, NDArray[np.uint8] | NDArray[np.uint16]]


def is_spectrum_image(path: Path) -> bool:
    """Whether a file's name says that it holds a spectrum image."""
    return path.suffix.lower() in SUFFIXES


def read_spectrum_image(path: Path) -> StoredSpectra:
    """Reads a spectrum image.

    Raises:
        ImageError: the file is missing, truncated, or holds no map of spectra with its calibration.
        ConfigurationError: rosettasciio is not installed.
    """
    if not path.is_file():
        raise ImageError(f"there is no file {path}")
    signals = _read(path)
    maps = [signal for signal in signals if np.ndim(signal["data"]) == 3]
    if len(maps) != 1:
        raise ImageError(f"{path} holds {len(maps)} maps of spectra; exactly one is needed")
    axes = {axis["name"]: axis for axis in maps[0]["axes"]}
    try:
        energy, column = axes["Energy"], axes["width"]
        per_unit = {"kev": 1000.0, "ev": 1.0}[str(energy["units"]).lower()]
        pixel_nm = float(column["scale"]) * NM[str(column["units"])]
    except KeyError as error:
        raise ImageError(f"{path} does not say its pixel size or energy calibration: {error}") from error
    counts = np.asarray(maps[0]["data"])
    if counts.dtype.kind != "u":
        raise ImageError(f"{path} holds {counts.dtype} counts; unsigned integers are needed")
    sem = maps[0]["metadata"].get("Acquisition_instrument", {}).get("SEM", {})
    eds = sem.get("Detector", {}).get("EDS", {})
    images = {
        str(signal["metadata"]["General"].get("title", "")).lower(): np.asarray(signal["data"])
        for signal in signals
        if np.shape(signal["data"]) == counts.shape[:2]
    }
    return StoredSpectra(
        counts,
        float(energy["scale"]) * per_unit,
        float(energy["offset"]) * per_unit,
        pixel_nm,
        _optional(eds.get("live_time", eds.get("real_time"))),
        _optional(sem.get("beam_energy")),
        images,
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        from rsciio.bruker import file_reader
    except ImportError as error:
        raise ConfigurationError(
            f"{path} needs rosettasciio, which is not installed; install autoscope with its eds extra:"
            " pip install 'autoscope[eds]'"
        ) from error
    _check_whole(path)
    try:
        return list(file_reader(str(path)))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError) as error:
        raise ImageError(f"{path} is damaged, or is no Bruker spectrum image: {error}") from error
    except (struct.error, SyntaxError) as error:  # a header or its XML that ends too early
        raise ImageError(f"{path} is truncated: {error}") from error


def _check_whole(path: Path) -> None:
    """Refuses a container that is shorter than its header says: the reader's compiled part would crash on it.

    The container (AidAim's single file system) says the size and the number of its chunks at 0x128 and 0x148;
    they follow a header of 0x118 bytes.
    """
    with path.open("rb") as file:
        header = file.read(0x14C)
    if header[:8] != b"AAMVHFSS" or len(header) < 0x14C:
        raise ImageError(f"{path} is truncated, or is no Bruker spectrum image")
    (chunk,), (chunks,) = struct.unpack_from("<I", header, 0x128), struct.unpack_from("<I", header, 0x148)
    size, whole = path.stat().st_size, 0x118 + chunk * chunks
    if size < whole:
        raise ImageError(f"{path} is truncated: it has {size} of {whole} bytes; copy it again")


def _optional(value: Any) -> float | None:
    return float(value) if value is not None and float(value) > 0 else None
