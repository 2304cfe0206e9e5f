"""``session.h5``: frames, class maps and the table of fields, readable at any moment of the session.

Layout: root attribute ``schema``; ``/fields/<array>`` with scalars as attributes; for each purpose
``/frames/<purpose>/pixels`` (``n x height x width``), ``table`` (one row a frame) and, once there are class
maps, ``labels`` (``n x height x width`` uint8) with ``label_shape`` (``n x 2``, 0 where there is none). Once
there are spectra, ``/spectra/counts`` (``n x channels``) and ``/spectra/spectrum`` (``n``, their indices).

Single writer, multiple readers (HDF5 SWMR): the structure is fixed while the file is open, data are only
added, and a reader sees a consistent file however the writer ends. Whenever the structure has to change
(the first frame of a purpose, the first class map) the file is written anew beside the old one and renamed
over it, so there is no moment at which a kill could damage it. Pixels are not compressed: detector noise
does not compress (lzf: 0 % saved at 7 times the time for a 512 x 512 frame).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, RecordError
from autoscope.records.documents import SCHEMA

TABLE = np.dtype(
    [
        ("frame", "i8"), ("field", "i8"), ("x_um", "f8"), ("y_um", "f8"), ("z_um", "f8"), ("tilt_deg", "f8"),
        ("hfw_um", "f8"), ("width_px", "i4"), ("height_px", "i4"), ("dwell_us", "f8"), ("kv", "f8"),
        ("current_pa", "f8"), ("detector", "S32"), ("working_distance_mm", "f8"), ("time_s", "f8"),
        ("frame_id", "i8"), ("dose_e_per_nm2", "f8"), ("microscope", "S64"),
    ]
)  # fmt: skip
"""A row of a frame table; ``field`` is -1 for frames of no field."""

COLUMNS: tuple[str, ...] = TABLE.names or ()
"""Its columns."""

OPEN: dict[str, Any] = {"libver": ("v110", "v110"), "locking": False}
"""How to open for writing. v110 is the oldest format with SWMR; `EventLog` does the locking."""


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """What one purpose's datasets hold.

    Attributes:
        shape: ``height x width`` of a frame.
        dtype: uint8 or uint16.
        label_shape: the largest ``height x width`` of a class map, None while there is none.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    label_shape: tuple[int, int] | None = None

    @property
    def bytes(self) -> int:
        """Room that one frame with its class map takes at most."""
        height, width = self.label_shape or (0, 0)
        return self.shape[0] * self.shape[1] * self.dtype.itemsize + 2 * height * width


def create_pixels(path: Path, fields: Mapping[str, NDArray[Any]]) -> None:
    """Writes a new file with the table of fields and no frames.

    Args:
        path: the file, which must not exist.
        fields: arrays with one entry for each field; entries without a dimension become attributes.
    """
    with h5py.File(path, "x", **OPEN) as file:
        file.attrs["schema"] = SCHEMA
        group = file.create_group("fields")
        for name, values in fields.items():
            if np.ndim(values) == 0:
                group.attrs[name] = values
            else:
                group.create_dataset(name, data=values)
        file.create_group("frames")


def table_row(frame: Frame, index: int, field: int | None) -> NDArray[Any]:
    """A frame's row of the table, a scalar of type `TABLE`.

    Raises:
        RecordError: the name of its detector or microscope is too long to be kept.
    """
    values = {
        "frame": index,
        "field": -1 if field is None else field,
        "x_um": frame.position.x_um,
        "y_um": frame.position.y_um,
        "z_um": frame.position.z_um,
        "tilt_deg": frame.position.tilt_deg,
        "hfw_um": frame.imaging.hfw_um,
        "width_px": frame.imaging.width_px,
        "height_px": frame.imaging.height_px,
        "dwell_us": frame.imaging.dwell_us,
        "kv": frame.beam.kv,
        "current_pa": frame.beam.current_pa,
        "detector": _text("detector", frame.beam.detector),
        "working_distance_mm": frame.beam.working_distance_mm,
        "time_s": frame.time_s,
        "frame_id": frame.frame_id,
        "dose_e_per_nm2": frame.dose_e_per_nm2,
        "microscope": _text("microscope", frame.microscope),
    }
    return np.array(tuple(values[name] for name in COLUMNS), TABLE)


def _text(column: str, value: str) -> bytes:
    encoded, limit = value.encode(), TABLE[column].itemsize
    if len(encoded) > limit:
        raise RecordError(
            f"the name of the {column} is {len(encoded)} bytes long, the limit is {limit}: {value}"
        )
    return encoded


def create_frames(group: h5py.Group, layout: FrameLayout) -> None:
    """Creates the empty datasets of one purpose."""
    height, width = layout.shape
    rows = max(1, min(height, (4 << 20) // (width * layout.dtype.itemsize)))
    group.create_dataset(
        "pixels", (0, height, width), layout.dtype, maxshape=(None, height, width), chunks=(1, rows, width)
    )
    group.create_dataset("table", (0,), TABLE, maxshape=(None,), chunks=(64,))
    if layout.label_shape is not None:
        shape = layout.label_shape
        group.create_dataset(
            "labels", (0, *shape), np.uint8, maxshape=(None, *shape), chunks=(1, *shape),
            compression="gzip", compression_opts=1,
        )  # fmt: skip
        group.create_dataset("label_shape", (0, 2), np.uint32, maxshape=(None, 2), chunks=(1024, 2))


def layout_of(group: h5py.Group) -> FrameLayout:
    """What a purpose's datasets were created for."""
    labels = group["labels"].shape[1:] if "labels" in group else None
    return FrameLayout(group["pixels"].shape[1:], group["pixels"].dtype, labels)


def copy_frames(source: h5py.Group, target: h5py.Group, keep: Callable[[int], bool]) -> int:
    """Copies the frames to be kept, with their class maps; returns how many were left out.

    The table says which frames there are: it is written after the pixels.
    """
    table = source["table"][:]
    rows = [row for row, index in enumerate(table["frame"].tolist()) if keep(index)]
    for name in ("pixels", "table"):
        target[name].resize(len(rows), 0)
    for new, row in enumerate(rows):
        target["pixels"][new] = source["pixels"][row]
    target["table"][:] = table[rows]
    if "labels" in source:
        shapes = source["label_shape"][:]
        labelled = [(new, row) for new, row in enumerate(rows) if row < len(shapes) and shapes[row, 0]]
        for new, row in labelled:
            height, width = shapes[row]
            put_labels(target, new, source["labels"][row, :height, :width])
    return len(table) - len(rows)


def put_labels(group: h5py.Group, row: int, labels: NDArray[np.uint8]) -> None:
    """Writes a class map that the datasets have room for; its shape last, which is what makes it count."""
    height, width = labels.shape
    for name in ("labels", "label_shape"):
        if len(group[name]) <= row:
            group[name].resize(row + 1, 0)
    group["labels"][row, :height, :width] = labels
    group["labels"].flush()
    group["label_shape"][row] = height, width
    group["label_shape"].flush()


def create_spectra(file: h5py.File, channels: int) -> h5py.Group:
    """Creates the empty datasets of spectra."""
    group = file.create_group("spectra")
    group.create_dataset(
        "counts", (0, channels), np.uint32, maxshape=(None, channels), chunks=(1, channels),
        compression="gzip", compression_opts=1,
    )  # fmt: skip
    group.create_dataset("spectrum", (0,), np.int64, maxshape=(None,), chunks=(256,))
    return group


def put_spectrum(group: h5py.Group, index: int, counts: NDArray[np.integer]) -> None:
    """Appends a spectrum; its index last, which is what makes it count."""
    row = len(group["spectrum"])
    group["counts"].resize(row + 1, 0)
    group["counts"][row] = counts
    group["counts"].flush()
    group["spectrum"].resize(row + 1, 0)
    group["spectrum"][row] = index
    group["spectrum"].flush()


def copy_spectra(source: h5py.File, target: h5py.File, keep: Callable[[int], bool]) -> None:
    """Copies the spectra to be kept, where there are any."""
    if "spectra" not in source:
        return
    group = create_spectra(target, source["spectra"]["counts"].shape[1])
    for row, index in enumerate(source["spectra"]["spectrum"][:].tolist()):
        if keep(index):
            put_spectrum(group, index, source["spectra"]["counts"][row])
