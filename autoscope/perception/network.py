"""The segmenter that is a trained network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoscope.perception.area_distribution import AreaDistribution, area_distributions
from autoscope.perception.card import ModelCard, pixel_size_notes, require_classes
from autoscope.perception.devices import Device, Precision, choose_device, choose_precision
from autoscope.perception.familiarity import GROUP, Familiarity, Windows
from autoscope.perception.inference import MARGIN_PX, TILE_PX, NetworkRunner, UncertainPixels
from autoscope.perception.last_layer import last_layer
from autoscope.perception.look import Look
from autoscope.perception.observing import EncoderWatch
from autoscope.perception.preprocessing import check_pixels, grey_levels, network_input, normalised
from autoscope.perception.segmentation import Pixels, Segmentation, Segmenter, Uncertainty
from autoscope.perception.uncertainty import CalibratedHead
from autoscope.perception.views import ViewedNetwork, trained_views
from autoscope.perception.weights import read_model

POSTERIOR, DEVIATIONS = "posterior", "deviations"
"""Group and name of the draws of the last layer's weights in a model's file."""
NOT_CALIBRATED = (
    "the model was not calibrated: its entropies are those of the plain softmax, and nothing is known of"
    " how far its area fractions are off (autoscope segment calibrate)"
)


class NetworkSegmenter(Segmenter):
    """A trained network with the preprocessing that it was trained with.

    Args:
        network: maps normalised images to class scores.
        card: what it is.
        device: where it runs.
        precision: of the arithmetic; ``"auto"`` is whichever is faster on this device.
        tile_px: larger frames are cut into pieces of this edge.
        margin_px: overlap of the pieces on each side.
        deviations: draws of the last layer's weights, from the file's group "posterior"; None without any.
        views: whether to average over the mirrored and turned views that training showed.
        familiarity: judges whether frames resemble those of training; None where it was not fitted.
    """

    def __init__(
        self,
        network: nn.Module,
        card: ModelCard,
        *,
        device: Device = "auto",
        precision: Precision = "auto",
        tile_px: int = TILE_PX,
        margin_px: int = MARGIN_PX,
        deviations: Tensor | None = None,
        views: bool = False,
        familiarity: Familiarity | None = None,
    ) -> None:
        self._card, self._sha256, self._bare = card, card.sha256, network
        if views:
            network = ViewedNetwork(network, trained_views(card.hyperparameters.augmentation))
            self._sha256 = hashlib.sha256(f"{card.sha256} views".encode()).hexdigest()
        self._network = network
        self._device = choose_device(device)
        self._dtype = choose_precision(self._device, precision)
        self._head = CalibratedHead(card.calibration, deviations, last_layer(network))
        self._runner = NetworkRunner(
            network,
            card.architecture.stride_px,
            len(card.classes),
            self._device,
            self._dtype,
            tile_px=tile_px,
            margin_px=margin_px,
            head=self._head,
        )
        self._tile_px, self._familiarity = tile_px, familiarity
        self._watch = None if familiarity is None else self._watched(familiarity.card.window_px)

    @property
    def kind(self) -> Literal["segmentation"]:
        """``"segmentation"``."""
        return "segmentation"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._card.classes

    @property
    def sha256(self) -> str:
        """The card's hash, which covers the weights; another one where views are averaged."""
        return self._sha256

    @property
    def card(self) -> ModelCard:
        """What the model is."""
        return self._card

    @property
    def tells_unfamiliar(self) -> bool:
        """Whether it says of every frame how familiar it is."""
        return self._familiarity is not None

    @property
    def dtype(self) -> torch.dtype:
        """Of the arithmetic."""
        return self._dtype

    @property
    def network(self) -> nn.Module:
        """Maps normalised images to class scores, without calibration."""
        return self._network

    @property
    def runner(self) -> NetworkRunner:
        """The network as it runs."""
        return self._runner

    def segment(
        self,
        frame_pixels: Pixels,
        pixel_nm: float | None,
        *,
        probability: bool = False,
        uncertainty: bool = False,
    ) -> Segmentation:
        """Segments a ``height x width`` frame of any size; an unknown pixel size is reported as NaN."""
        check_pixels(frame_pixels)
        grey = grey_levels(frame_pixels, self._card.preprocessing)
        image, found, unsure = normalised(grey, self._card.preprocessing), None, None
        notes = pixel_size_notes(self._card, pixel_nm)
        if self._watch is not None:
            self._watch.forget()
        if uncertainty:
            pixels = self._runner.uncertain(image, probability=probability)
            labels, found, unsure = pixels.labels, pixels.probability, self._uncertainty(pixels)
            if self._card.calibration is None:
                notes += (NOT_CALIBRATED,)
        elif probability:
            labels, found = self._runner.labels_and_probability(image)
        else:
            labels = self._runner.labels(image)
        size = float("nan") if pixel_nm is None else pixel_nm
        look = self._look(frame_pixels, grey)
        return Segmentation(labels, self.class_names, size, found, notes, unsure, look)

    def plain(self) -> NetworkSegmenter:
        """The same network without calibration."""
        card = self._card.model_copy(update={"calibration": None})
        precision: Precision = "bfloat16" if self._dtype is torch.bfloat16 else "float32"
        device: Device = "cuda" if self._device.type == "cuda" else "cpu"
        return NetworkSegmenter(self._network, card, device=device, precision=precision)

    def normalised(self, frame_pixels: Pixels) -> NDArray[np.float32]:
        """What the network takes in.

        Raises:
            ImageError: the pixels are not ``height x width`` uint8 or uint16, or there are none.
        """
        check_pixels(frame_pixels)
        return network_input(frame_pixels, self._card.preprocessing)

    def _uncertainty(self, pixels: UncertainPixels) -> Uncertainty:
        calibration, epistemic, aleatoric = self._card.calibration, None, None
        if self._head.needs_features:
            aleatoric = pixels.aleatoric
            # rounding to half precision may leave a difference just below zero, which cannot be
            epistemic = np.maximum(pixels.total - aleatoric, np.float16(0))
        areas: tuple[AreaDistribution, ...] = ()
        if calibration is not None:
            size = pixels.labels.size
            counts = np.bincount(pixels.labels.ravel(), minlength=len(self.class_names))
            areas = area_distributions(calibration.area, counts / size, pixels.mean_nats, size)
        return Uncertainty(pixels.total, aleatoric, epistemic, pixels.mean_nats, areas, pixels.error)

    def windows(self, frame_pixels: Pixels, window_px: int) -> Windows:
        """What a frame's windows look like to the encoder: what familiarity is fitted to."""
        check_pixels(frame_pixels)
        watch = self._watched(window_px)
        try:
            return watch.windows(frame_pixels, grey_levels(frame_pixels, self._card.preprocessing))
        finally:
            watch.close()

    def _watched(self, window_px: int) -> EncoderWatch:
        def run(grey: NDArray[np.float32]) -> None:
            self._runner.labels(normalised(grey, self._card.preprocessing))

        return EncoderWatch(self._bare, window_px, run, self._tile_px)

    def _look(self, pixels: Pixels, grey: NDArray[np.float32]) -> Look | None:
        if self._watch is None or self._familiarity is None:
            return None
        return self._familiarity.judge(self._watch.windows(pixels, grey))


def load_network_segmenter(
    path: Path,
    *,
    classes: Sequence[str] = (),
    device: Device = "auto",
    precision: Precision = "auto",
    views: bool = False,
) -> NetworkSegmenter:
    """Loads a trained model; see `autoscope.perception.load_segmenter`."""
    stored = read_model(path)
    require_classes(stored.card, classes, path)
    familiarity = None
    if stored.card.familiarity is not None:
        arrays = {name: tensor.float().numpy() for name, tensor in stored.groups.get(GROUP, {}).items()}
        familiarity = Familiarity.of(arrays, stored.card.familiarity)
    return NetworkSegmenter(
        stored.network,
        stored.card,
        device=device,
        precision=precision,
        views=views,
        familiarity=familiarity,
        deviations=stored.groups.get(POSTERIOR, {}).get(DEVIATIONS),
    )
