"""A measurement carries how unsure a calibrated model is, and experts are asked by it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from autoscope.core import BeamSettings, Frame, ImagingSettings, Rectangle, StagePosition
from autoscope.labels import frame_score
from autoscope.perception.segmentation import Pixels, Segmentation, Segmenter, Uncertainty
from autoscope.session import LooksOf, SegmentingMeasurer
from autoscope.survey import lay_grid

GRID = lay_grid(Rectangle(0, 0, 40, 10), [Rectangle(0, 0, 40, 10)], 10.0, 10.0)
FRAME = Frame(
    np.zeros((4, 4), np.uint8), StagePosition(5, 5), ImagingSettings(10, 4, 4, 3.0), BeamSettings(), 0.0, 1,
    5.0, "sim",
)  # fmt: skip


class Doubtful(Segmenter):
    """Sure of its softmax, and in doubt of its weights."""

    kind: Literal["segmentation"] = "segmentation"
    class_names = ("ferrite", "pearlite", "oxide")
    sha256 = "0" * 64

    def segment(
        self, frame_pixels: Pixels, pixel_nm: float, *, probability: bool = False, uncertainty: bool = False
    ) -> Segmentation:
        sure = np.zeros((3, 4, 4), np.float16)
        sure[0] = 1
        total = np.full((4, 4), np.log(3) / 2, np.float16)
        total[0, 0] = np.float16(1.1)  # half precision: a little above the largest entropy there is
        told = Uncertainty(total, None, None, 0.5) if uncertainty else None
        labels = np.zeros((4, 4), np.uint8)
        return Segmentation(labels, self.class_names, pixel_nm, sure if probability else None, (), told)


def test_the_entropy_is_a_share_of_the_largest() -> None:
    measurer = SegmentingMeasurer(Doubtful(), GRID, (), None, keep_probability=True, keep_uncertainty=True)
    found = measurer.measure(FRAME, 1)
    assert found.unsure is not None
    assert found.unsure[1, 1] == pytest.approx(0.5, abs=1e-3)
    assert found.unsure[0, 0] == 1.0
    assert frame_score(found.probability, "uncertainty") == 0.0  # the softmax would have said nothing
    assert frame_score(found.probability, "uncertainty", found.unsure) == pytest.approx(0.53, abs=0.01)
    assert frame_score(found.probability, "uniform", found.unsure) == 0.0
    assert frame_score(found.probability, "margin", found.unsure) == 0.0


def test_it_is_not_asked_for_where_nobody_wants_it() -> None:
    assert (
        SegmentingMeasurer(Doubtful(), GRID, (), None, keep_probability=True).measure(FRAME, 1).unsure is None
    )


def test_another_model_may_judge_how_familiar_a_frame_is() -> None:
    plain = SegmentingMeasurer(Doubtful(), GRID, (), None)
    asked = []

    class Judge(SegmentingMeasurer):
        def measure(self, frame: Frame, field: int):
            asked.append(field)
            return super().measure(frame, field)

    assert LooksOf(plain, Judge(Doubtful(), GRID, (), None)).measure(FRAME, 2).look is None
    assert asked == [2]
    assert LooksOf(plain, None).class_names == Doubtful.class_names
