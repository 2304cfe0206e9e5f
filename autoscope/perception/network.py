"""The segmenter that is a trained network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from autoscope.perception.card import ModelCard, pixel_size_notes, require_classes
from autoscope.perception.devices import Device, Precision, choose_device, choose_precision
from autoscope.perception.inference import MARGIN_PX, TILE_PX, NetworkRunner
from autoscope.perception.preprocessing import check_pixels, network_input
from autoscope.perception.segmentation import Pixels, Segmentation, Segmenter
from autoscope.perception.views import ViewedNetwork, trained_views
from autoscope.perception.weights import read_network


class NetworkSegmenter(Segmenter):
    """A trained network with the preprocessing that it was trained with.

    Args:
        network: maps normalised images to class scores.
        card: what it is.
        device: where it runs.
        precision: of the arithmetic; ``"auto"`` is whichever is faster on this device.
        tile_px: larger frames are cut into pieces of this edge.
        margin_px: overlap of the pieces on each side.
        views: whether to average over the mirrored and turned views that training showed.
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
        views: bool = False,
    ) -> None:
        self._card, self._sha256 = card, card.sha256
        if views:
            network = ViewedNetwork(network, trained_views(card.hyperparameters.augmentation))
            self._sha256 = hashlib.sha256(f"{card.sha256} views".encode()).hexdigest()
        self._device = choose_device(device)
        self._dtype = choose_precision(self._device, precision)
        self._runner = NetworkRunner(
            network,
            card.architecture.stride_px,
            len(card.classes),
            self._device,
            self._dtype,
            tile_px=tile_px,
            margin_px=margin_px,
        )

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
    def dtype(self) -> torch.dtype:
        """Of the arithmetic."""
        return self._dtype

    def segment(
        self, frame_pixels: Pixels, pixel_nm: float | None, *, probability: bool = False
    ) -> Segmentation:
        """Segments a ``height x width`` frame of any size; an unknown pixel size is reported as NaN."""
        check_pixels(frame_pixels)
        image = network_input(frame_pixels, self._card.preprocessing)
        found = None
        if probability:
            labels, found = self._runner.labels_and_probability(image)
        else:
            labels = self._runner.labels(image)
        notes = pixel_size_notes(self._card, pixel_nm)
        size = float("nan") if pixel_nm is None else pixel_nm
        return Segmentation(labels, self.class_names, size, found, notes)


def load_network_segmenter(
    path: Path,
    *,
    classes: Sequence[str] = (),
    device: Device = "auto",
    precision: Precision = "auto",
    views: bool = False,
) -> NetworkSegmenter:
    """Loads a trained model; see `autoscope.perception.load_segmenter`."""
    network, card = read_network(path)
    require_classes(card, classes, path)
    return NetworkSegmenter(network, card, device=device, precision=precision, views=views)
