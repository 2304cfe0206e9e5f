import numpy as np
import pytest

from autoscope.core import ConfigurationError
from autoscope_simulators.synthetic.canvas import CELL_PX, Canvas, Window, cut, part_of


def silent(share: float) -> None:
    pass


@pytest.mark.parametrize("shape", [(64, 64), (1024, 1024), (1030, 2100), (700, 3000)])
def test_blocks_cover_every_pixel_once(shape: tuple[int, int]) -> None:
    canvas = Canvas(*shape, pixel_nm=100.0)
    count = np.zeros(shape, dtype=int)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for block in canvas.blocks(silent):
        count[block.canvas_part] += 1
        window = block.window
        assert (window.row % CELL_PX, window.column % CELL_PX) == (0, 0)
        assert (window.height % CELL_PX, window.width % CELL_PX) == (0, 0)
        np.testing.assert_array_equal(window.rows[block.window_part[0]], rows[block.canvas_part][:, 0])
        np.testing.assert_array_equal(window.columns[block.window_part[1]], columns[block.canvas_part][0])
    assert (count == 1).all()


def test_size_is_width_then_height() -> None:
    canvas = Canvas.of_size((100.0, 50.0), 250.0)
    assert canvas.shape == (200, 400)
    assert canvas.px(1.0) == 4.0
    assert canvas.area_um2 == pytest.approx(5000.0)


def test_a_bad_size_names_every_bad_side_with_its_limits() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Canvas.of_size((0.0, float("nan")), 250.0)
    assert len(caught.value.problems) == 2
    assert "width" in caught.value.problems[0]
    assert "[16, 16384] um" in caught.value.problems[0]
    assert "height" in caught.value.problems[1]


def test_window_clips_to_itself() -> None:
    window = Window(row=-32, column=64, height=64, width=32)
    assert window.clip(x_px=64.0, y_px=-32.0, reach_x_px=3.0) == (slice(0, 4), slice(0, 4))
    rows, columns = window.clip(x_px=500.0, y_px=0.0, reach_x_px=3.0)
    assert (columns.start, columns.stop) >= (32, 32)
    assert (rows.start, rows.stop) == (29, 36)
    near = window.reached_by(np.array([60.0, 80.0]), np.array([0.0, 0.0]), np.array([3.9, 1.0]))
    np.testing.assert_array_equal(near, [1])


def test_cut_repeats_the_border() -> None:
    image = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(cut(image, Window(-1, 1, 3, 3)), [[1, 2, 2], [1, 2, 2], [4, 5, 5]])


def test_part_of_a_progress() -> None:
    heard: list[float] = []
    part_of(heard.append, 0.2, 0.6)(0.5)
    assert heard == pytest.approx([0.4])
