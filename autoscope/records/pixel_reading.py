"""Reading ``session.h5``: one frame or class map at a time, whatever the writer is doing."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from autoscope.core import BeamSettings, Frame, ImagingSettings, RecordError, StagePosition
from autoscope.records.pixel_layout import COLUMNS, TABLE

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCK = struct.Struct("<8sBBxB16xQ")
"""Signature, version, size of offsets, consistency flags and the address where the file ends."""


def open_for_reading(path: Path) -> h5py.File:
    """Opens the file without regard to whether, or how, a writer has it open.

    Raises:
        RecordError: it is missing, not an HDF5 file, or was cut off after it had been closed.
    """
    _require_whole(path)
    try:
        return h5py.File(path, "r", swmr=True, locking=False)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error}") from error


def _require_whole(path: Path) -> None:
    """Finds a file that lost its end, such as an incomplete copy: the library would retry it for minutes.

    A file whose writer closed it says where it ends (superblock versions 2 and 3, HDF5 file format
    specification, section II.A). One that is being written, or was killed, may not: it is not judged.

    Raises:
        RecordError: naming both lengths, bytes.
    """
    try:
        with path.open("rb") as file:
            start = file.read(SUPERBLOCK.size)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error}") from error
    if len(start) < SUPERBLOCK.size:
        return
    signature, version, bytes_of_offsets, open_for_writing, end = SUPERBLOCK.unpack(start)
    if signature != SIGNATURE or version not in (2, 3) or bytes_of_offsets != 8 or open_for_writing:
        return
    if (size := path.stat().st_size) < end:
        raise RecordError(f"{path} has {size} bytes of {end}: its end is missing, so copy it again")


def find_frame(file: h5py.File, index: int) -> tuple[h5py.Group, int]:
    """The group and the row of a frame.

    Raises:
        RecordError: no such frame.
    """
    for group in file["frames"].values():
        frames = group["table"]["frame"]
        row = int(np.searchsorted(frames, index))
        if row < len(frames) and frames[row] == index:
            return group, row
    raise RecordError(f"{file.filename} has no frame {index}")


def read_frame(file: h5py.File, index: int) -> Frame:
    """One frame as it was acquired, its pixels read-only.

    Raises:
        RecordError: no such frame.
    """
    return _frame(*find_frame(file, index))


def read_frames(file: h5py.File, indices: Sequence[int]) -> Iterator[Frame]:
    """Many frames, one after the other: quicker than one by one, and only one at a time in memory.

    Raises:
        RecordError: no such frame.
    """
    places = {
        index: (group, row)
        for group in file["frames"].values()
        for row, index in enumerate(group["table"]["frame"].tolist())
    }
    for index in indices:
        if index not in places:
            raise RecordError(f"{file.filename} has no frame {index}")
        yield _frame(*places[index])


def _frame(group: h5py.Group, row: int) -> Frame:
    entry = group["table"][row]
    pixels = group["pixels"][row]
    pixels.flags.writeable = False
    number = {name: entry[name].item() for name in COLUMNS if TABLE[name].kind in "if"}
    return Frame(
        pixels=pixels,
        position=StagePosition(*(number[key] for key in ("x_um", "y_um", "z_um", "tilt_deg"))),
        imaging=ImagingSettings(*(number[key] for key in ("hfw_um", "width_px", "height_px", "dwell_us"))),
        beam=BeamSettings(
            kv=number["kv"],
            current_pa=number["current_pa"],
            detector=entry["detector"].decode(),
            working_distance_mm=number["working_distance_mm"],
        ),
        time_s=number["time_s"],
        frame_id=number["frame_id"],
        dose_e_per_nm2=number["dose_e_per_nm2"],
        microscope=entry["microscope"].decode(),
    )


def read_labels(file: h5py.File, index: int) -> NDArray[np.uint8] | None:
    """The class map of a frame, None where it has none.

    Raises:
        RecordError: no such frame.
    """
    group, row = find_frame(file, index)
    if "labels" not in group or row >= len(group["label_shape"]):
        return None
    height, width = (int(n) for n in group["label_shape"][row])
    return np.asarray(group["labels"][row, :height, :width], np.uint8) if height else None


def read_spectrum(file: h5py.File, index: int) -> NDArray[np.int64]:
    """The counts of a spectrum, ``channels``.

    Raises:
        RecordError: no such spectrum.
    """
    if "spectra" in file:
        rows = np.flatnonzero(file["spectra"]["spectrum"][:] == index)
        if len(rows):
            return np.asarray(file["spectra"]["counts"][int(rows[0])], np.int64)
    raise RecordError(f"{file.filename} has no spectrum {index}")
