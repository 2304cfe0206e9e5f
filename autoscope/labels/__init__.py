"""Label requests and their answers: the queue, which frames are asked about, exchange with other tools."""

from autoscope.labels.asking import Chances, FrameStrategy, frame_score, uncertainty_map
from autoscope.labels.errors import ExpertError, LeaseExpired, MaskError, QueueError, UnknownRequest
from autoscope.labels.pictures import mask_from_png
from autoscope.labels.queue import LabelQueue
from autoscope.labels.reading import Picture
from autoscope.labels.suggestion import NO_SCRIBBLE, PixelFeatures, suggest
from autoscope.labels.values import (
    STATES,
    Answer,
    Disagreement,
    Effect,
    Expert,
    Lease,
    NewRequest,
    QueueProgress,
    RequestSummary,
    State,
)

__all__ = [
    "NO_SCRIBBLE",
    "STATES",
    "Answer",
    "Chances",
    "Disagreement",
    "Effect",
    "Expert",
    "ExpertError",
    "FrameStrategy",
    "LabelQueue",
    "Lease",
    "LeaseExpired",
    "MaskError",
    "NewRequest",
    "Picture",
    "PixelFeatures",
    "QueueError",
    "QueueProgress",
    "RequestSummary",
    "State",
    "UnknownRequest",
    "frame_score",
    "mask_from_png",
    "suggest",
    "uncertainty_map",
]
