import numpy as np
import pytest

from autoscope.core import component_rng
from autoscope_simulators.synthetic.canvas import HALO_PX, Canvas, Window
from autoscope_simulators.synthetic.noise import SmoothField, Texture

CANVAS = Canvas(600, 500, 100.0)
WHOLE = Window(-HALO_PX, -HALO_PX, 600 + 2 * HALO_PX, 500 + 2 * HALO_PX)


@pytest.mark.parametrize(("length_y", "length_x"), [(5.0, None), (7.3, 40.0), (900.0, 3000.0)])
def test_a_smooth_field_is_the_same_in_every_window_and_at_points(
    length_y: float, length_x: float | None
) -> None:
    field = SmoothField(component_rng(1, "t"), CANVAS, length_y, length_x)
    whole = field.window(WHOLE)
    part = field.window(Window(100, 200, 64, 48))
    corner = (slice(100 + HALO_PX, 164 + HALO_PX), slice(200 + HALO_PX, 248 + HALO_PX))
    np.testing.assert_allclose(part, whole[corner], atol=2e-6)
    x, y = np.array([3.0, 250.5, 499.0]), np.array([0.0, 300.25, 599.0])
    ours = [field.window(Window(int(b), int(a), 2, 2)) for a, b in zip(x, y, strict=True)]
    lowest, highest = [o.min() for o in ours], [o.max() for o in ours]
    at = field.at(x, y)
    assert (at >= np.array(lowest) - 0.05).all()
    assert (at <= np.array(highest) + 0.05).all()
    assert at[0] == pytest.approx(whole[HALO_PX, 3 + HALO_PX], abs=2e-6)


def test_a_smooth_field_is_standard_and_forgets_itself_over_its_length() -> None:
    values = SmoothField(component_rng(2, "t"), CANVAS, 6.0, 24.0).window(WHOLE)
    assert values.mean() == pytest.approx(0, abs=0.08)
    assert values.std() == pytest.approx(1, abs=0.06)

    def correlation(lag_y: int, lag_x: int) -> float:
        height, width = values.shape
        return float(np.mean(values[: height - lag_y, : width - lag_x] * values[lag_y:, lag_x:]))

    assert correlation(0, 6) > 0.9
    assert correlation(6, 0) < 0.75
    assert abs(correlation(30, 0)) < 0.1


def test_a_texture_is_standard_and_the_same_in_every_window() -> None:
    texture = Texture(component_rng(3, "t"), 1.5)
    whole = texture.window(WHOLE)
    part = texture.window(Window(10, -5, 30, 40))
    np.testing.assert_array_equal(part, whole[10 + HALO_PX : 40 + HALO_PX, HALO_PX - 5 : HALO_PX + 35])
    assert whole.std() == pytest.approx(1, abs=0.05)
