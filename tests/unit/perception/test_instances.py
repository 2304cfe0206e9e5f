"""Instances on drawn things whose sizes, shapes and number are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.perception import Segmentation
from autoscope.perception.instance_measures import circularity, feret_px, measure
from autoscope.perception.instances import Instances, InstanceSettings, find_instances, split_by_distance

Discs = list[tuple[float, float, float]]


def discs(shape: tuple[int, int], places: Discs) -> NDArray[np.bool_]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for row, column, radius in places:
        mask |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return mask


def segmentation(labels: NDArray[np.integer], names: tuple[str, ...] = ("ground", "disc")) -> Segmentation:
    """A segmentation that is 90 % sure of its labels."""
    rest = 0.1 / (len(names) - 1)
    probability = np.stack([np.where(labels == n, 0.9, rest) for n in range(len(names))])
    return Segmentation(labels.astype(np.uint8), names, 100.0, probability.astype(np.float16))


@pytest.mark.parametrize(
    ("places", "split", "count"),
    [
        ([(30, 30, 12), (30, 70, 12)], "none", 2),
        ([(30, 30, 12), (30, 52, 12)], "none", 1),
        ([(30, 30, 12), (30, 52, 12)], "distance", 2),
        ([(30, 30, 20), (30, 55, 6)], "distance", 2),  # a small one at a large one
        ([(30, 30, 12), (30, 34, 12)], "distance", 1),  # they overlap so far that they are one
        ([(30, 30, 12), (30, 52, 12), (49, 41, 11)], "distance", 3),
    ],
)
def test_things_that_touch_come_apart_at_their_necks(places: Discs, split: str, count: int) -> None:
    settings = InstanceSettings.model_validate({"class_name": "disc", "split": split})
    found = find_instances(segmentation(discs((70, 100), places)), settings)
    assert len(found) == count
    assert found.numbered.max() == count


@given(st.floats(4.0, 40.0), st.floats(0.3, 0.9))
def test_a_disc_is_one_thing_at_any_size_and_neck(radius: float, neck: float) -> None:
    mask = discs((100, 100), [(49.5, 49.5, radius)])
    numbered = split_by_distance(mask, neck)
    assert numbered.max() == 1
    assert np.array_equal(numbered > 0, mask)


def test_a_learned_rim_takes_things_apart_and_belongs_to_them() -> None:
    labels = np.zeros((20, 40), np.uint8)
    labels[2:18, 2:38] = 2
    labels[4:16, 4:18] = labels[4:16, 22:36] = 1
    settings = InstanceSettings(class_name="disc", rim="rim", split="probability")
    found = find_instances(segmentation(labels, ("ground", "disc", "rim")), settings)
    assert len(found) == 2
    assert np.array_equal(found.numbered > 0, labels > 0)
    assert np.bincount(found.numbered.ravel())[1:].tolist() == [16 * 18, 16 * 18]
    assert found.confidence == pytest.approx([0.95, 0.95], abs=1e-3)


def test_a_rim_without_an_inside_is_a_thing_of_its_own() -> None:
    labels = np.zeros((20, 40), np.uint8)
    labels[2:8, 2:8] = 1
    labels[12:16, 30:34] = 2
    settings = InstanceSettings(class_name="disc", rim="rim", split="probability")
    assert len(find_instances(segmentation(labels, ("ground", "disc", "rim")), settings)) == 2


def test_small_things_are_left_out_and_numbers_follow_the_first_pixel() -> None:
    labels = discs((60, 60), [(40, 10, 6), (10, 40, 8)]).astype(np.uint8)
    labels[50, 50] = 1
    found = find_instances(segmentation(labels), InstanceSettings(class_name="disc"))
    assert (found.numbered[10, 40], found.numbered[40, 10], found.numbered[50, 50]) == (1, 2, 0)
    assert not len(find_instances(segmentation(labels * 0), InstanceSettings(class_name="disc")))


def test_a_class_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no class 'disk'"):
        find_instances(segmentation(np.zeros((4, 4))), InstanceSettings(class_name="disk"))
    bare = Segmentation(np.zeros((4, 4), np.uint8), ("ground", "disc"), 1.0)
    with pytest.raises(ConfigurationError, match="probabilities"):
        find_instances(bare, InstanceSettings(class_name="disc"))


def test_a_rectangle_is_measured_exactly() -> None:
    numbered = np.zeros((30, 40), np.int32)
    numbered[5:15, 10:34] = 1
    one = measure(Instances(numbered, np.array([0.8])), "disc", 500.0)[0]
    assert (one.area_px, one.box_px, one.cut) == (240, (5, 10, 15, 34), False)
    assert (one.row_px, one.column_px) == (9.5, 21.5)
    assert (one.x_um, one.y_um) == (11.0, 5.0)
    assert one.feret_max_px == pytest.approx(math.hypot(10, 24))
    assert one.feret_min_px == pytest.approx(10)
    assert one.feret_max_um == pytest.approx(13.0)
    assert one.aspect == pytest.approx(2.4)
    assert one.angle_deg == pytest.approx(0.0)
    assert one.diameter_um == pytest.approx(0.5 * math.sqrt(4 / math.pi * 240))


def test_angle_and_edge_and_unknown_pixel_size() -> None:
    numbered = np.zeros((20, 20), np.int32)
    numbered[np.arange(19, -1, -1), np.arange(20)] = 1  # rises to the right
    one = measure(Instances(numbered, np.array([1.0])), "crack", None)[0]
    assert one.angle_deg == pytest.approx(45.0)
    assert one.cut
    assert one.diameter_um is None
    assert one.x_um is None


def test_a_single_pixel_has_a_size() -> None:
    one = np.ones((1, 1), bool)
    assert feret_px(one) == pytest.approx((math.sqrt(2), 1.0))


@given(st.integers(8, 40))
def test_a_disc_is_round(radius: int) -> None:
    mask = discs((90, 90), [(45, 45, radius)])
    assert circularity(mask) == pytest.approx(1.0, abs=0.1)
    largest, smallest = feret_px(mask)
    assert largest == pytest.approx(2 * radius + 1, abs=0.6)
    assert smallest == pytest.approx(2 * radius + 1, abs=1.0)
