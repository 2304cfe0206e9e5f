"""Writing ``session.h5`` so that a kill at any moment leaves a file with every acknowledged frame."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, RecordError
from autoscope.records.folder import cannot_write, sync
from autoscope.records.pixel_layout import (
    OPEN,
    FrameLayout,
    copy_frames,
    copy_spectra,
    create_frames,
    create_spectra,
    layout_of,
    put_labels,
    put_spectrum,
    table_row,
)
from autoscope.records.pixel_reading import find_frame, open_for_reading

_H5_ERRORS = (OSError, RuntimeError)  # what h5py raises when the disk refuses
_STRUCTURE_BYTES = 1 << 17  # more than indices and tables grow by with one frame or one class map


class PixelFile:
    """The writing end of ``session.h5``.

    The file at its path is always one that readers can open: open for SWMR writing, or closed in order.

    Args:
        path: a file made by `create_pixels`; what a killed process left behind is salvaged.
        acknowledged: the frames to keep; None keeps all.
        spectra: the spectra to keep; None keeps all.

    Attributes:
        dropped: how many frames were left out when the file was opened.

    Raises:
        RecordError: the file is missing or damaged, lacks an acknowledged frame, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        acknowledged: frozenset[int] | None = None,
        spectra: frozenset[int] | None = None,
    ) -> None:
        self._path = path
        self._broken = False
        with open_for_reading(path) as source:
            if acknowledged is not None:
                _check_complete(source, acknowledged)
            self._file: h5py.File | None = None
            self.dropped = self._rewrite(source, {}, acknowledged, spectra)

    def add_frame(self, index: int, frame: Frame, purpose: str, field: int | None) -> None:
        """Adds a frame; returns when it is on disk.

        Raises:
            RecordError: the disk refuses, or the frame has another shape than its purpose's frames.
        """
        row = table_row(frame, index, field)
        with self._writing() as file:
            self._make_room(file, purpose, frame)
        with self._writing(frame.pixels.nbytes) as file:
            group = file["frames"][purpose]
            n = len(group["table"])
            for name in ("pixels", "table"):
                group[name].resize(n + 1, 0)
            group["pixels"][n] = frame.pixels
            group["pixels"].flush()
            group["table"][n] = row
            group["table"].flush()
            _sync(file)

    def add_labels(self, index: int, labels: NDArray[np.uint8]) -> None:
        """Adds or replaces the class map of a frame; returns when it is on disk.

        Raises:
            RecordError: the disk refuses, there is no such frame, or it is not a class map.
        """
        if labels.ndim != 2 or not labels.size or labels.dtype != np.uint8:
            raise RecordError(
                f"the class map of frame {index} is {labels.dtype} of shape {labels.shape}, it must be uint8"
                " of height x width"
            )
        with self._writing() as file:
            self._make_label_room(file, index, labels)
        with self._writing(2 * labels.nbytes) as file:
            put_labels(*find_frame(file, index), labels)
            _sync(file)

    def add_spectrum(self, index: int, counts: NDArray[np.integer]) -> None:
        """Adds a spectrum; returns when it is on disk.

        Raises:
            RecordError: the disk refuses, or it has other channels than the spectra before.
        """
        with self._writing() as file:
            if "spectra" not in file:
                self._rewrite(file, {}, None, channels=len(counts))
        with self._writing(counts.nbytes) as file:
            channels = file["spectra"]["counts"].shape[1]
            if len(counts) != channels:
                raise RecordError(
                    f"a spectrum has {len(counts)} channels, the session's spectra have {channels}: the EDS"
                    " detector's settings must not change within a session"
                )
            put_spectrum(file["spectra"], index, counts)
            _sync(file)

    def close(self) -> None:
        """Closes the file; may be called twice.

        Raises:
            RecordError: the disk refuses (not again if it has refused before).
        """
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except _H5_ERRORS as error:
            if not self._broken:
                raise cannot_write(self._path.parent, error) from error

    @contextmanager
    def _writing(self, size: int = 0) -> Iterator[h5py.File]:
        if self._file is None or self._broken:
            state = "could not be written before" if self._broken else "is closed"
            raise RecordError(f"{self._path} {state}: nothing more can be written to it")
        try:
            _reserve(self._file, size)
        except OSError as error:
            raise cannot_write(self._path.parent, error) from error
        try:
            yield self._file
        except _H5_ERRORS as error:
            self._broken = True
            raise cannot_write(self._path.parent, error) from error

    def _make_room(self, file: h5py.File, purpose: str, frame: Frame) -> None:
        wanted = FrameLayout(frame.pixels.shape, frame.pixels.dtype)
        if purpose not in file["frames"]:
            self._rewrite(file, {purpose: wanted}, None)
            return
        present = layout_of(file["frames"][purpose])
        if (present.shape, present.dtype) != (wanted.shape, wanted.dtype):
            raise RecordError(
                f"a {purpose} frame has {_describe(wanted)}, the session's {purpose} frames have"
                f" {_describe(present)}: the imaging of a purpose must not change within a session"
            )

    def _make_label_room(self, file: h5py.File, index: int, labels: NDArray[np.uint8]) -> None:
        group, _ = find_frame(file, index)
        layout = layout_of(group)
        height, width = layout.label_shape or (0, 0)
        room = max(height, labels.shape[0]), max(width, labels.shape[1])
        if room != layout.label_shape:
            self._rewrite(file, {group.name.rsplit("/", 1)[1]: replace(layout, label_shape=room)}, None)

    def _rewrite(
        self,
        source: h5py.File,
        changes: Mapping[str, FrameLayout],
        acknowledged: frozenset[int] | None,
        spectra: frozenset[int] | None = None,
        channels: int | None = None,
    ) -> int:
        """Writes the file anew with other layouts and renames it over the old one.

        The new file is open for SWMR writing before it gets its name, so no kill can fall between.
        """
        keep: Callable[[int], bool] = (lambda _: True) if acknowledged is None else acknowledged.__contains__
        draft = self._path.with_name(f".{self._path.name}.draft")
        file = None
        try:
            size = source.id.get_filesize() + sum(layout.bytes for layout in changes.values())
            _check_room(draft, size + _STRUCTURE_BYTES)
            file = h5py.File(draft, "w", **OPEN)
            _reserve(file, size)
            dropped = _copy(source, file, changes, keep)
            copy_spectra(source, file, (lambda _: True) if spectra is None else spectra.__contains__)
            if channels is not None:
                create_spectra(file, channels)
            file.swmr_mode = True
            _sync(file)
            draft.replace(self._path)
            sync(self._path.parent)
        except _H5_ERRORS as error:
            draft.unlink(missing_ok=True)
            if file is not None:
                with suppress(*_H5_ERRORS):
                    file.close()
            raise cannot_write(self._path.parent, error) from error
        old, self._file = self._file, file
        if old is not None:
            old.close()
        return dropped


def _reserve(file: h5py.File, size: int) -> None:
    """Takes disk space before HDF5 needs it, for the library cannot go on after a write that failed.

    Nothing has happened to the file when it raises. HDF5 ignores what lies behind its own end of the file
    and cuts it off when it closes.

    Raises:
        OSError: there is not as much room.
    """
    _allocate(file.id.get_vfd_handle(), file.id.get_filesize(), size + _STRUCTURE_BYTES)


def _check_room(draft: Path, size: int) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _allocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, start: int, size: int) -> None:
    if sys.platform != "linux":
        return
    try:
        os.posix_fallocate(descriptor, start, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot reserve
            raise


def _copy(
    source: h5py.File, target: h5py.File, changes: Mapping[str, FrameLayout], keep: Callable[[int], bool]
) -> int:
    target.attrs.update(source.attrs)
    source.copy("fields", target)
    layouts = {purpose: layout_of(group) for purpose, group in source["frames"].items()} | dict(changes)
    frames = target.create_group("frames")
    dropped = 0
    for purpose, layout in layouts.items():
        create_frames(frames.create_group(purpose), layout)
        if purpose in source["frames"]:
            dropped += copy_frames(source["frames"][purpose], frames[purpose], keep)
    return dropped


def _check_complete(source: h5py.File, acknowledged: frozenset[int]) -> None:
    present = {index for group in source["frames"].values() for index in group["table"]["frame"].tolist()}
    missing = sorted(acknowledged - present)
    if missing:
        raise RecordError(
            f"{source.filename} lacks {len(missing)} frames that events.jsonl records (first: frame"
            f" {missing[0]}): it is not the file that belongs to this session, restore it from a copy"
        )


def _sync(file: h5py.File) -> None:
    file.flush()
    os.fsync(file.id.get_vfd_handle())


def _describe(layout: FrameLayout) -> str:
    return f"{layout.shape[1]} x {layout.shape[0]} pixels of {layout.dtype}"
