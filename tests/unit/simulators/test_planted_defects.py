from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, ImagingSettings, Rectangle, StagePosition
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenData, SpecimenFile
from autoscope_simulators.charging import charge
from autoscope_simulators.patches import Patches
from autoscope_simulators.synthetic.foreign import FOREIGN, foreign_problems, plant_foreign

SCAN = ImagingSettings(12.8, 128, 128, 3.0)
BOX = Rectangle(0.0, 0.0, 1000.0, 2000.0)


def frame(path: Path, imperfections: Imperfections, *, focus: bool = False, seed: int = 3) -> np.ndarray:
    with SimulatedMicroscope(SpecimenFile(path), seed=seed, imperfections=imperfections) as microscope:
        microscope.move_to(StagePosition(50.0, 50.0))
        if focus:
            microscope.autofocus()
        return microscope.acquire_image(SCAN).pixels


def detail(pixels: np.ndarray) -> float:
    return float(np.square(np.diff(pixels.astype(float), axis=0)).mean())


def test_patches_are_as_many_as_expected_and_belong_to_the_seed() -> None:
    counts = [len(Patches(seed, "relief", BOX, 10.0, 5.0)) for seed in range(200)]
    assert np.mean(counts) == pytest.approx(20.0, abs=1.0)  # 10 per mm2 on 2 mm2
    one, again, other = (Patches(seed, "relief", BOX, 50.0, 30.0) for seed in (1, 1, 2))
    grid = [(x, y) for x in range(0, 1000, 20) for y in range(0, 2000, 20)]
    held = [[patches.hold(*point) for point in grid] for patches in (one, again, other)]
    assert held[0] == held[1] != held[2]
    assert not Patches(1, "relief", BOX, 0.0, 30.0).hold(10.0, 10.0)


def test_nothing_planted_leaves_every_pixel_as_it_was(specimen_path: Path) -> None:
    strong = Imperfections(charging_strength=3.0, relief_um=500.0)  # of places that there are none of
    assert np.array_equal(frame(specimen_path, Imperfections()), frame(specimen_path, strong))


def test_relief_blurs_until_it_is_focused_on(specimen_path: Path) -> None:
    relief = Imperfections(relief_per_mm2=1e5, relief_um=200.0, noise=False, focus_drift_um=0.0)
    flat = Imperfections(noise=False, focus_drift_um=0.0)
    assert detail(frame(specimen_path, relief)) < 0.5 * detail(frame(specimen_path, flat, focus=True))
    focused = detail(frame(specimen_path, relief, focus=True))
    assert focused == pytest.approx(detail(frame(specimen_path, flat, focus=True)), rel=0.05)


def test_charging_is_the_frames_own_and_focus_does_not_help(specimen_path: Path) -> None:
    charging = Imperfections(charging_per_mm2=1e5)
    one, again = (frame(specimen_path, charging) for _ in range(2))
    assert np.array_equal(one, again)
    plain = frame(specimen_path, Imperfections()).astype(float)
    rows = (one.astype(float) - plain).mean(axis=1)
    assert rows.std() > 10
    assert (frame(specimen_path, charging, focus=True).astype(float) - plain).mean(axis=1).std() > 10


def test_without_strength_a_signal_does_not_charge() -> None:
    signal = np.random.default_rng(0).uniform(0, 255, (40, 60)).astype(np.float32)
    assert charge(signal, 255.0, 0.0, np.random.default_rng(1)) == pytest.approx(signal, abs=1e-3)
    assert charge(signal, 255.0, 5.0, np.random.default_rng(1)).min() >= 0


def specimen_data() -> SpecimenData:
    classes = np.tile(np.array([0, 1], np.uint8), (400, 200))
    grey = np.where(classes == 1, 180, 120).astype(np.uint8)
    return SpecimenData(
        "stripes", 250.0, True, "test", "CC0-1.0", {"bse": grey}, classes=classes, class_names=("a", "b")
    )


def test_planted_pixels_belong_to_no_class_of_the_specimen() -> None:
    data = specimen_data()
    planted = plant_foreign(data, ("mount",), 0.1, seed=4)
    foreign = planted.classes == 2
    assert planted.class_names == ("a", "b", FOREIGN)
    assert 0.1 <= foreign.mean() < 0.2
    assert planted.detectors["bse"][foreign].mean() == pytest.approx(0.08 * 255, abs=3)
    assert np.array_equal(planted.classes[~foreign], data.classes[~foreign])
    assert np.array_equal(planted.detectors["bse"][~foreign], data.detectors["bse"][~foreign])
    again = plant_foreign(data, ("mount",), 0.1, seed=4)
    assert np.array_equal(again.detectors["bse"], planted.detectors["bse"])


def test_no_share_is_the_specimen_itself_and_what_cannot_be_planted_is_refused() -> None:
    data = specimen_data()
    assert plant_foreign(data, (), 0.0) is data
    problems = foreign_problems(("mont",), 0.9)
    assert "did you mean" in problems[0] or "mount" in problems[0]
    assert "must lie in [0, 0.5]" in problems[1]
    with pytest.raises(ConfigurationError, match="needs a foreign material"):
        plant_foreign(data, (), 0.1)
