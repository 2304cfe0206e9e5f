import numpy as np
import pytest
from scipy import ndimage

from autoscope.core import component_rng
from autoscope_simulators.synthetic.canvas import Canvas
from autoscope_simulators.synthetic.particles import ANGLES, Particles, ParticleStyle, scatter, stamp

STYLE = ParticleStyle(
    per_mm2=5000, diameter_um=3.0, diameter_sigma=0.3, clustered=0.7, cluster_size=8, spread_um=(30.0, 10.0)
)
CANVAS = Canvas(1500, 1500, 300.0)


def discs(*rows: tuple[float, float, float]) -> Particles:
    x, y, radius = np.array(rows).T
    return Particles(x, y, radius, np.ones((len(rows), ANGLES)))


def test_a_disc_is_stamped_with_its_area_and_place() -> None:
    classes = np.zeros((100, 100), dtype=np.uint8)
    (stamped,) = stamp(classes, discs((40.3, 60.7, 10.0)), 3)
    assert stamped.area_px == (classes == 3).sum() == pytest.approx(314.2, rel=0.02)
    assert (stamped.x_px, stamped.y_px) == pytest.approx((40.3, 60.7), abs=0.1)


def test_particles_that_touch_another_one_or_the_edge_are_left_out() -> None:
    classes = np.zeros((100, 100), dtype=np.uint8)
    kept = list(
        stamp(classes, discs((40, 40, 10), (60.5, 40, 10), (4, 50, 10), (70, 70, 0.5), (75, 70, 10)), 1)
    )
    assert [(round(p.x_px), round(p.y_px)) for p in kept] == [(40, 40), (75, 70)]
    assert ndimage.label(classes, np.ones((3, 3)))[1] == 2


@pytest.mark.parametrize(
    ("shape", "flattest", "longest"), [("oxide", 1.0, 1.8), ("sulphide", 1.8, 4.0), ("nitride", 1.0, 1.8)]
)
def test_shapes_have_the_area_and_the_elongation_of_their_class(
    shape: str, flattest: float, longest: float
) -> None:
    particles = scatter(component_rng(5, "t"), CANVAS, STYLE, shape)
    assert np.mean(particles.outline**2, axis=1) == pytest.approx(1.0)
    radius = np.median(particles.radius_px)
    assert radius == pytest.approx(CANVAS.px(3.0) / 2, rel=0.08)
    turn = np.arange(ANGLES) * 2 * np.pi / ANGLES
    width = np.ptp(particles.outline * np.cos(turn), axis=1)
    height = np.ptp(particles.outline * np.sin(turn), axis=1)
    assert flattest - 0.25 < np.median(width / height) < longest


def test_clusters_make_counts_vary_far_more_than_chance() -> None:
    counts = []
    for seed in range(6):
        particles = scatter(component_rng(seed, "t"), CANVAS, STYLE, "oxide")
        grid, _, _ = np.histogram2d(particles.y_px, particles.x_px, bins=10, range=[[0, 1500], [0, 1500]])
        counts.append(grid.ravel())
    every = np.concatenate(counts)
    assert every.mean() == pytest.approx(5000 * 0.045**2, rel=0.15)
    assert every.var() > 2 * every.mean()
