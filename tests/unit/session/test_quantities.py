"""What each quantity is on one field."""

import math

import numpy as np
import pytest

from autoscope.core import ModelError, Rectangle
from autoscope.session import FieldMap, TargetMeasure
from autoscope.survey import Target

PIXEL_NM = 500.0


def field_map(labels, *, probability=None, valid=None):
    height, width = labels.shape
    rectangle = Rectangle(100.0, 200.0, 100.0 + width * 0.5, 200.0 + height * 0.5)
    area_um2 = height * width * 0.25 if valid is None else np.count_nonzero(valid) * 0.25
    return FieldMap(
        labels, ("matrix", "oxide", "boundary"), PIXEL_NM, valid, rectangle, area_um2, probability
    )


def measure(quantity, class_name, least=0.0):
    return TargetMeasure(Target(quantity, class_name, 1.0, None, 0.95), least)


def two_oxides():
    labels = np.zeros((40, 40), np.uint8)
    labels[10:14, 20:24] = 1  # 2 um square: equivalent diameter 2.26 um
    labels[0:4, 30:34] = 1  # cut by the edge
    labels[30, 5] = 1  # a pixel: 0.56 um
    return labels


def test_inclusions_are_counted_whole_and_listed_with_their_place():
    found = measure("inclusions_per_mm2", "oxide", 1.0).value(field_map(two_oxides()))
    (inclusion,) = found.inclusions
    assert (inclusion.x_um, inclusion.y_um) == pytest.approx((100.0 + 22 * 0.5, 200.0 + 12 * 0.5))
    assert inclusion.equivalent_diameter_um == pytest.approx(math.sqrt(4 * 4 / math.pi))
    assert (inclusion.class_name, inclusion.class_probability) == ("oxide", 1.0)
    stands_for = 40 * 40 / (35 * 35)
    assert found.value == pytest.approx(stands_for / (20 * 20) * 1e6)
    assert len(measure("inclusions_per_mm2", "oxide").value(field_map(two_oxides())).inclusions) == 2


def test_the_class_probability_is_the_mean_over_the_inclusion():
    probability = np.zeros((3, 40, 40), np.float16)
    probability[1, 10:14, 20:22], probability[1, 10:14, 22:24] = 1.0, 0.5
    found = measure("inclusions_per_mm2", "oxide", 1.0).value(
        field_map(two_oxides(), probability=probability)
    )
    assert found.inclusions[0].class_probability == pytest.approx(0.75)


def test_the_density_refers_to_the_specimen_on_the_field():
    valid = np.ones((40, 40), bool)
    valid[:, :10] = False
    whole, part = (
        measure("inclusions_per_mm2", "oxide", 1.0).value(field_map(two_oxides(), valid=v)).value
        for v in (None, valid)
    )
    assert part == pytest.approx(whole * 40 / 30)


def test_an_inclusion_that_is_too_large_for_the_field_is_told():
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = 1
    (note,) = measure("inclusions_per_mm2", "oxide").value(field_map(labels)).notes
    assert "imaging.reference.hfw_um" in note


def test_grain_size_is_boundaries_for_each_um_of_line():
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 10] = labels[:, 30] = 2
    found = measure("grain_size", "boundary").value(field_map(labels))
    # 2 on each of 40 rows; 80 lines of 39 steps of 0.5 um
    assert found.value == pytest.approx(2 * 40 / (80 * 39 * 0.5))
    assert found.inclusions == ()


def test_specks_of_the_boundary_class_are_no_boundary():
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 10] = 2
    clean = measure("grain_size", "boundary", 1.0).value(field_map(labels)).value
    labels[20, 25] = 2
    assert measure("grain_size", "boundary", 1.0).value(field_map(labels)).value == clean
    assert measure("grain_size", "boundary").value(field_map(labels)).value > clean


def test_the_smallest_feature_holds_for_an_area_fraction_too():
    labels = two_oxides()
    labels[0:4, 30:34] = 0
    assert measure("area_fraction", "oxide").value(field_map(labels)).value == 17 / 1600
    assert measure("area_fraction", "oxide", 1.0).value(field_map(labels)).value == 16 / 1600


def test_a_class_that_the_model_does_not_know():
    with pytest.raises(ModelError, match="'nitride'"):
        measure("grain_size", "nitride").value(field_map(two_oxides()))
