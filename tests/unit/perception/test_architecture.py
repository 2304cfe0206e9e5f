from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from autoscope.core import ConfigurationError
from autoscope.perception import Architecture
from autoscope.perception.architecture import build_network

SMALL = {"encoder": "tu-resnet10t", "depth": 4}
CHANNELS = {
    "unet": (8, 8, 8, 8),
    "unetplusplus": (8, 8, 8, 8),
    "fpn": (32, 32),
    "deeplabv3plus": (16,),
    "segformer": (16,),
}


def small(kind: str, **changes: object) -> Architecture:
    return Architecture.model_validate(SMALL | {"kind": kind, "decoder_channels": CHANNELS[kind]} | changes)


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("kind", CHANNELS)
def test_scores_are_of_the_size_of_the_image(kind: str, reduction: int) -> None:
    architecture = small(kind, reduction=reduction)
    height, width = 2 * architecture.stride_px, 3 * architecture.stride_px
    with torch.no_grad():
        scores = build_network(architecture, 3).eval()(torch.zeros(1, 1, height, width))
    assert scores.shape == (1, 3, height, width)


@pytest.mark.parametrize("encoder", ["resnet18", "densenet121", "tu-tf_efficientnet_lite0", "mit_b0"])
def test_the_families_of_encoders(encoder: str) -> None:
    network = build_network(Architecture(encoder=encoder, decoder_channels=(16, 16, 16, 8, 8)), 2).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 2, 64, 64)


def test_a_reduced_network_sees_means_and_keeps_the_names_of_its_weights() -> None:
    plain, reduced = (
        build_network(small("unet"), 2).eval(),
        build_network(small("unet", reduction=2), 2).eval(),
    )
    reduced.load_state_dict(plain.state_dict())
    image = torch.rand(1, 1, 64, 64)
    shuffled = image.reshape(1, 1, 32, 2, 64).flip(3).reshape(1, 1, 64, 64)  # rows of each pair swapped
    with torch.no_grad():
        assert torch.allclose(reduced(image), reduced(shuffled), atol=1e-5)
        small_scores = plain(torch.nn.functional.avg_pool2d(image, 2))
        middle = reduced(image).reshape(1, 2, 32, 2, 32, 2).mean((3, 5))
    assert torch.allclose(middle[..., 4:-4, 4:-4], small_scores[..., 4:-4, 4:-4], atol=0.2)
    assert small("unet", reduction=2).stride_px == 32


def test_decoders_have_their_usual_channels() -> None:
    assert Architecture(kind="fpn").decoder_channels == (128, 64)
    assert Architecture(kind="segformer").decoder_channels == (128,)
    assert Architecture().decoder_channels == (256, 128, 64, 32, 16)


@pytest.mark.parametrize(("kind", "message"), [("fpn", "5 numbers, it needs 2: fpn"), ("unet", "1 numbers")])
def test_channels_that_do_not_fit_the_decoder(kind: str, message: str) -> None:
    channels = (64,) if kind == "unet" else (256, 128, 64, 32, 16)
    with pytest.raises(ValidationError, match=message):
        Architecture.model_validate({"kind": kind, "decoder_channels": channels})


def test_an_encoder_that_a_decoder_cannot_use() -> None:
    with pytest.raises(ConfigurationError, match=r"'densenet121' cannot be built .* deeplabv3plus decoder"):
        build_network(Architecture(kind="deeplabv3plus", encoder="densenet121"), 2)
