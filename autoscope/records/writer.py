"""The writing end of a session folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Frame
from autoscope.records.documents import Document, FrameDocument, SpectrumDocument
from autoscope.records.events import EventLog
from autoscope.records.folder import (
    CONFIG,
    EVENTS,
    PIXELS,
    RESULT,
    create_folder,
    replace_file,
    require_session,
)
from autoscope.records.pixel_layout import create_pixels
from autoscope.records.pixel_writing import PixelFile
from autoscope.records.result import SessionResult


class SessionWriter:
    """Writes a session so that nothing acknowledged is lost, whenever the process is killed.

    What a method has returned from is on disk. A frame is acknowledged by its `FrameDocument`: a frame
    without one is dropped when the session is resumed. Documents of one `append` count together or not at
    all. One process at a time may write a session, and in it one thread.

    Use `create` or `resume`.

    Attributes:
        folder: the session folder.
        dropped_frames: how many frames `resume` found unacknowledged and dropped.
    """

    def __init__(self, folder: Path, log: EventLog) -> None:
        self.folder = folder
        self._log = log
        acknowledged = frozenset(d.frame for d in log.documents if isinstance(d, FrameDocument))
        spectra = frozenset(d.spectrum for d in log.documents if isinstance(d, SpectrumDocument))
        self._next_frame = max(acknowledged, default=-1) + 1
        self._next_spectrum = max(spectra, default=-1) + 1
        self._pixels = PixelFile(folder / PIXELS, acknowledged, spectra)
        self.dropped_frames = self._pixels.dropped

    @classmethod
    def create(cls, folder: Path, config_toml: str, fields: Mapping[str, NDArray[Any]]) -> SessionWriter:
        """Makes a new session folder, whole or not at all.

        Args:
            folder: must not exist, or be empty.
            config_toml: exactly what runs; becomes ``config.toml``.
            fields: the sampling grid, one array of ``n`` for each column (``x_um``, ``y_um``, ``row``,
                ``column``, ``weight``, ``valid_fraction``); entries without a dimension (``hfw_um``,
                ``vfw_um``) become attributes of the table.

        Raises:
            ConfigurationError: the folder exists and is not empty, or cannot be made, or the arrays differ in
                length.
        """
        lengths = {name: len(values) for name, values in fields.items() if np.ndim(values)}
        if len(set(lengths.values())) > 1:
            raise ConfigurationError(f"the arrays of the field table differ in length: {lengths}")

        def fill(draft: Path) -> None:
            create_pixels(draft / PIXELS, fields)
            (draft / CONFIG).write_text(config_toml, encoding="utf-8")
            (draft / EVENTS).touch()

        folder = Path(folder)
        create_folder(folder, fill)
        return cls._open(folder)

    @classmethod
    def resume(cls, folder: Path) -> tuple[SessionWriter, tuple[Document, ...]]:
        """Takes up a session that was interrupted, or finished.

        Drops what was being written when it ended: the torn last step of ``events.jsonl``, and frames that
        no document acknowledges. Calling it again changes nothing more.

        Returns:
            The writer, and every document so far; none if the session was killed before its first.

        Raises:
            RecordError: there is no session, it is damaged, or another process is writing it.
        """
        folder = Path(folder)
        require_session(folder)
        writer = cls._open(folder)
        return writer, writer._log.documents

    @classmethod
    def _open(cls, folder: Path) -> SessionWriter:
        log = EventLog(folder / EVENTS)
        try:
            return cls(folder, log)
        except BaseException:
            log.close()
            raise

    def append(self, *documents: Document) -> tuple[Document, ...]:
        """Appends documents, all of them or none, and returns them as they were written.

        Raises:
            RecordError: the disk refuses or the writer is closed; nothing was appended.
        """
        return self._log.append(documents)

    def add_frame(self, frame: Frame, *, purpose: Literal["overview", "field"], field: int | None) -> int:
        """Puts a frame on disk and returns its index, for the `FrameDocument` that acknowledges it.

        Raises:
            RecordError: the disk refuses, the writer is closed, or the frame has another shape than the
                frames of its purpose before.
        """
        index = self._next_frame
        self._pixels.add_frame(index, frame, purpose, field)
        self._next_frame = index + 1
        return index

    def add_labels(self, frame_index: int, labels: NDArray[np.uint8]) -> None:
        """Puts the class map of a frame on disk; its shape may differ from the frame's.

        Raises:
            RecordError: the disk refuses, the writer is closed, or there is no such frame.
        """
        self._pixels.add_labels(frame_index, labels)

    def add_spectrum(self, counts: NDArray[np.integer]) -> int:
        """Puts a spectrum on disk and returns its index, for the `SpectrumDocument` that acknowledges it.

        Raises:
            RecordError: the disk refuses, the writer is closed, or it has other channels than those before.
        """
        index = self._next_spectrum
        self._pixels.add_spectrum(index, counts)
        self._next_spectrum = index + 1
        return index

    def write_result(self, result: SessionResult) -> None:
        """Writes ``result.json`` atomically.

        Raises:
            RecordError: the disk refuses; an older result is untouched.
        """
        replace_file(self.folder / RESULT, result.to_json())

    def close(self) -> None:
        """Closes the files and gives up the lock; may be called twice.

        Raises:
            RecordError: the disk refuses; everything acknowledged is on disk.
        """
        try:
            self._pixels.close()
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
