"""The truth of counts and grain size, from the tables of a specimen file; bounds and plans of targets."""

import numpy as np
import pytest

from autoscope.app.config import TargetConfig
from autoscope.app.targets import expected_spreads, target_measure
from autoscope.app.truth import TruthMeasurer, truth_problems
from autoscope.core import ImagingSettings, SpecimenError
from autoscope.survey import lay_grid
from autoscope_simulators import SpecimenFile, write_specimen
from autoscope_simulators.specimen_data import Inclusion, SpecimenData

REFERENCE = ImagingSettings(10.0, 20, 20, 1.0)  # 500 nm


def make_measure(quantity, class_name="", **options):
    document = {"quantity": quantity, "class": class_name, "half_width": 1.0, **options}
    return target_measure(TargetConfig.model_validate(document), REFERENCE)


def specimen_of(tmp_path, **parts):
    classes = np.zeros((80, 80), np.uint8)
    classes[8:12, 18:22] = 1  # over the edge between two fields of 20 pixels
    classes[50:52, 50:52] = 1
    data = SpecimenData(
        name="small", pixel_nm=500.0, synthetic=True, source="test", licence="CC0-1.0",
        detectors={"bse": np.zeros((80, 80), np.uint8)}, classes=classes,
        class_names=("matrix", "oxide", "boundary"), **parts,
    )  # fmt: skip
    write_specimen(data, tmp_path / "s.h5")
    return SpecimenFile(tmp_path / "s.h5")


def measurer(specimen, *measures):
    grid = lay_grid(specimen.extent, specimen.tiles, 10.0, 10.0, valid_fraction=specimen.valid_fraction)
    return TruthMeasurer(specimen, grid, measures)


def test_inclusions_of_the_table_are_counted_once_where_their_centre_lies(tmp_path):
    table = (
        Inclusion(10.0, 5.0, 2.2, "oxide"),  # on the edge of two fields
        Inclusion(9.9, 5.0, 0.9, "oxide"),
        Inclusion(25.0, 35.0, 3.0, "oxide"),
        Inclusion(5.0, 5.0, 3.0, "sulphide"),
    )
    with specimen_of(tmp_path, inclusions=table) as specimen:
        found = measurer(specimen, make_measure("inclusions_per_mm2", "oxide", min_feature_um=1.0))
        values = found.values()[0].reshape(4, 4)
        assert values[0].tolist() == pytest.approx([0, 1e4, 0, 0])
        assert values.sum() == pytest.approx(2e4)
        assert found.truth()[0] == pytest.approx(2 / 1600 * 1e6)


def test_without_a_table_the_features_of_the_class_map_are_the_inclusions(tmp_path):
    with specimen_of(tmp_path) as specimen:
        found = measurer(specimen, make_measure("inclusions_per_mm2", "oxide"))
        assert found.truth()[0] == pytest.approx(2 / 1600 * 1e6)
        (inclusion,) = found.measure(None, 1).inclusions  # the centroid (10.0, 5.0) um, half-open fields
        assert (inclusion.x_um, inclusion.y_um) == pytest.approx((10.0, 5.0))
        larger = make_measure("inclusions_per_mm2", "oxide", min_feature_um=1.5)
        assert measurer(specimen, larger).truth()[0] == pytest.approx(1 / 1600 * 1e6)


def test_grains_are_read_from_their_numbers(tmp_path):
    stripes = np.repeat(np.arange(1, 17, dtype=np.uint32), 5)[None].repeat(80, axis=0)
    with specimen_of(tmp_path, grains=stripes) as specimen:
        found = measurer(specimen, make_measure("grain_size"))
        # on each field 20 rows with 3 changes, and 2 x 20 lines of 19 steps of 0.5 um
        assert found.values()[0] == pytest.approx(20 * 3 / (40 * 19 * 0.5))
        assert found.truth()[0] == pytest.approx(40 * 19 * 0.5 / 60)


def test_grain_size_of_a_phase_is_refused_and_of_boundaries_is_not(tmp_path):
    stripes = np.repeat(np.arange(1, 17, dtype=np.uint32), 5)[None].repeat(80, axis=0)
    with specimen_of(tmp_path, grains=stripes) as specimen:
        (problem,) = truth_problems(specimen, make_measure("grain_size", "oxide"))
        assert "phase" in problem
        assert "leave class out" in problem
        assert truth_problems(specimen, make_measure("grain_size", "boundary")) == []


def test_what_the_specimen_does_not_know_is_named(tmp_path):
    with specimen_of(tmp_path) as specimen:
        with pytest.raises(SpecimenError, match="'nitride'"):
            measurer(specimen, make_measure("inclusions_per_mm2", "nitride"))
        with pytest.raises(SpecimenError, match="/truth/grains"):
            measurer(specimen, make_measure("grain_size"))
        assert truth_problems(specimen, make_measure("grain_size", "boundary")) == []


def test_bounds_and_expectations_of_the_targets():
    counts = make_measure("inclusions_per_mm2", "oxide", min_feature_um=2.0).target
    assert counts.one_feature == counts.guess == pytest.approx(1e4), "one on a field of 100 um2"
    assert counts.high == pytest.approx(4 / np.pi * 1e6)
    assert make_measure("inclusions_per_mm2", "oxide", highest=5e4).target.high == 5e4
    grains = make_measure("grain_size", "boundary").target
    assert (grains.high, grains.guess, grains.reciprocal) == (2.0, 1.0, True)
    with pytest.raises(ValueError, match="highest"):
        make_measure("area_fraction", "oxide", highest=0.5)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"quantity": "area_fraction", "half_width": 0.02}, (0.02, 0.10, 0.20)),
        ({"quantity": "area_fraction", "half_width": 0.001}, (0.001, 0.01, 0.02)),
        ({"quantity": "inclusions_per_mm2", "relative": 0.1}, (1e3, 1e4, 2e4)),
        ({"quantity": "inclusions_per_mm2", "half_width": 40.0}, (40.0, 2e3, 4e3)),
        ({"quantity": "grain_size", "half_width": 0.1}, (0.1, 0.15, 0.30)),
        ({"quantity": "grain_size", "relative": 0.1}, (0.1, 0.15, 0.30)),
    ],
)
def test_plans_say_what_they_assume(document, expected):
    config = TargetConfig.model_validate({"class": "oxide", **document})
    assert expected_spreads(config, REFERENCE) == pytest.approx(expected)
