from __future__ import annotations

import numpy as np
import torch

from autoscope.perception import Augmentation
from autoscope.perception.styles import matched, mix_styles, with_amplitudes


def random(seed: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    values = np.random.default_rng(seed).uniform(low, high, (2, 1, 64, 64))
    return torch.from_numpy(values.astype(np.float32))


def test_a_matched_histogram_is_the_reference_s() -> None:
    found = matched(random(0, 0.1, 0.4), random(1, 0.5, 0.9))
    for share in (0.05, 0.5, 0.95):
        assert abs(float(found.quantile(share)) - (0.5 + 0.4 * share)) < 0.02


def test_matching_keeps_the_order_of_grey_levels_and_an_image_like_itself() -> None:
    image, other = random(0, 0.1, 0.4), random(1, 0.5, 0.9) ** 2
    order = image.flatten(1).argsort(1)
    levels = torch.gather(matched(image, other).flatten(1), 1, order)
    assert float(levels.diff(dim=1).min()) > -1.01 / 255  # within a level, the order may turn by rounding
    assert torch.allclose(matched(image, image), image, atol=1.5 / 255)


def test_amplitudes_are_taken_over_and_phases_kept() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    wave = 0.5 + 0.1 * torch.cos(2 * torch.pi * x / 64)[None, None]
    steeper = 0.5 + 0.3 * torch.sin(2 * torch.pi * x / 64)[None, None]
    one = torch.ones(1, 1, 1, 1)
    expected = 0.5 + 0.3 * torch.cos(2 * torch.pi * x / 64)[None, None]
    assert torch.allclose(with_amplitudes(wave, steeper, one), expected, atol=1e-4)
    assert torch.allclose(with_amplitudes(wave, steeper, 0 * one), wave, atol=1e-5)
    fine = 0.5 + 0.1 * torch.cos(2 * torch.pi * y / 4)[None, None]
    assert torch.allclose(with_amplitudes(fine, 0.5 + 0 * fine, one), fine, atol=1e-4)  # structure stays


def test_styles_are_mixed_only_where_asked_for_and_the_same_each_time() -> None:
    images = torch.cat([random(0, 0.0, 0.3), random(1, 0.6, 1.0)])
    none = Augmentation()
    assert torch.equal(mix_styles(images, none, np.random.default_rng(0)), images)
    both = Augmentation(histogram_share=1.0, fourier_share=1.0)
    first = mix_styles(images, both, np.random.default_rng(0))
    assert torch.equal(first, mix_styles(images, both, np.random.default_rng(0)))
    assert float((first.mean((1, 2, 3)) - images.mean((1, 2, 3))).abs().max()) > 0.05
