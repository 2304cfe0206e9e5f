"""Reading overviews: exact means over fields, invariance, files that are not readers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.core import BeamSettings, Frame, ImagingSettings, ModelError, StagePosition
from autoscope.perception.overview_card import read_reader_card, shipped_reader
from autoscope.perception.overview_grey import grey_channels, overview_scale
from autoscope.perception.overview_groups import GREY_GROUPS, overview_groups
from autoscope.perception.overview_pooling import field_means
from autoscope.perception.overview_reading import read_fields

RNG = np.random.default_rng(0)
CENTRES = np.array([20.0, 60.0, 100.0, 140.0])
ROW = np.full(4, 40.0)


def make_frame(pixels, x_um=None, y_um=None, pixel_um=1.0):
    height, width = pixels.shape
    imaging = ImagingSettings(width * pixel_um, width, height, 1.0)
    centre = StagePosition(
        imaging.hfw_um / 2 if x_um is None else x_um, imaging.vfw_um / 2 if y_um is None else y_um
    )
    return Frame(pixels, centre, imaging, BeamSettings(), 0.0, 1, 0.0, "test")


def textured(height=80, width=160, seed=0):
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(60, 180, (height // 8, width // 8)), np.ones((8, 8)))
    return np.clip(coarse + rng.normal(0, 5, (height, width)), 0, 255).astype(np.uint8)


def test_means_by_hand():
    pixels = np.zeros((4, 6), np.uint8)
    maps = np.arange(24.0).reshape(1, 4, 6)
    frame = make_frame(pixels)
    # a field of 2 x 2 pixels in the corner; one of the same size shifted by half a pixel in x
    means = field_means(maps, frame, np.array([1.0, 1.5]), np.array([1.0, 1.0]), 2.0, 2.0)
    np.testing.assert_allclose(
        means[:, 0], [(0 + 1 + 6 + 7) / 4, (0.5 * 0 + 1 + 0.5 * 2 + 0.5 * 6 + 7 + 0.5 * 8) / 4]
    )


def test_fields_over_the_edge_are_shifted_inside_and_large_ones_get_the_frame():
    maps = RNG.random((2, 5, 7))
    frame = make_frame(np.zeros((5, 7), np.uint8))
    outside, corner = np.array([-3.0, 1.0]), np.array([1.0, 1.0])
    means = field_means(maps, frame, outside, corner, 2.0, 2.0)
    np.testing.assert_allclose(means[0], means[1])
    large = field_means(maps, frame, np.array([0.0]), np.array([0.0]), 50.0, 50.0)
    np.testing.assert_allclose(large[0], maps.mean(axis=(1, 2)))


@settings(deadline=None)
@given(st.floats(0.5, 6.5), st.floats(0.5, 4.5), st.floats(0.2, 3.0))
def test_a_constant_map_has_its_value_as_mean(x, y, size):
    frame = make_frame(np.zeros((5, 7), np.uint8))
    means = field_means(np.full((1, 5, 7), 3.5), frame, np.array([x]), np.array([y]), size, size)
    np.testing.assert_allclose(means, 3.5)


def test_fields_that_tile_the_frame_have_its_mean_on_average():
    maps = RNG.random((3, 60, 60))
    frame = make_frame(np.zeros((60, 60), np.uint8))
    edges = (np.arange(7) + 0.5) * 60 / 7
    x, y = (axis.ravel() for axis in np.meshgrid(edges, edges))
    means = field_means(maps, frame, x, y, 60 / 7, 60 / 7)
    np.testing.assert_allclose(means.mean(axis=0), maps.mean(axis=(1, 2)))


def test_grey_channels_do_not_know_gain_and_offset():
    pixels = textured()
    brighter = (pixels.astype(np.uint16) * 40 + 900).astype(np.uint16)
    plain = grey_channels(pixels, overview_scale([make_frame(pixels)]))
    changed = grey_channels(brighter, overview_scale([make_frame(brighter)]))
    np.testing.assert_allclose(plain, changed, atol=1e-3)


def test_a_flat_overview_has_no_contrast_and_no_error():
    flat = np.full((16, 16), 77, np.uint8)
    assert (grey_channels(flat, overview_scale([make_frame(flat)])) == 0).all()


def test_the_shipped_reader_describes_fields():
    card = read_reader_card(shipped_reader())
    reading = read_fields(shipped_reader(), [make_frame(textured())], CENTRES, ROW, 30.0, 30.0)
    assert reading.features.shape == (4, card.features)
    assert reading.heads.shape == (4, len(card.heads))
    assert np.isfinite(reading.features).all() and (reading.features >= 0).all()
    assert reading.features.std(axis=0).max() > 0


def test_fields_that_no_frame_shows_get_the_mean_of_the_others():
    frame = make_frame(textured(80, 120))
    reading = read_fields(shipped_reader(), [frame], CENTRES, ROW, 30.0, 30.0)
    np.testing.assert_allclose(reading.features[3], reading.features[:3].mean(axis=0))


def test_strips_of_a_tall_frame_join_without_a_seam(monkeypatch):
    frame = make_frame(textured(400, 160))
    whole = read_fields(shipped_reader(), [frame], CENTRES, ROW * 5, 30.0, 30.0)
    monkeypatch.setattr("autoscope.perception.overview_reading.STRIP_PX", 200)
    strips = read_fields(shipped_reader(), [frame], CENTRES, ROW * 5, 30.0, 30.0)
    np.testing.assert_allclose(strips.features, whole.features, rtol=1e-4, atol=1e-5)


def test_odd_frames_are_read():
    reading = read_fields(
        shipped_reader(), [make_frame(textured(80, 160)[:77, :155])], CENTRES, ROW, 30.0, 30.0
    )
    assert np.isfinite(reading.features).all()


def test_groups_of_frames_and_of_none():
    fields = ([make_frame(textured())], CENTRES, ROW, 30.0, 30.0)
    trained, grey = overview_groups(*fields, reader=shipped_reader()), overview_groups(*fields)
    assert [group.shape for group in trained] == [(4, 19), (4, 17), (4, 16)]
    assert len(grey) == GREY_GROUPS
    assert overview_groups([], *fields[1:], reader=shipped_reader()) == ()


def test_the_shipped_reader_is_small_and_says_what_it_saw():
    path = shipped_reader()
    card = read_reader_card(path)
    assert path.stat().st_size < 1_000_000
    assert all(seed >= 1000 for seeds in card.seeds.values() for seed in seeds)
    assert json.loads(path.with_suffix(".json").read_text()) == json.loads(card.to_json())
    seen = card.trained_on[0]
    assert card.saw(seen.name, "other") and card.saw("other", seen.sha256)
    assert not card.saw("synthetic pearlite, seed 0", "0" * 64)


def test_files_that_are_not_readers(tmp_path):
    missing = tmp_path / "none.safetensors"
    with pytest.raises(ModelError, match="no such"):
        read_reader_card(missing)
    pickle = tmp_path / "evil.safetensors"
    pickle.write_bytes(b"\x80\x04evil")
    with pytest.raises(ModelError, match="pickle"):
        read_reader_card(pickle)
    short = tmp_path / "short.safetensors"
    short.write_bytes(shipped_reader().read_bytes()[:5000])
    with pytest.raises(ModelError, match="damaged"):
        read_reader_card(short)


def test_weights_that_were_changed_are_refused(tmp_path):
    from safetensors.torch import load_file, save

    from autoscope.perception.overview_weights import load_reader

    tensors = load_file(shipped_reader())
    tensors["heads.weight"] = tensors["heads.weight"] + 1
    card = read_reader_card(shipped_reader())
    path = tmp_path / "changed.safetensors"
    path.write_bytes(save(tensors, metadata={"autoscope.overview-card": card.to_json()}))
    with pytest.raises(ModelError, match="not those that the card describes"):
        load_reader(path)


def test_a_card_of_another_version_is_refused(tmp_path):
    from safetensors.numpy import save

    path = tmp_path / "other.safetensors"
    path.write_bytes(save({"a": np.zeros(1)}, metadata={"autoscope.overview-card": '{"schema": "x/9"}'}))
    with pytest.raises(ModelError, match="card is not valid"):
        read_reader_card(path)
    path.write_bytes(save({"a": np.zeros(1)}))
    with pytest.raises(ModelError, match="no card"):
        read_reader_card(path)
