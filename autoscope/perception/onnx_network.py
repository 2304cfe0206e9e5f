"""An exported network in the place of the original: the same tiles and preprocessing, another engine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.card import ModelCard, read_card, require_classes
from autoscope.perception.devices import Device
from autoscope.perception.network import NetworkSegmenter
from autoscope.perception.onnx_card import INPUT, ONNX_ENDING, OUTPUT, open_onnx


class OnnxNetwork(nn.Module):
    """Maps ``batch x 1 x height x width`` to class scores by onnxruntime, on the processor.

    Args:
        session: of an exported network.
    """

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session

    def forward(self, image: Tensor) -> Tensor:
        """Class scores."""
        grey = np.ascontiguousarray(image.numpy(), dtype=np.float32)
        scores: Tensor = torch.from_numpy(self._session.run([OUTPUT], {INPUT: grey})[0])
        return scores


def load_onnx_segmenter(
    path: Path, *, classes: Sequence[str] = (), device: Device = "auto"
) -> NetworkSegmenter:
    """Loads an exported model; see `autoscope.perception.load_segmenter`.

    Raises:
        ModelError: the file cannot be used, or was made for other classes.
        ConfigurationError: a GPU was asked for, or onnxruntime is not installed.
    """
    if device == "cuda":
        raise ConfigurationError(
            f"{path}: exported models run on the processor here: use the .safetensors file on a GPU"
        )
    session, card = open_onnx(path, threads=torch.get_num_threads())
    require_classes(card, classes, path)
    return NetworkSegmenter(OnnxNetwork(session), card, device="cpu", precision="float32")


def exported_beside(path: Path, card: ModelCard) -> Path | None:
    """The exported form of a model, where it lies beside it and can take its place; None otherwise.

    It cannot where it was exported from other weights, and where something was fitted to the layers of the
    network, which an exported one does not show.
    """
    exported = path.with_suffix(ONNX_ENDING)
    if find_spec("onnxruntime") is None or not exported.is_file() or _has_groups(path):
        return None
    try:
        same = read_card(exported).sha256 == card.sha256
    except ModelError:
        return None  # damaged or of another program: the original is whole
    return exported if same else None


def _has_groups(path: Path) -> bool:
    with safe_open(str(path), framework="numpy") as file:
        return any("/" in name for name in file.keys())  # noqa: SIM118 - not a mapping
