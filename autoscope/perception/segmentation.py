"""What segmenting a frame gives, and what anything that segments frames promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.area_distribution import AreaDistribution
from autoscope.perception.look import Look

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How unsure a segmentation is, and why.

    Attributes:
        total: ``height x width`` entropy of the predictive distribution of each pixel's class, nats.
        aleatoric: the part that stays however much is learned; None without a posterior.
        epistemic: the part from not knowing the weights (mutual information); None without a posterior.
        score: of the frame, its mean total entropy, nats.
        areas: distribution of the true area fraction of each class; empty where nothing was calibrated.
        error: ``height x width`` probability that the label is wrong; None where nothing was fitted that
            tells.
    """

    total: NDArray[np.float16]
    aleatoric: NDArray[np.float16] | None
    epistemic: NDArray[np.float16] | None
    score: float
    areas: tuple[AreaDistribution, ...] = ()
    error: NDArray[np.float16] | None = None


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The class of every pixel of a frame.

    Attributes:
        labels: ``height x width``, indices into ``class_names``.
        class_names: names of the classes.
        pixel_nm: edge of a pixel, nm.
        probability: ``classes x height x width``, only where it was asked for.
        notes: what is to be said of this result, such as an unfamiliar pixel size.
        uncertainty: only where it was asked for and the segmenter can tell.
        look: whether the frame resembles those that the model was made for; None where it cannot tell.
    """

    labels: NDArray[np.uint8]
    class_names: tuple[str, ...]
    pixel_nm: float
    probability: NDArray[np.float16] | None = None
    notes: tuple[str, ...] = ()
    uncertainty: Uncertainty | None = None
    look: Look | None = None


class Segmenter(ABC):
    """Assigns a class to every pixel. It is frozen: the same pixels give the same classes."""

    @property
    @abstractmethod
    def kind(self) -> Literal["segmentation", "threshold"]:
        """What the configuration and the report call it."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """Names the segmenter: everything that decides its class maps is in this hash."""

    @abstractmethod
    def segment(
        self, frame_pixels: Pixels, pixel_nm: float, *, probability: bool = False, uncertainty: bool = False
    ) -> Segmentation:
        """Segments a frame.

        Args:
            frame_pixels: ``height x width``, of any size.
            pixel_nm: edge of a pixel, nm.
            probability: whether class probabilities are wanted too.
            uncertainty: whether its uncertainty is wanted too.

        Raises:
            ImageError: the pixels are not two-dimensional uint8 or uint16, or there are none.
        """
