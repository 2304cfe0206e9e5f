"""Training that begins with the weights of a finished model: few-shot fine-tuning."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from autoscope.core import ConfigurationError
from autoscope.perception.card import StartingModel
from autoscope.perception.settings import Architecture
from autoscope.perception.weights import read_model

_HEAD = "segmentation_head."


def start_from(
    network: nn.Module, architecture: Architecture, classes: tuple[str, ...], path: Path
) -> StartingModel:
    """Fills a network from a model.

    Where the model was made for other classes, its last layer is not taken over.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: it is of another architecture.
    """
    stored = read_model(Path(path))
    card = stored.card
    if card.architecture != architecture:
        raise ConfigurationError(
            f"{path}: the model to start from is {card.architecture.describe()}, the training asks for"
            f" {architecture.describe()}: they must be the same"
        )
    same_classes = card.classes == classes
    state = {
        name: tensor
        for name, tensor in stored.network.state_dict().items()
        if same_classes or not name.startswith(_HEAD)
    }
    network.load_state_dict(network.state_dict() | state)
    return StartingModel(file=path.name, sha256=card.sha256, head=same_classes)
