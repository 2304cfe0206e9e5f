"""Masks to and from the files of other annotation programs, exactly."""

from autoscope.labels.exchange.frames import FORMATS, Format, LabelledFrame, format_of
from autoscope.labels.exchange.queueing import ImportCount, answered_frames, import_frames

__all__ = [
    "FORMATS",
    "Format",
    "ImportCount",
    "LabelledFrame",
    "answered_frames",
    "format_of",
    "import_frames",
]
