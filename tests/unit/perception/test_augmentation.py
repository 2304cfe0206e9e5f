from __future__ import annotations

import numpy as np
import pytest
import torch

from autoscope.perception import Augmentation
from autoscope.perception.augmentation import PreparedImage, draw_batch, sampling_offsets, vary_grey
from autoscope.perception.crops import CropSampler

NONE = Augmentation(
    rotation_deg=0.0, flip_horizontal=False, flip_vertical=False, free_share=0.0, scale=0.0, elastic_px=0.0,
    brightness=0.0, contrast=0.0, gamma=0.0, blur_px=0.0, noise=0.0,
)  # fmt: skip


def image(height: int = 60, width: int = 70) -> PreparedImage:
    """Grey levels that say where a pixel is: exact in half precision."""
    rows, columns = np.mgrid[:height, :width]
    grey = ((rows * 8 + columns) % 1024) / 1024
    labels = (rows + 2 * columns) % 5
    return PreparedImage(torch.tensor(grey, dtype=torch.float16), torch.tensor(labels.astype(np.uint8)))


def test_nothing_varied_is_a_plain_crop() -> None:
    source = image()
    grey, labels = draw_batch([source], [(0, 30, 40)], 32, NONE, np.random.default_rng(0))
    assert grey.shape == (1, 1, 32, 32)
    torch.testing.assert_close(grey[0, 0], source.grey[14:46, 24:56].float(), atol=1e-4, rtol=0)
    assert torch.equal(labels[0], source.labels[14:46, 24:56].long())


def test_quarter_turns_and_mirrors_move_pixels_whole() -> None:
    source = image()
    turned = NONE.model_copy(update={"rotation_deg": 180.0, "flip_horizontal": True, "flip_vertical": True})
    plain = source.labels[14:46, 24:56].long()
    wanted = [torch.rot90(m, k) for m in (plain, plain.flip(1)) for k in range(4)]
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(40):
        _, labels = draw_batch([source], [(0, 30, 40)], 32, turned, rng)
        matches = [n for n, candidate in enumerate(wanted) if torch.equal(labels[0], candidate)]
        assert matches
        seen.add(matches[0])
    assert len(seen) == 8


def test_images_and_labels_are_bent_together() -> None:
    labels = torch.zeros(80, 80, dtype=torch.uint8)
    labels[:, 40:] = 1
    source = PreparedImage(labels.half(), labels)
    how = NONE.model_copy(update={"rotation_deg": 180.0, "free_share": 1.0, "scale": 0.5, "elastic_px": 4.0})
    grey, found = draw_batch([source], [(0, 40, 40)] * 8, 64, how, np.random.default_rng(0))
    clear = (grey[:, 0] - 0.5).abs() > 0.01
    assert clear.float().mean() > 0.9
    assert torch.equal((grey[:, 0] > 0.5)[clear], (found == 1)[clear])


def test_crops_larger_than_the_image_are_mirrored() -> None:
    source = image(20, 20)
    grey, labels = draw_batch([source], [(0, 10, 10)], 64, NONE, np.random.default_rng(0))
    assert grey.shape == (1, 1, 64, 64)
    assert torch.isfinite(grey).all()
    assert torch.equal(labels[0, 22:42, 22:42], source.labels.long())
    assert torch.equal(labels[0, 22:42, 21], source.labels[:, 1].long())  # mirrored about the first column


def test_a_line_of_pixels_is_no_trouble() -> None:
    grey, labels = draw_batch([image(1, 30)], [(0, 0, 15)], 32, NONE, np.random.default_rng(0))
    assert torch.isfinite(grey).all()
    assert labels.max() < 5


def test_offsets_have_the_scale_that_was_drawn() -> None:
    how = NONE.model_copy(update={"free_share": 1.0, "scale": 0.4})
    offsets = sampling_offsets(200, 9, how, np.random.default_rng(0))
    steps = (offsets[:, 4, 5] - offsets[:, 4, 4]).norm(dim=-1).numpy()
    assert np.log(steps).min() >= -0.4 - 1e-5
    assert np.log(steps).max() <= 0.4 + 1e-5
    assert np.log(steps).std() == pytest.approx(0.8 / np.sqrt(12), rel=0.15)


def test_grey_levels_vary_within_their_amplitudes() -> None:
    flat = torch.full((64, 1, 8, 8), 0.5)
    how = NONE.model_copy(update={"brightness": 0.1})
    means = vary_grey(flat, how, np.random.default_rng(0)).mean(dim=(1, 2, 3))
    assert means.min() >= 0.4
    assert means.max() <= 0.6
    assert means.std() > 0.03
    noisy = vary_grey(flat, NONE.model_copy(update={"noise": 0.1}), np.random.default_rng(0))
    assert noisy.std(dim=(1, 2, 3)).max() < 0.13


def test_blur_keeps_the_mean_and_flattens_a_spike() -> None:
    spike = torch.zeros(200, 1, 15, 15)
    spike[:, :, 7, 7] = 1
    blurred = vary_grey(spike, NONE.model_copy(update={"blur_px": 1.5}), np.random.default_rng(0))
    torch.testing.assert_close(blurred.sum(dim=(1, 2, 3)), torch.ones(200))
    peaks = blurred[:, 0, 7, 7]
    assert 0.35 < (peaks < 0.99).float().mean() < 0.6
    assert peaks.min() < 0.2


def test_the_same_generator_gives_the_same_batch() -> None:
    batches = [
        draw_batch([image()], [(0, 9, 9)] * 2, 32, Augmentation(), np.random.default_rng(4)) for _ in "ab"
    ]
    assert torch.equal(batches[0][0], batches[1][0])
    assert torch.equal(batches[0][1], batches[1][1])


def test_rare_classes_are_looked_at_as_often_as_common_ones() -> None:
    labels = np.zeros((400, 400), np.uint8)
    labels[200:203, 300:303] = 1
    rng = np.random.default_rng(0)
    balanced = CropSampler([labels], 2, 64, 1.0, rng).draw(rng, 1000)
    near = [abs(r - 201) <= 33 and abs(c - 301) <= 33 for _, r, c in balanced]
    assert 0.45 < np.mean(near) < 0.6
    plain = CropSampler([labels], 2, 64, 0.0, rng).draw(rng, 1000)
    assert np.mean([abs(r - 201) <= 33 and abs(c - 301) <= 33 for _, r, c in plain]) < 0.1


def test_crops_lie_inside_images_that_hold_them() -> None:
    labels = [np.zeros((100, 40), np.uint8), np.ones((70, 200), np.uint8)]
    rng = np.random.default_rng(0)
    for index, row, column in CropSampler(labels, 2, 64, 0.5, rng).draw(rng, 300):
        height, width = labels[index].shape
        for centre, length in ((row, height), (column, width)):
            if length < 64:
                assert centre == length // 2
            else:
                assert 32 <= centre <= length - 32
