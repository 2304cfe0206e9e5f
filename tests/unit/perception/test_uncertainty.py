from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.base import SegmentationHead
from torch import nn

from autoscope.perception.area_fitting import KnownFrame, fit_area_spread
from autoscope.perception.calibration_card import Calibration
from autoscope.perception.head_posterior import PRIOR_SCALE, draw_deviations, laplace_covariance
from autoscope.perception.inference import NetworkRunner
from autoscope.perception.last_layer import flat_weights, last_layer, neighbourhoods
from autoscope.perception.uncertainty import CalibratedHead

CPU = torch.device("cpu")


def calibration(classes: int, **changes: object) -> Calibration:
    even = np.full((5, classes), 1 / classes)
    spread = fit_area_spread([KnownFrame(even, even, 0.3, 4096)], [f"c{n}" for n in range(classes)])
    base = {
        "images": ("a",), "temperature": 1.0, "offsets": (0.0,) * classes, "posterior_scale": 1.0,
        "nll_before": 0.3, "nll_after": None, "area": spread,
    }  # fmt: skip
    return Calibration.model_validate(base | changes)


class Tiny(nn.Module):
    """Five features of a 3 x 3 neighbourhood, then a head as segmentation-models-pytorch builds it."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Conv2d(1, 5, 3, padding=1)
        self.segmentation_head = SegmentationHead(5, classes, kernel_size=3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.segmentation_head(torch.relu(self.features(image)))


def test_laplace_of_pyro_is_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    trained = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (40,), generator=generator)
    chance = torch.softmax(inputs @ trained.T, dim=1).numpy()
    curvature = np.eye(9) / PRIOR_SCALE**2
    for x, p in zip(inputs.numpy(), chance, strict=True):
        curvature += 0.25 * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
    found = laplace_covariance(inputs, labels, trained, power=0.25)
    np.testing.assert_allclose(found.numpy(), np.linalg.inv(curvature), rtol=1e-6, atol=1e-9)


def test_the_posterior_leaves_the_generator_and_the_parameters_of_pyro_alone() -> None:
    import pyro

    state, before = torch.random.get_rng_state(), set(pyro.get_param_store().keys())
    laplace_covariance(torch.ones(4, 2), torch.tensor([0, 1, 0, 1]), torch.zeros(2, 2), power=1.0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(pyro.get_param_store().keys()) == before


def test_draws_are_repeatable_and_have_the_variance_of_the_posterior() -> None:
    covariance = torch.diag(torch.tensor([4.0, 1.0, 0.25, 9.0], dtype=torch.float64))
    drawn = draw_deviations(covariance, 2)
    assert torch.equal(drawn, draw_deviations(covariance, 2))
    np.testing.assert_allclose(drawn.square().mean(dim=0).flatten(), covariance.diagonal(), rtol=1e-5)


def test_the_last_layer_is_a_product_with_neighbourhoods() -> None:
    network = Tiny()
    layer = last_layer(network)
    assert layer is not None
    features = torch.relu(network.features(torch.randn(1, 1, 9, 7)))
    rows, columns = torch.tensor([0, 4, 8]), torch.tensor([6, 3, 0])
    found = neighbourhoods(features[0], rows, columns, layer) @ flat_weights(layer).T
    torch.testing.assert_close(found, layer(features)[0][:, rows, columns].T, rtol=1e-4, atol=1e-5)


def test_a_network_without_a_plain_last_layer_has_none() -> None:
    assert last_layer(nn.Conv2d(1, 2, 1)) is None
    enlarging = Tiny()
    enlarging.segmentation_head = SegmentationHead(5, 3, upsampling=2)
    assert last_layer(enlarging) is None


def test_entropies_by_hand() -> None:
    scores = torch.log(torch.tensor([0.5, 0.25, 0.25]))[:, None, None]
    found = CalibratedHead(None, None, None).uncertainty(scores, None)
    assert found.total.item() == pytest.approx(1.5 * math.log(2))
    assert found.aleatoric.item() == found.total.item()


def test_predictive_and_its_parts_are_those_of_the_drawn_networks() -> None:
    network, image = Tiny(), torch.randn(1, 1, 16, 12)
    layer = last_layer(network)
    assert layer is not None
    drawn = 0.3 * torch.randn(4, 3, 46)
    head = CalibratedHead(
        calibration(3, temperature=1.7, offsets=(0.2, 0.0, -0.2), posterior_scale=0.5), drawn, layer
    )
    features = torch.relu(network.features(image))[0]
    chances = []
    for sign in (1.0, -1.0):
        for one in drawn:
            weights = flat_weights(layer) + sign * 0.5 * one
            scores = nn.functional.conv2d(
                features[None], weights[:, :-1].reshape(3, 5, 3, 3), weights[:, -1], padding=1
            )[0]
            shifted = scores + torch.tensor([0.2, 0.0, -0.2])[:, None, None]
            chances.append(torch.softmax(shifted / 1.7, dim=0))
    mean = torch.stack(chances).mean(dim=0)
    found = head.uncertainty(network(image)[0], features)
    torch.testing.assert_close(found.probability, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.total, torch.special.entr(mean).sum(0), atol=1e-5, rtol=1e-4)
    inner = torch.stack([torch.special.entr(p).sum(0) for p in chances]).mean(0)
    torch.testing.assert_close(found.aleatoric, inner, atol=1e-5, rtol=1e-4)
    assert (found.total >= found.aleatoric - 1e-5).all()


@pytest.mark.parametrize("shape", [(200, 173), (65, 300), (1, 7)])
def test_uncertainty_in_tiles_is_that_of_the_whole(shape: tuple[int, int]) -> None:
    network = Tiny()
    head = CalibratedHead(calibration(3, temperature=0.4), 0.3 * torch.randn(4, 3, 46), last_layer(network))
    image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    tiled = NetworkRunner(network, 8, 3, CPU, torch.float32, tile_px=64, margin_px=8, head=head)
    whole = NetworkRunner(network, 8, 3, CPU, torch.float32, tile_px=4096, head=head)
    one, other = tiled.uncertain(image, probability=True), whole.uncertain(image, probability=True)
    assert one.total.dtype == one.aleatoric.dtype == np.float16
    assert np.array_equal(one.labels, whole.labels(image))
    for first, second in ((one.total, other.total), (one.aleatoric, other.aleatoric)):
        np.testing.assert_allclose(first.astype(float), second.astype(float), atol=2e-3)
    assert one.probability is not None
    assert other.probability is not None
    np.testing.assert_allclose(one.probability.astype(float), other.probability.astype(float), atol=2e-3)
    assert one.mean_nats == pytest.approx(other.mean_nats, abs=1e-3)
    assert (one.total.astype(float) - one.aleatoric.astype(float)).max() > 1e-3


@pytest.mark.parametrize("shape", [(200, 173), (65, 300), (1, 7)])
def test_errors_in_tiles_are_those_of_the_whole(shape: tuple[int, int]) -> None:
    slopes = (0.3, 0.5, 1.0, 0.5, -0.5)
    each = [{"class": f"c{n}", "intercept": 0.5 * n, "slopes": slopes} for n in range(3)]
    errors = {"centre": (-1.0, -1.0, -1.0, -1.0, 2.0), "spread": (1.0,) * 5, "per_class": each}
    network = Tiny()
    head = CalibratedHead(calibration(3, errors=errors, posterior_scale=0.0), None, None)
    image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    tiled = NetworkRunner(network, 8, 3, CPU, torch.float32, tile_px=128, margin_px=48, head=head)
    whole = NetworkRunner(network, 8, 3, CPU, torch.float32, tile_px=4096, head=head)
    one, other = tiled.uncertain(image).error, whole.uncertain(image).error
    assert one is not None
    assert other is not None
    assert one.shape == shape
    assert len(np.unique(one)) > 3
    np.testing.assert_allclose(one.astype(float), other.astype(float), atol=2e-3)


def test_labels_are_those_of_the_largest_calibrated_probability() -> None:
    head = CalibratedHead(calibration(3, temperature=2.0, offsets=(1.0, -0.5, -0.5)), None, None)
    runner = NetworkRunner(Tiny(), 8, 3, CPU, torch.float32, head=head)
    image = np.random.default_rng(1).normal(0, 1, (40, 33)).astype(np.float32)
    labels, probability = runner.labels_and_probability(image)
    highest = np.take_along_axis(probability, labels[None], axis=0)[0]
    assert (highest >= probability.max(axis=0) - np.float16(1e-3)).all()
    plain = NetworkRunner(Tiny(), 8, 3, CPU, torch.float32).labels(image)
    assert (labels == 0).sum() > (plain == 0).sum()
