"""From an architecture by name to a network."""

from __future__ import annotations

from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor, nn
from torch.nn import functional

from autoscope.core import ConfigurationError, nearest
from autoscope.perception.randomness import seeded
from autoscope.perception.settings import Architecture


class ReducedNetwork(nn.Module):
    """A network that sees an image reduced, and gives scores of the full size.

    Its parts keep their names, so that weights fit with and without the reduction.

    Args:
        network: of segmentation-models-pytorch.
        reduction: edge of the squares over which grey levels are averaged, px.
    """

    def __init__(self, network: nn.Module, reduction: int) -> None:
        super().__init__()
        self.encoder = network.get_submodule("encoder")
        self.decoder = network.get_submodule("decoder")
        self.segmentation_head = network.get_submodule("segmentation_head")
        self.reduction = reduction

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``batch x classes x height x width`` of images ``batch x 1 x height x width``."""
        small = functional.avg_pool2d(images, self.reduction)
        scores = self.segmentation_head(self.decoder(self.encoder(small)))
        return functional.interpolate(scores, scale_factor=self.reduction, mode="bilinear")


def build_network(architecture: Architecture, n_classes: int, *, seed: int = 0) -> nn.Module:
    """A network with random weights that maps ``batch x 1 x height x width`` to ``batch x classes x ...``.

    torch's global generators stay as they were.

    Raises:
        ConfigurationError: the encoder is unknown, or cannot be had at this depth or with this decoder.
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
            network = _built(architecture, n_classes)
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"encoder {encoder!r} cannot be built with depth {architecture.depth} and a"
            f" {architecture.kind} decoder: {error}"
        ) from error
    return network if architecture.reduction == 1 else ReducedNetwork(network, architecture.reduction)


def _built(architecture: Architecture, n_classes: int) -> nn.Module:
    channels = architecture.decoder_channels
    options: dict[str, Any] = {
        "encoder_name": architecture.encoder,
        "encoder_depth": architecture.depth,
        "encoder_weights": None,
        "in_channels": 1,
        "classes": n_classes,
    }
    network: nn.Module
    match architecture.kind:
        case "unet":
            network = smp.Unet(decoder_channels=channels, **options)
        case "unetplusplus":
            network = smp.UnetPlusPlus(decoder_channels=channels, **options)
        case "fpn":
            pyramid, branches = channels
            network = smp.FPN(
                decoder_pyramid_channels=pyramid,
                decoder_segmentation_channels=branches,
                upsampling=2 ** (architecture.depth - 3),
                **options,
            )
        case "deeplabv3plus":
            network = smp.DeepLabV3Plus(decoder_channels=channels[0], **options)
        case "segformer":
            network = smp.Segformer(decoder_segmentation_channels=channels[0], **options)
    return network
