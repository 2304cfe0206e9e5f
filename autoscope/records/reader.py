"""The reading end: a session as it is on disk now, running, finished or killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, RecordError
from autoscope.records.documents import Document, FrameDocument
from autoscope.records.events import is_being_written, read_events
from autoscope.records.folder import CONFIG, EVENTS, PIXELS, require_session
from autoscope.records.pixel_reading import (
    open_for_reading,
    read_frame,
    read_frames,
    read_labels,
    read_spectrum,
)
from autoscope.records.result import SessionResult, build_result


class SessionView:
    """A read-only view of a session folder. Nothing is cached: every call sees what is on disk by then.

    It holds no file open and takes no lock, so it never blocks the writer and is never blocked by it.

    Attributes:
        folder: the session folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def config_toml(self) -> str:
        """Exactly what ran."""
        return (self.folder / CONFIG).read_text(encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether a process has the session open for writing now."""
        return is_being_written(self.folder / EVENTS)

    @property
    def frame_count(self) -> int:
        """How many frames are acknowledged."""
        return sum(isinstance(d, FrameDocument) for d in self.documents())

    @property
    def fields(self) -> dict[str, NDArray[Any]]:
        """The table of fields: arrays of ``n``, and its attributes (``hfw_um``) as arrays of no dimension.

        Raises:
            RecordError: the file is damaged.
        """
        with open_for_reading(self.folder / PIXELS) as file:
            group = file["fields"]
            arrays = {name: np.asarray(values) for name, values in group.attrs.items()}
            return arrays | {name: data[()] for name, data in group.items()}

    def documents(self) -> tuple[Document, ...]:
        """The documents of every whole step, in order.

        Raises:
            RecordError: a line is damaged.
        """
        return read_events(self.folder / EVENTS)[0]

    def result(self) -> SessionResult:
        """The result, built from the documents.

        Raises:
            RecordError: a line is damaged, or there is no ``started`` document.
        """
        return build_result(self.documents())

    def frame(self, index: int) -> Frame:
        """A frame by its index in the session.

        Raises:
            RecordError: there is no such frame, or the file is damaged.
        """
        with open_for_reading(self.folder / PIXELS) as file:
            return read_frame(file, index)

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Many frames by their indices, one at a time in memory.

        Raises:
            RecordError: there is no such frame, or the file is damaged.
        """
        with open_for_reading(self.folder / PIXELS) as file:
            yield from read_frames(file, indices)

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """The class map of a frame (``height x width``), None where it has none.

        Raises:
            RecordError: there is no such frame, or the file is damaged.
        """
        with open_for_reading(self.folder / PIXELS) as file:
            return read_labels(file, index)

    def spectrum(self, index: int) -> NDArray[np.int64]:
        """The counts of a spectrum (``channels``) by its index in the session.

        Raises:
            RecordError: there is no such spectrum, or the file is damaged.
        """
        with open_for_reading(self.folder / PIXELS) as file:
            return read_spectrum(file, index)


def open_session(path: Path | str) -> SessionView:
    """Opens a session folder for reading.

    Args:
        path: the folder that ``autoscope run`` made.

    Raises:
        RecordError: it does not exist, is not a session, or a file of it is missing.
    """
    folder = Path(path)
    require_session(folder)
    with open_for_reading(folder / PIXELS) as file:
        if "fields" not in file or "frames" not in file:
            raise RecordError(f"{folder / PIXELS} is an HDF5 file but not a session's")
    return SessionView(folder)
