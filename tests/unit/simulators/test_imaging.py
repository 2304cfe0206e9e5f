"""Position, magnification, blur and noise of frames, against what they must be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscope.core import ELECTRONS_PER_PA_US, BeamSettings, ImagingSettings, StagePosition
from autoscope_simulators import (
    Imperfections,
    SimulatedMicroscope,
    SpecimenData,
    SpecimenFile,
    write_specimen,
)
from autoscope_simulators.detection import detect
from autoscope_simulators.raster import ConstantRaster, Raster
from autoscope_simulators.resampling import Axis, image

IDEAL = Imperfections.ideal()


class ArrayRaster(Raster):
    """A raster in memory."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        super().__init__((pixels.shape[0], pixels.shape[1]), pixels.dtype)
        self.pixels = pixels

    def read(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
        return self.pixels[y0:y1, x0:x1]


def take(
    specimen: SpecimenFile,
    x_um: float,
    y_um: float,
    imaging: ImagingSettings,
    imperfections: Imperfections = IDEAL,
    **kwargs: float,
) -> NDArray[np.uint8]:
    microscope = SimulatedMicroscope(specimen, imperfections=imperfections, seed=5)
    microscope.move_to(StagePosition(x_um, y_um, kwargs.get("z_um", 0.0), kwargs.get("tilt_deg", 0.0)))
    if kwargs.get("current_pa"):
        microscope.set_beam(replace(microscope.beam(), current_pa=kwargs["current_pa"]))
    return np.asarray(microscope.acquire_image(imaging).pixels)


def area_mean(
    pixels: NDArray[np.uint8], start: float, step: float, count: int, axis: int
) -> NDArray[np.float64]:
    """Exact mean over [start + i step, start + (i + 1) step] of a piecewise constant row, by its integral."""
    values = np.moveaxis(pixels.astype(float), axis, -1)
    integral = np.concatenate([np.zeros((*values.shape[:-1], 1)), values.cumsum(-1)], -1)
    knots = np.arange(integral.shape[-1])
    edges = start + step * np.arange(count + 1)
    at = np.apply_along_axis(lambda row: np.interp(edges, knots, row), -1, integral)
    return np.moveaxis(np.diff(at, axis=-1) / step, -1, axis)


def expected_frame(
    pixels: NDArray[np.uint8], x_um: float, y_um: float, imaging: ImagingSettings
) -> NDArray[np.float64]:
    step = imaging.pixel_nm / 100.0
    x0, y0 = (x_um - imaging.hfw_um / 2) * 10, (y_um - imaging.vfw_um / 2) * 10
    across = area_mean(pixels, x0, step, imaging.width_px, 1)
    return area_mean(across, y0, step, imaging.height_px, 0)


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 130), st.floats(0.05, 4.0), st.integers(1, 40), st.integers(0, 2**31))
def test_an_image_without_blur_is_the_exact_area_mean(
    start: float, step: float, count: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (100, 120), np.uint8)
    padded = np.pad(pixels, 300)
    got = image(ArrayRaster(pixels), Axis(start, step, count, 0.0), Axis(7.3, step, count, 0.0))
    across = area_mean(padded, 307.3, step, count, 1)
    np.testing.assert_allclose(got, area_mean(across, start + 300, step, count, 0), atol=2e-3)


def test_blur_keeps_the_mean_and_is_the_gaussian_it_says() -> None:
    """A bright line blurred by sigma, read with pixels of half a raster pixel, has that variance."""
    pixels = np.zeros((3, 201), np.uint8)
    pixels[:, 100] = 240
    sigma = 6.0
    got = image(ArrayRaster(pixels), Axis(1.0, 1.0, 1, 0.0), Axis(0.0, 0.5, 402, sigma))[0].astype(float)
    centres = (np.arange(402) + 0.5) / 2
    assert got.sum() / 2 == pytest.approx(240, rel=1e-4)
    variance = (got * (centres - 100.5) ** 2).sum() / got.sum()
    assert variance == pytest.approx(sigma**2 + 1 / 12 + 0.25 / 12, rel=2e-3)


def test_a_constant_raster_stays_constant_at_any_scale_and_blur() -> None:
    raster = ConstantRaster((400, 400), np.dtype(np.uint8), 77)
    for step, sigma in ((0.3, 0.0), (0.3, 5.0), (2.7, 1.3), (1.0, 0.4)):
        axis = Axis(150.2, step, 20, sigma)
        np.testing.assert_allclose(image(raster, axis, axis), 77, rtol=1e-4)


def test_nothing_is_read_of_a_raster_that_the_scan_does_not_reach() -> None:
    raster = ConstantRaster((50, 50), np.dtype(np.uint8), 77)
    assert not image(raster, Axis(60.0, 1.0, 20, 0.0), Axis(0.0, 1.0, 20, 0.0)).any()
    assert not image(raster, Axis(0.0, 1.0, 20, 0.0), Axis(-500.0, 1e-3, 20, 0.0)).any()


@pytest.mark.parametrize(
    ("hfw_um", "x_um", "y_um"),
    [
        (6.4, 51.2, 51.2),
        (6.4, 40.03, 51.27),
        (12.8, 51.2, 51.2),
        (25.6, 50.0, 52.4),
        (9.1, 33.3, 61.7),
        (3.2, 20.0, 20.0),
    ],
)
def test_frames_show_the_place_at_the_magnification_asked_for(
    specimen: SpecimenFile, texture: NDArray[np.uint8], hfw_um: float, x_um: float, y_um: float
) -> None:
    imaging = ImagingSettings(hfw_um, 64, 48, 1.0)
    got = take(specimen, x_um, y_um, imaging).astype(float)
    error = got - expected_frame(texture, x_um, y_um, imaging)
    assert got.shape == (48, 64)
    assert abs(error).max() <= 0.51 if imaging.pixel_nm < 400 else math.sqrt((error**2).mean()) < 3
    assert abs(error.mean()) < 0.2


@pytest.mark.parametrize("hfw_um", [30.0, 70.0, 100.0])
def test_low_magnification_is_the_area_mean_but_for_the_pyramid(
    specimen: SpecimenFile, texture: NDArray[np.uint8], hfw_um: float
) -> None:
    imaging = ImagingSettings(hfw_um, 40, 40, 1.0)
    error = take(specimen, 51.2, 51.2, imaging) - expected_frame(texture, 51.2, 51.2, imaging)
    assert math.sqrt((error**2).mean()) < 2.0
    assert abs(error.mean()) < 0.2


def test_an_aligned_native_frame_is_the_crop(specimen: SpecimenFile, texture: NDArray[np.uint8]) -> None:
    got = take(specimen, 40.0, 30.0, ImagingSettings(20.0, 200, 100, 1.0))
    np.testing.assert_array_equal(got, texture[250:350, 300:500])


def test_the_magnification_can_be_wrong(specimen: SpecimenFile, texture: NDArray[np.uint8]) -> None:
    got = take(
        specimen, 51.2, 51.2, ImagingSettings(10.0, 100, 100, 1.0), replace(IDEAL, pixel_size_error=0.28)
    )
    true = expected_frame(texture, 51.2, 51.2, ImagingSettings(12.8, 100, 100, 1.0))
    assert abs(got - true).max() <= 0.51


def test_tilt_foreshortens_the_image_in_y(specimen: SpecimenFile, texture: NDArray[np.uint8]) -> None:
    got = take(specimen, 51.2, 51.2, ImagingSettings(6.4, 64, 32, 1.0), tilt_deg=60.0)
    np.testing.assert_allclose(got, texture[480:544, 480:544].reshape(32, 2, 64).mean(axis=1), atol=0.51)


def test_frames_are_black_beside_the_specimen(specimen: SpecimenFile, texture: NDArray[np.uint8]) -> None:
    noisy = replace(IDEAL, noise=True, amplifier_noise_e=50.0)
    got = take(specimen, 0.0, 102.4, ImagingSettings(6.4, 64, 64, 1.0), noisy)
    assert not got[:, :32].any()
    assert not got[32:].any()
    assert got[:32, 32:].any()


def test_frames_are_black_where_the_file_says_there_is_no_specimen(
    tmp_path: Path, texture: NDArray[np.uint8]
) -> None:
    valid = np.ones(texture.shape, bool)
    valid[100:200, 300:400] = False
    write_specimen(SpecimenData("n", 100.0, True, "", "", {"se": texture}, valid=valid), tmp_path / "s.h5")
    got = take(SpecimenFile(tmp_path / "s.h5"), 30.0, 20.0, ImagingSettings(20.0, 200, 200, 1.0))
    np.testing.assert_array_equal(got, np.where(valid[100:300, 200:400], texture[100:300, 200:400], 0))


def flat_specimen(folder: Path, grey: int = 100) -> SpecimenFile:
    path = folder / f"flat{grey}.h5"
    write_specimen(
        SpecimenData("flat", 100.0, True, "", "", {"bse": np.full((400, 400), grey, np.uint8)}), path
    )
    return SpecimenFile(path)


def test_noise_variance_is_what_the_electrons_say_and_falls_with_dwell(tmp_path: Path) -> None:
    """var(g) = (full / N)² (N g / full + amplifier² dwell) + 1/12 of rounding, N = I t yield / e."""
    specimen = flat_specimen(tmp_path)
    known = Imperfections(detected_share=0.1, amplifier_noise_e=6.0, convergence_mrad=0.0, stage_drift_um=0.0)
    variances = []
    for dwell_us in (1.0, 2.0, 4.0, 8.0):
        got = take(specimen, 20.0, 20.0, ImagingSettings(25.6, 256, 256, dwell_us), known).astype(float)
        electrons = 500 * dwell_us * ELECTRONS_PER_PA_US * 0.1
        expected = (255 / electrons) ** 2 * (electrons * 100 / 255 + 36 * dwell_us)
        assert got.mean() == pytest.approx(100, abs=0.2)
        assert got.var() - 1 / 12 == pytest.approx(expected, rel=0.03)
        variances.append(got.var() - 1 / 12)
    np.testing.assert_allclose(np.divide(variances[:-1], variances[1:]), 2.0, rtol=0.05)


def test_noise_falls_with_current(tmp_path: Path) -> None:
    known = Imperfections(amplifier_noise_e=0.0, convergence_mrad=0.0, stage_drift_um=0.0)
    imaging = ImagingSettings(25.6, 256, 256, 2.0)
    low, high = (
        take(flat_specimen(tmp_path), 20, 20, imaging, known, current_pa=pa).astype(float).var() - 1 / 12
        for pa in (250.0, 1000.0)
    )
    assert low / high == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("expected", [0.0, 0.5, 3.0, 19.0, 21.0, 400.0])
def test_few_electrons_are_poisson_and_many_have_its_mean_and_variance(expected: float) -> None:
    signal = np.full((400, 500), expected, np.float32)
    got = detect(signal, 1000.0, 1000.0, 0.0, np.random.default_rng(2)).astype(float)
    error = 5 * math.sqrt(expected / got.size)
    assert got.mean() == pytest.approx(expected, abs=error + 1e-4)
    assert got.var() == pytest.approx(expected, rel=0.02, abs=1e-9)
    if expected < 20:
        np.testing.assert_allclose(got, np.rint(got), atol=1e-3)
        assert (np.rint(got) == 0).mean() == pytest.approx(math.exp(-expected), abs=0.005)


def test_defocus_blurs_by_half_the_cone_angle(tmp_path: Path) -> None:
    """An edge 60 um out of focus at 5 mrad: sigma = 5e-3 * 60 / 2 = 0.15 um = 1.5 px."""
    pixels = np.zeros((400, 400), np.uint8)
    pixels[:, 200:] = 200
    write_specimen(SpecimenData("edge", 100.0, True, "", "", {"bse": pixels}), tmp_path / "s.h5")
    known = replace(IDEAL, convergence_mrad=5.0)
    for z_um, sigma_px in ((0.0, 0.0), (60.0, 1.5), (-60.0, 1.5), (120.0, 3.0)):
        specimen = SpecimenFile(tmp_path / "s.h5")
        row = take(specimen, 20.0, 20.0, ImagingSettings(20.0, 200, 20, 1.0), known, z_um=z_um)[10].astype(
            float
        )
        spread = np.diff(row) / 200
        at = np.arange(199) - 99
        assert spread.sum() == pytest.approx(1.0, abs=0.01)
        measured = math.sqrt(max(0.0, (spread * at**2).sum()))
        assert measured == pytest.approx(math.sqrt(sigma_px**2 + (1 / 6 if sigma_px else 0)), abs=0.1)


def test_astigmatism_blurs_x_and_y_apart(specimen: SpecimenFile) -> None:
    known = replace(IDEAL, convergence_mrad=4.0, astigmatism_um=(10.0, 0.0))
    column = SimulatedMicroscope(specimen, imperfections=known).column
    beam = BeamSettings(working_distance_mm=10.010)
    blur = column.blur(StagePosition(51.2, 51.2), beam, 0.0, (0.0, 0.0))
    assert (blur.x_um, blur.y_um) == (pytest.approx(0.04), pytest.approx(0.0))
    blur = column.blur(StagePosition(51.2, 51.2), beam, 0.0, (10.0, 7.5))
    assert (blur.x_um, blur.y_um) == (pytest.approx(0.025), pytest.approx(0.025))


def test_the_focal_plane_is_tilted_and_follows_z(specimen: SpecimenFile) -> None:
    known = replace(IDEAL, focal_tilt_mrad=(4.0, -2.0), focus_offset_um=3.0)
    column = SimulatedMicroscope(specimen, imperfections=known).column
    # 30 um right of the centre and 10 um below: 4 * 0.03 - 2 * 0.01 = 0.10 um; z = 2 um is 2 um nearer
    plane = column.plane_mm(StagePosition(81.2, 61.2, z_um=2.0), 0.0)
    assert plane == pytest.approx(10 + (0.10 + 3.0 - 2.0) / 1000, abs=1e-12)


@example(-468.01158167070986, 4.0, 56.071423602110116)  # a narrow specimen in a search for the focus
@given(st.floats(-500, 100), st.floats(0.5, 8.0), st.floats(0.1, 60.0))
@settings(max_examples=60, deadline=None)
def test_a_frame_is_nowhere_darker_than_black_however_far_out_of_focus(
    start: float, step: float, sigma: float
) -> None:
    pixels = np.full((75, 100), 255, np.uint8)
    axis = Axis(start, step, 256, sigma)
    frame = image(ArrayRaster(pixels), axis, axis)
    assert frame.min() >= 0
    assert frame.max() <= 255.01


def test_a_specimen_of_few_large_pixels_is_focused_where_it_is(tmp_path: Path) -> None:
    """Blur shows only far from the focus there: a search without bounds ended 250 mm away, or below zero."""
    grains = np.random.default_rng(0).integers(100, 200, (8, 10)).repeat(10, 0).repeat(10, 1)
    texture = grains[:75].astype(np.uint8)
    write_specimen(SpecimenData("map", 8700.0, True, "", "", {"bse": texture}), tmp_path / "map.h5")
    for x_um, y_um in ((30.0, 30.0), (220.0, 384.0), (384.0, 600.0)):
        with SimulatedMicroscope(SpecimenFile(tmp_path / "map.h5"), seed=1) as microscope:
            microscope.move_to(StagePosition(x_um, y_um))
            plane_mm = microscope.column.plane_mm(microscope.position(), microscope.clock.now_s())
            found = microscope.autofocus().working_distance_mm
            assert found == pytest.approx(plane_mm, abs=0.05)  # a blur of a seventieth of a pixel
