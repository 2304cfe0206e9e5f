"""From an architecture by name to a network."""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from autoscope.core import ConfigurationError, nearest
from autoscope.perception.randomness import seeded
from autoscope.perception.settings import Architecture


def build_network(architecture: Architecture, n_classes: int, *, seed: int = 0) -> nn.Module:
    """A network with random weights that maps ``batch x 1 x height x width`` to ``batch x classes x ...``.

    torch's global generators stay as they were.

    Raises:
        ConfigurationError: the encoder is unknown, or cannot be had at this depth.
    """
    encoder = architecture.encoder
    known = smp.encoders.get_encoder_names()
    if encoder not in known and not encoder.startswith("tu-"):
        raise ConfigurationError(
            f"encoder {encoder!r} is not known{nearest(encoder, known)}; segmentation-models-pytorch lists"
            " the encoders, and tu-NAME takes any of timm's"
        )
    try:
        with seeded(seed):
            network: nn.Module = smp.Unet(
                encoder,
                encoder_depth=architecture.depth,
                encoder_weights=None,
                decoder_channels=architecture.decoder_channels,
                in_channels=1,
                classes=n_classes,
            )
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"encoder {encoder!r} cannot be built with depth {architecture.depth}: {error}"
        ) from error
    return network
