import numpy as np
import pytest

from autoscope.core import component_rng
from autoscope_simulators.synthetic.canvas import Canvas, Window
from autoscope_simulators.synthetic.lamellae import CEMENTITE_SHARE, Lamellae

CANVAS = Canvas(512, 512, 50.0)
WINDOW = Window(0, 0, 512, 512)


def draw(spacing_um: float) -> tuple[np.ndarray, np.ndarray]:
    lamellae = Lamellae(component_rng(0, "t"), CANVAS, colony_um=8.0, spacing_um=spacing_um, grains=1)
    where = np.arange(512 * 512)
    cementite, fineness, _ = lamellae.draw(WINDOW, where, np.zeros(512 * 512, dtype=np.uint32))
    return cementite.reshape(512, 512), fineness


def test_plates_keep_their_share_whatever_the_spacing() -> None:
    for spacing_um in (0.02, 0.2, 0.6):
        assert draw(spacing_um)[0].mean() == pytest.approx(CEMENTITE_SHARE, abs=0.02)


def test_plates_below_the_pixel_average_out_and_coarse_ones_do_not() -> None:
    fine, fineness = draw(0.02)
    coarse, resolved = draw(0.6)
    assert fine.std() < 0.12 < 0.3 < coarse.std()
    assert np.median(fineness) > 0.95
    assert np.median(resolved) < 0.1


def test_the_apparent_spacing_is_the_true_one_or_larger() -> None:
    cementite, _ = draw(0.6)
    crossings = [np.count_nonzero(np.diff(line > 0.5)) / 2 for line in (*cementite, *cementite.T)]
    # lines cross plates of all directions: the mean intercept is pi/2 times the apparent spacing
    apparent_um = 512 * 0.05 / np.mean(crossings) * 2 / np.pi
    assert 0.6 < apparent_um < 1.1
