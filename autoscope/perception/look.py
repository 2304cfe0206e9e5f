"""What a look at a frame says: whether it resembles what the model was made for, and what may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from autoscope.perception.settings import Settings

Level = Literal["familiar", "suspicious", "foreign"]
"""How unlike the model's own frames: not, worth a second look, or beyond anything it was made for."""

Guess = Literal["", "defocus", "charging", "empty", "other material"]
"""What is probably wrong with a frame; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one frame.

    Attributes:
        level: how unlike the model's own frames.
        score: 1 is the edge of suspicion, the larger the less familiar.
        guess: what is probably wrong; a best guess and no more.
    """

    level: Level
    score: float
    guess: Guess = ""


class FamiliarityCard(Settings):
    """How a model's familiarity was fitted, and what its two levels promise.

    Attributes:
        window_px: edge of the windows that are judged one by one.
        images: different images that it was fitted to.
        windows: windows of these images.
        folds: blocks of images that were left out in turn to calibrate it.
        suspicious_rate: share of the images left out that have a window which is called suspicious or worse;
            share of their windows in models with directions of troubles, which were fitted before.
        suspicious_extrapolated: there are too few images for that rate: the largest score is its edge.
        foreign_rate: intended share that is called foreign; always extrapolated with an exponential tail.
        foreign_score: edge of what is foreign, where 1 is that of what is suspicious.
    """

    window_px: Annotated[int, Field(ge=16)]
    images: int
    windows: int
    folds: int
    suspicious_rate: float
    suspicious_extrapolated: bool
    foreign_rate: float
    foreign_score: float
