import numpy as np
import pytest

from autoscope.core import component_rng
from autoscope_simulators.synthetic.canvas import Canvas, Window
from autoscope_simulators.synthetic.marks import BRIGHTEST, DARKEST, Pits, Scratches, to_grey

CANVAS = Canvas(192, 256, 1000.0)
WHOLE = Window(0, 0, 192, 256)


def scratches() -> Scratches:
    return Scratches.draw(component_rng(0, "t"), CANVAS, per_mm2=2000, length_um=80, depth=10, width_um=2)


def pits() -> Pits:
    return Pits.draw(component_rng(0, "t"), CANVAS, per_mm2=3000, radius_um=2, depth=50)


@pytest.mark.parametrize("marks", [scratches(), pits()], ids=["scratches", "pits"])
def test_marks_have_no_seam_between_windows(marks: Scratches | Pits) -> None:
    whole = np.zeros((192, 256), dtype=np.float32)
    marks.add_to(whole, WHOLE)
    assert np.abs(whole).max() > 5
    for row in (0, 96):
        for column in (0, 64, 128, 192):
            part = np.zeros((96, 64), dtype=np.float32)
            marks.add_to(part, Window(row, column, 96, 64))
            np.testing.assert_allclose(part, whole[row : row + 96, column : column + 64], atol=1e-4)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.5, 2.6])
def test_a_scratch_lies_where_it_should(angle: float) -> None:
    one = Scratches(*(np.array([v]) for v in (128.0, 96.0, angle, 40.0, -20.0, 1.0)))
    image = np.zeros((192, 256), dtype=np.float32)
    one.add_to(image, WHOLE)
    rows, columns = np.nonzero(image < -1)
    off = (rows - 96) * np.cos(angle) - (columns - 128) * np.sin(angle)
    along = (columns - 128) * np.cos(angle) + (rows - 96) * np.sin(angle)
    assert np.abs(off).max() < 4
    assert 34 < np.abs(along).max() <= 42
    assert image.min() == pytest.approx(-20, abs=1)


def test_grey_levels_stay_between_their_limits() -> None:
    grey = to_grey(np.array([[-500.0, 900.0]] * 20, dtype=np.float32), 0.5)
    assert grey.dtype == np.uint8
    assert (grey.min(), grey.max()) == (DARKEST, BRIGHTEST)
