"""Label requests and their answers: the queue, which frames are asked about, exchange with other tools."""

from autoscope.labels.asking import Chances, FrameStrategy, frame_score, uncertainty_map
from autoscope.labels.errors import ExpertError, LeaseExpired, MaskError, QueueError, UnknownRequest
from autoscope.labels.pictures import mask_from_png
from autoscope.labels.queue import LabelQueue
from autoscope.labels.reading import Picture
from autoscope.labels.strategies import (
    STRATEGIES,
    Pool,
    QueryStrategy,
    frame_scores,
    query_strategy,
    with_floor,
)
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
    "STRATEGIES",
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
    "Pool",
    "QueryStrategy",
    "QueueError",
    "QueueProgress",
    "RequestSummary",
    "State",
    "UnknownRequest",
    "frame_score",
    "frame_scores",
    "mask_from_png",
    "query_strategy",
    "suggest",
    "uncertainty_map",
    "with_floor",
]
