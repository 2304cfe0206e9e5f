from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autoscope.core import ConfigurationError, ModelError
from autoscope.images import read_micrograph, write_png
from autoscope.perception import load_segmenter, read_card
from autoscope.perception.familiarity import Familiarity, Signs, Windows
from autoscope.perception.familiarity_fitting import calibrated, fit_familiarity
from autoscope.perception.familiarity_images import fit_to_folder
from autoscope.perception.frame_spectrum import SLOPES, row_jumps, spectrum_slopes
from autoscope.perception.frame_statistics import SMALLEST_SPREAD, STATISTICS, frame_statistics
from autoscope.perception.inference import padded
from autoscope.perception.observing import EncoderWatch, window_corners
from autoscope.perception.settings import Architecture
from autoscope.perception.signs import Density, Direction


def statistic(pixels: np.ndarray, name: str) -> float:
    grey = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return float(frame_statistics(pixels, grey)[STATISTICS.index(name)])


def noise(seed: int = 0, edge: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (edge, edge), dtype=np.uint8)


def test_there_is_a_smallest_spread_for_every_statistic() -> None:
    assert len(SMALLEST_SPREAD) == len(STATISTICS)


def test_white_noise_loses_three_quarters_of_its_variance_with_each_octave() -> None:
    assert np.exp(statistic(noise(edge=512), "octave_0")) == pytest.approx(3 / 4, rel=0.02)
    assert np.exp(statistic(noise(edge=512), "octave_1")) == pytest.approx(3 / 16, rel=0.05)


def test_defocus_empties_the_finest_octave() -> None:
    sharp = noise()
    blurred = gaussian_filter(sharp.astype(float), 2.0).astype(np.uint8)
    assert statistic(blurred, "octave_0") < statistic(sharp, "octave_0") - 2


def test_saturation_streaks_and_drift_are_seen_each_by_its_statistic() -> None:
    plain = noise()
    white, rows, sloped = plain.copy(), plain.copy(), plain.copy()
    white[:32] = 255
    rows[::5] += 40
    sloped = (plain * np.linspace(0.3, 1.0, 128)[:, None]).astype(np.uint8)
    assert statistic(white, "white") == pytest.approx(np.log10(0.25 + 0.02))
    assert statistic(rows, "streaks") > statistic(plain, "streaks") + 2
    assert statistic(sloped, "drift") > statistic(plain, "drift") + 2


def test_a_black_strip_beside_the_specimen_changes_nothing() -> None:
    plain = noise()
    strip = np.zeros((131, 130), np.uint8)
    strip[:128, :128] = plain
    for name in STATISTICS:
        assert statistic(strip, name) == pytest.approx(statistic(plain, name))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 200)])
def test_tiny_and_even_frames_have_finite_statistics(shape: tuple[int, int]) -> None:
    even = np.full(shape, 7, np.uint16)
    assert np.isfinite(frame_statistics(even, even.astype(np.float32) / 65535)).all()


def test_a_density_is_the_log_of_the_mean_squared_distance() -> None:
    rng = np.random.default_rng(0)
    density = Density.fit(rng.normal(3.0, 2.0, (5000, 4)))
    at_centre, far = density.score(np.array([[3.0] * 4, [3.0 + 20.0, 3.0, 3.0, 3.0]]))
    assert far == pytest.approx(np.log(10.0**2 / 4), abs=0.1)  # ten deviations in one of four features
    assert at_centre < -3


def test_a_feature_that_never_varied_may_vary_a_little() -> None:
    features = np.zeros((50, 2))
    features[:, 0] = np.random.default_rng(0).normal(size=50)
    shifted = np.array([[0.0, 0.1]])
    assert Density.fit(features, np.array([0.0, 0.1])).score(shifted) < Density.fit(features).score(shifted)


def test_a_direction_is_read_along_its_weights_from_its_centre() -> None:
    direction = Direction(np.array([1.0, 2.0]), np.array([3.0, -1.0]))
    assert direction.score(np.array([[1.0, 2.0], [2.0, 4.0]])) == pytest.approx([0.0, 3.0 - 2.0])


def test_a_spectrum_of_white_noise_is_flat_and_that_of_a_blur_is_steep() -> None:
    white = spectrum_slopes(noise(edge=256))
    assert white.shape == (SLOPES,)
    assert np.abs(white).max() < 0.3
    blurred = gaussian_filter(noise(edge=256).astype(float), 1.0).round().astype(np.uint8)
    # the power falls as exp(-(2 pi f)^2), from 1/16 cycle per px on by more from each band to the next
    assert np.diff(spectrum_slopes(blurred)[1:6]).min() > 0
    assert spectrum_slopes(blurred).max() > white.max() + 1.5


def test_contrast_and_depth_leave_the_slopes_as_they_are() -> None:
    eight = noise(edge=128)
    halved = np.round(eight * 128.5).astype(np.uint16)
    assert spectrum_slopes(halved) == pytest.approx(spectrum_slopes(eight), abs=0.02)


def test_bands_that_a_frame_is_too_small_for_have_no_slope() -> None:
    assert spectrum_slopes(noise(edge=8))[:2] == pytest.approx([0.0, 0.0])
    assert spectrum_slopes(np.full((64, 64), 90, np.uint8)) == pytest.approx(np.zeros(SLOPES), abs=1e-9)


def test_a_row_that_is_brighter_jumps_and_a_column_does_the_opposite() -> None:
    plain, striped = noise() // 4, noise() // 4
    striped[40] += 30
    assert row_jumps(striped) > row_jumps(plain) + 1.5
    assert row_jumps(striped.T) == pytest.approx(-row_jumps(striped))
    assert row_jumps(np.full((1, 50), 7, np.uint8)) == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 2), (3, 200)])
def test_tiny_frames_have_a_finite_spectrum_and_finite_jumps(shape: tuple[int, int]) -> None:
    pixels = noise(edge=200)[: shape[0], : shape[1]]
    assert np.isfinite(spectrum_slopes(pixels)).all()
    assert np.isfinite(row_jumps(pixels))


WIDTHS = {"fine": 24, "middle": 32, "coarse": 40, "statistics": len(STATISTICS), "spectrum": SLOPES}


def windows(rng: np.random.Generator, count: int, shift: float = 0.0) -> Windows:
    parts = {name: rng.normal(shift, 1.0, (count, width)) for name, width in WIDTHS.items()}
    return Windows(**parts, streaks=rng.normal(0.0, 1.0, (count, 1)))


def structured(rng: np.random.Generator, shift: float) -> Windows:
    """A window that has variance beyond its finest octaves, so that it is not taken for an empty one."""
    window = windows(rng, 1, shift)
    for name in ("octave_0", "octave_1"):
        window.statistics[:, STATISTICS.index(name)] = min(shift, -1.5)
    return window


def fitted(seed: int = 0) -> Familiarity:
    rng = np.random.default_rng(seed)
    return calibrated([windows(rng, 4) for _ in range(60)], 256)


def earlier() -> Familiarity:
    """As it was fitted before a spectrum was looked at: three densities, and directions of two troubles."""
    rng, now = np.random.default_rng(5), fitted()
    seen = windows(rng, 200)
    densities = {n: Density.fit(getattr(seen, n)) for n in ("fine", "coarse", "statistics")}
    width = seen.for_directions.shape[1]
    centre, weights = np.zeros(width), np.full(width, 1 / width)
    directions = {"defocus": Direction(centre, weights), "charging": Direction(centre, -weights)}
    return Familiarity(Signs(densities, directions, ()), np.zeros(5), np.ones(5), now.card)


def test_the_rate_of_false_alarms_is_kept_on_new_images_and_the_foreign_are_foreign() -> None:
    familiarity, rng = fitted(), np.random.default_rng(1)
    images = [[familiarity.judge(windows(rng, 1)) for _ in range(4)] for _ in range(400)]
    assert 0.01 < np.mean([any(look.level != "familiar" for look in image) for image in images]) < 0.12
    looks = [look for image in images for look in image]
    assert np.mean([look.level == "foreign" for look in looks]) < 0.01
    assert not familiarity.card.suspicious_extrapolated
    assert {familiarity.judge(windows(rng, 1, 4.0)).level for _ in range(20)} == {"foreign"}
    assert {look.guess for look in looks if look.level == "familiar"} == {""}


def test_alarms_count_images_and_not_windows() -> None:
    """Windows of one image are alike here: a tenth of the images is strange in all their windows."""
    rng = np.random.default_rng(4)
    seen = [windows(rng, 6, shift) for shift in np.where(np.arange(100) % 10 == 0, 0.5, 0.0)]
    familiarity = calibrated(seen, 256)
    new = [windows(rng, 1, shift) for shift in np.where(np.arange(1000) % 10 == 0, 0.5, 0.0)]
    assert np.mean([familiarity.judge(one).level != "familiar" for one in new]) < 0.06


@pytest.mark.parametrize(("name", "guess"), [("spectrum", "defocus"), ("streaks", "charging")])
def test_the_trouble_is_named(name: str, guess: str) -> None:
    familiarity, rng = fitted(), np.random.default_rng(2)
    looks = []
    for _ in range(20):
        window = structured(rng, 0.0)
        getattr(window, name)[:, 0] = 15.0
        looks.append(familiarity.judge(window))
    assert {look.guess for look in looks} == {guess}


def test_what_was_fitted_with_directions_is_read_and_judges_as_it_did() -> None:
    before = earlier()
    stored = before.arrays()
    assert {name.partition(".")[0] for name in stored} >= {"fine", "defocus", "charging"}
    again, rng = Familiarity.of(stored, before.card), np.random.default_rng(6)
    assert again.signs.names == ("fine", "coarse", "statistics", "defocus", "charging")
    seen = windows(rng, 4, 0.7)
    assert again.judge(seen).score == pytest.approx(before.judge(seen).score, rel=1e-4)
    assert [again.judge(structured(rng, shift)).guess for shift in (6.0, -6.0)] == ["defocus", "charging"]


def test_with_few_images_the_largest_score_is_the_edge_and_the_card_says_so() -> None:
    rng = np.random.default_rng(0)
    card = calibrated([windows(rng, 1) for _ in range(10)], 64).card
    assert card.suspicious_extrapolated
    assert (card.images, card.windows, card.folds) == (10, 10, 10)
    assert card.foreign_score >= 1


def test_what_is_stored_judges_alike() -> None:
    familiarity = fitted()
    again = Familiarity.of(familiarity.arrays(), familiarity.card)
    seen = windows(np.random.default_rng(3), 4, 0.7)
    assert again.judge(seen).score == pytest.approx(familiarity.judge(seen).score, rel=1e-4)
    lacking = {name: a for name, a in familiarity.arrays().items() if name != "coarse.axes"}
    with pytest.raises(ModelError, match="lacks 'axes'"):
        Familiarity.of(lacking, familiarity.card)


def test_a_trained_model_judges_frames_and_its_name_covers_that(trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    shutil.copy(trained, model)
    frames = [read_micrograph(p).pixels for p in _disk_frames(tmp_path)]
    before = read_card(model)
    card = fit_familiarity(model, frames, device="cpu")
    assert card.sha256 != before.sha256
    assert read_card(model) == card
    segmenter = load_segmenter(model, device="cpu", engine="torch")
    look = segmenter.segment(frames[0], None).look
    empty = segmenter.segment(np.full((96, 96), 12, np.uint8), None).look
    assert look is not None
    assert empty is not None
    assert empty.score > look.score
    assert empty.level != "familiar"
    large = segmenter.segment(np.tile(frames[0], (12, 12)), None).look
    assert large is not None


def _disk_frames(folder: Path) -> list[Path]:
    paths = []
    for number in range(6):
        rng = np.random.default_rng(100 + number)
        y, x = np.mgrid[:96, :96]
        bright = np.zeros((96, 96))
        for row, column in rng.uniform(0, 96, (8, 2)):
            bright[(y - row) ** 2 + (x - column) ** 2 < 64] = 80
        paths.append(folder / f"frame{number}.png")
        write_png(paths[-1], np.clip(80 + bright + rng.normal(0, 15, bright.shape), 0, 255).astype(np.uint8))
    return paths


def test_a_card_without_familiarity_is_named_as_before(trained: Path) -> None:
    card = read_card(trained).model_copy(update={"familiarity": None})
    assert "familiarity" not in card.to_json()


def test_too_few_images_are_refused(trained: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", noise())
    with pytest.raises(ConfigurationError, match="at least 3 images, 1 given"):
        fit_to_folder(trained, tmp_path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        fit_to_folder(trained, tmp_path / "none")


@pytest.mark.parametrize(("height", "width", "expected"), [(256, 256, 1), (600, 300, 2), (5000, 20000, 16)])
def test_windows_are_spread_over_a_large_frame(height: int, width: int, expected: int) -> None:
    corners = list(window_corners(height, width, 256))
    assert len(corners) == expected
    assert all(
        0 <= row <= max(height - 256, 0) and 0 <= column <= max(width - 256, 0) for row, column in corners
    )


@pytest.mark.parametrize("reduction", [1, 2])
def test_a_frame_has_the_windows_of_its_own_size_however_the_network_sees_it(reduction: int) -> None:
    """95 px are one window of 64 px, and 1.5 windows as they go through the network: enlarged to 96 px."""
    import torch

    from autoscope.perception.architecture import build_network

    architecture = Architecture(
        encoder="tu-resnet10t", depth=3, decoder_channels=(16, 8, 8), reduction=reduction
    )
    network = build_network(architecture, 2).eval()

    def run(grey: np.ndarray) -> None:
        with torch.inference_mode():
            network(torch.from_numpy(np.ascontiguousarray(padded(grey, architecture.stride_px)))[None, None])

    frame = noise(edge=192)[:95]
    windows = EncoderWatch(network, 64, run, 1024).windows(frame, frame.astype(np.float32) / 255)
    assert len(windows.fine) == len(windows.coarse) == len(windows.statistics) == 3
