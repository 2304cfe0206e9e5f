from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from autoscope.core import ConfigurationError
from autoscope_simulators.specimen_data import SpecimenData
from autoscope_simulators.synthetic import FIRST_TRAINING_SEED, KINDS, canvas, generate

SIZE_UM: Mapping[str, tuple[float, float]] = {
    "pearlite": (384.0, 256.0),
    "inclusions": (600.0, 450.0),
    "superalloy": (15.0, 12.0),
}
SHARES = {
    "pearlite": {"pearlite": (0.16, 0.26)},
    "inclusions": {"oxide": (2e-5, 0.006), "sulphide": (2e-5, 0.006), "nitride": (2e-5, 0.004)},
    "superalloy": {"secondary": (0.40, 0.65), "tertiary": (0.004, 0.045)},
}
CASES = [(kind, seed) for kind in sorted(KINDS) for seed in (0, FIRST_TRAINING_SEED)]


@pytest.fixture(scope="module")
def specimens() -> dict[tuple[str, int], SpecimenData]:
    return {(kind, seed): generate(kind, seed=seed, size_um=SIZE_UM[kind]) for kind, seed in CASES}


def truth(specimen: SpecimenData) -> NDArray[np.uint8]:
    assert specimen.classes is not None
    return specimen.classes


@pytest.mark.parametrize("case", CASES)
def test_shapes_shares_and_grey_levels(
    specimens: dict[tuple[str, int], SpecimenData], case: tuple[str, int]
) -> None:
    specimen = specimens[case]
    width_um, height_um = SIZE_UM[case[0]]
    bse = specimen.detectors["bse"]
    assert bse.shape == truth(specimen).shape
    assert bse.shape == (
        round(height_um * 1000 / specimen.pixel_nm),
        round(width_um * 1000 / specimen.pixel_nm),
    )
    assert specimen.synthetic
    assert bse.dtype == np.uint8
    assert 20 <= bse.min() < bse.max() <= 235
    for name, (low, high) in SHARES[case[0]].items():
        share = (truth(specimen) == specimen.class_names.index(name)).mean()
        assert low <= share <= high, name


@pytest.mark.parametrize("case", CASES)
def test_every_class_can_be_told_from_the_matrix_by_its_mean_grey(
    specimens: dict[tuple[str, int], SpecimenData], case: tuple[str, int]
) -> None:
    specimen = specimens[case]
    bse, classes = specimen.detectors["bse"], truth(specimen)
    matrix = bse[classes == 0].mean()
    for value in range(1, len(specimen.class_names)):
        assert bse[classes == value].mean() < matrix - 8, specimen.class_names[value]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_seed_gives_the_same_arrays_and_another_seed_another_specimen(
    specimens: dict[tuple[str, int], SpecimenData], kind: str
) -> None:
    first, other = specimens[kind, 0], specimens[kind, FIRST_TRAINING_SEED]
    again = generate(kind, seed=0, size_um=SIZE_UM[kind])
    np.testing.assert_array_equal(again.detectors["bse"], first.detectors["bse"])
    np.testing.assert_array_equal(truth(again), truth(first))
    assert again.inclusions == first.inclusions
    assert (truth(other) != truth(first)).any()
    assert abs(other.detectors["bse"].mean() - first.detectors["bse"].mean()) > 0.5


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_size_of_the_blocks_leaves_no_trace(
    specimens: dict[tuple[str, int], SpecimenData], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "BLOCK_PX", 256)
    small = generate(kind, seed=0, size_um=SIZE_UM[kind])
    large = specimens[kind, 0]
    # sums of floats in another order may differ in the last bit, and a bit may decide a pixel
    assert (truth(small) != truth(large)).mean() < 1e-5
    difference = np.abs(small.detectors["bse"].astype(int) - large.detectors["bse"])
    assert (difference > 1).mean() < 1e-4


def test_progress_rises_to_one() -> None:
    heard: list[float] = []
    generate("superalloy", size_um=(4.0, 4.0), progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_inclusions_of_the_table_are_the_connected_regions_of_the_map(
    specimens: dict[tuple[str, int], SpecimenData],
) -> None:
    specimen = specimens["inclusions", 0]
    pixel_um = specimen.pixel_nm / 1000
    regions, count = ndimage.label(truth(specimen), np.ones((3, 3)))
    assert count == len(specimen.inclusions)
    area_px = np.bincount(regions.ravel())
    centre = ndimage.center_of_mass(regions > 0, regions, np.arange(1, count + 1))
    found = {
        (round(x, 6), round(y, 6)): (area, int(truth(specimen)[regions == label][0]))
        for label, ((y, x), area) in enumerate(zip(centre, area_px[1:], strict=True), start=1)
    }
    for inclusion in specimen.inclusions:
        place = (round(inclusion.x_um / pixel_um - 0.5, 6), round(inclusion.y_um / pixel_um - 0.5, 6))
        area, value = found[place]
        assert inclusion.equivalent_diameter_um == pytest.approx(2 * np.sqrt(area / np.pi) * pixel_um)
        assert inclusion.class_name == specimen.class_names[value]


def test_the_pearlite_of_fields_varies_far_more_than_grains_by_chance_would() -> None:
    specimen = generate("pearlite", seed=1, size_um=(512.0, 512.0))
    assert specimen.grains is not None
    pearlite = (truth(specimen) == 1).astype(float)
    side = 256  # 64 um
    fields = pearlite.reshape(8, side, 8, side).mean(axis=(1, 3))
    share = pearlite.mean()
    grains_in_a_field = side**2 / np.bincount(specimen.grains.ravel())[1:].clip(1).mean()
    assert fields.std() > 1.7 * np.sqrt(share * (1 - share) / grains_in_a_field)
    # bands lie along x: the row means differ more than the column means
    assert pearlite.mean(axis=1).std() > 1.5 * pearlite.mean(axis=0).std()


def test_grains_are_numbered_from_one_and_lie_in_one_phase(
    specimens: dict[tuple[str, int], SpecimenData],
) -> None:
    specimen = specimens["pearlite", 0]
    assert specimen.grains is not None
    assert specimen.grains.min() >= 1
    pearlite_pixels = np.bincount(specimen.grains.ravel(), weights=(truth(specimen) == 1).ravel())
    pixels = np.bincount(specimen.grains.ravel())
    assert set(np.unique(pearlite_pixels[pixels > 0] / pixels[pixels > 0])) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"kind": "perlite"}, "did you mean 'pearlite'"),
        ({"kind": "martensite"}, "inclusions, pearlite, superalloy"),
        ({"kind": "pearlite", "seed": -1}, "seed = -1"),
        ({"kind": "pearlite", "size_um": (0.0, 100.0)}, "width"),
        ({"kind": "superalloy", "size_um": (100.0, -3.0)}, "height"),
    ],
)
def test_bad_requests_are_named(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named.replace("(", r"\(")):
        generate(**arguments)  # type: ignore[arg-type]
