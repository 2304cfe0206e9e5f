import base64
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.records import QuantityResult, TargetRecord, open_session
from autoscope.report.evidence import gather
from autoscope.report.field_images import PANEL_PX, field_picture, scale_bar_um
from autoscope.report.specimen_map import draw_background
from autoscope.report.wording import answer, count, decimals, duration, length


def quantity(**changes):
    values = {
        "quantity": "area_fraction", "class_name": "pearlite", "estimate": 0.1832, "ci_low": 0.1738,
        "ci_high": 0.1926, **changes,
    }  # fmt: skip
    return QuantityResult(**values)


def interval(estimate, half):
    return {"estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half}


TARGET = TargetRecord(quantity="area_fraction", class_name="pearlite", half_width=0.01)


def test_an_answer_in_words():
    said = answer(quantity(target_met=True), TARGET)
    assert said.title == "Area fraction of pearlite"
    assert said.value == "18.32 ± 0.94 %"
    assert said.interval == "17.38 % to 19.26 %"
    assert said.target == "± 1 % absolute"


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"estimate": None, "ci_low": None, "ci_high": None}, "not known yet"),
        ({"ci_low": None, "ci_high": None}, "18.32 %"),
        ({"quantity": "grain_size", "unit": "um", **interval(12.3, 1.3)}, "12.3 ± 1.3 µm"),
        ({"quantity": "inclusions_per_mm2", "unit": "1/mm2", **interval(480.0, 30.0)}, "480 ± 30 per mm²"),
        ({"quantity": "new_one", **interval(2.0, 0.5)}, "2.00 ± 0.50"),
        ({"estimate": 0.5, "ci_low": 0.5, "ci_high": 0.5}, "50.00 ± 0.00 %"),
    ],
)  # fmt: skip
def test_every_kind_of_answer_has_its_words(changes, value):
    assert answer(quantity(**changes), TARGET).value == value


@pytest.mark.parametrize(
    ("uncertainty", "places"),
    [(0.94, 2), (1.2, 1), (12.0, 0), (130.0, 0), (0.0123, 3), (0.0, 2), (float("nan"), 2)],
)
def test_two_significant_digits_of_the_uncertainty(uncertainty, places):
    assert decimals(uncertainty) == places


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.24, "8.2 s"), (59.96, "60.0 s"), (125, "2 min 5 s"), (3599.7, "1 h 0 min"), (4320, "1 h 12 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_lengths_and_counts():
    assert (length(950.0), length(12345.0), length(2.5e6)) == ("950 µm", "12.3 mm", "2.5 m")
    assert count(65536) == "65\u202f536"


@given(st.floats(1e-3, 1e5))
@example(1 / 3)  # 30 % of it is a rounding error below 0.1
def test_scale_bars_are_round_and_fit(hfw_um):
    bar = scale_bar_um(hfw_um)
    assert 0.1199 * hfw_um <= bar <= 0.3 * hfw_um
    assert f"{bar:e}"[0] in "125"


def frame(pixels, hfw_um=40.0):
    height, width = pixels.shape
    return Frame(
        pixels,
        StagePosition(0, 0),
        ImagingSettings(hfw_um, width, height, 1),
        BeamSettings(),
        0.0,
        1,
        1.0,
        "sim",
    )


def decode(uri):
    kind, data = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), int)


def test_a_picture_marks_the_class_and_carries_a_bar():
    pixels = np.full((64, 64), 100, np.uint16)
    pixels[:, 32:] = 120
    labels = np.zeros((30, 30), np.uint8)
    labels[:15] = 1
    sheet = decode(field_picture(frame(pixels), labels, 1))
    assert sheet.shape == (PANEL_PX, 2 * PANEL_PX + 6, 3)
    left, right = sheet[:, :PANEL_PX], sheet[:, PANEL_PX + 6 :]
    colourful = right.max(axis=2) - right.min(axis=2) > 40
    assert colourful[: PANEL_PX // 2 - 5].mean() > 0.99
    assert colourful[PANEL_PX // 2 + 5 :].mean() < 0.01
    bar = left[PANEL_PX - 12, :]  # 10 um of 40 um
    assert (bar[12 : 10 + PANEL_PX // 4 - 3] > 200).all()
    assert (bar[PANEL_PX // 4 + 13 : PANEL_PX // 4 + 14] < 60).all()


def test_a_picture_without_a_class_map_is_the_frame_alone():
    assert decode(field_picture(frame(np.zeros((20, 40), np.uint8)), None, None)).shape == (170, 340, 3)


def test_the_background_knows_fields_overview_and_nothing(play):
    evidence = gather(open_session(play().folder))
    background = draw_background(evidence.view, evidence.fields, evidence.overview)
    assert background.box == (0.0, 0.0, 800.0, 600.0)
    assert background.rgba.shape[:2] == (825, 1100)
    assert (background.rgba[..., 3] == 255).all()
    assert background.rgba[..., 0].std() > 5


def test_an_answer_beside_the_middle_of_its_interval_says_so():
    said = answer(quantity(estimate=0.0034, ci_low=0.0017, ci_high=0.0604), TARGET)
    assert said.value == "0.3 +5.7 −0.2 %"
    assert said.interval == "0.2 % to 6.0 %"


def test_influence_is_that_of_the_estimator(play):
    session = play(steps=20)
    evidence = gather(open_session(session.folder))
    for visit in evidence.visits:
        field, q = visit.decision.field, visit.decision.propensity
        from_forecast = abs(session.truth[field] - session.forecast[field])
        from_answer = abs(session.truth[field] - evidence.quantity(0).estimate)
        expected = min(from_forecast, from_answer) / q / session.n
        assert visit.influence[0] == pytest.approx(expected)
    chosen = evidence.most_influential(0, 4)
    assert [v.influence[0] for v in chosen] == sorted(
        (v.influence[0] for v in evidence.visits), reverse=True
    )[:4]
    assert all(v.frame is not None for v in chosen)
