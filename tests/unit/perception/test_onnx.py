"""Exported models: the same scores, the same class maps, and refusal of what is no such model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception import load_segmenter, read_card

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from autoscope.perception import onnx_export  # noqa: E402
from autoscope.perception.onnx_card import PREPROCESSING_KEY  # noqa: E402
from autoscope.perception.onnx_export import export_onnx  # noqa: E402
from autoscope.perception.onnx_network import OnnxNetwork  # noqa: E402
from autoscope.perception.weights import (  # noqa: E402
    read_model,
    stored_form,
    tensors_sha256,
    write_model,
)


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported form beside a copy of the model."""
    model = tmp_path_factory.mktemp("exported") / "disks.safetensors"
    shutil.copy(trained, model)
    found = export_onnx(model, model.with_suffix(".onnx"))
    assert found.largest_difference < 1e-3
    assert sorted(path.name for path in model.parent.iterdir()) == ["disks.onnx", "disks.safetensors"]
    return found.path


@pytest.mark.parametrize("shape", [(64, 96), (61, 33), (1, 40), (40, 1), (150, 90)])
def test_class_maps_are_the_originals(exported: Path, trained: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    theirs = load_segmenter(exported, device="cpu").segment(pixels, 100.0, probability=True)
    ours = load_segmenter(trained, device="cpu", engine="torch").segment(pixels, 100.0, probability=True)
    assert theirs.probability is not None
    assert ours.probability is not None
    assert np.abs(theirs.probability - ours.probability).max() < 2e-3
    sure = ours.probability.max(axis=0) > 0.51
    assert np.array_equal(theirs.labels[sure], ours.labels[sure])


def test_the_file_tells_how_to_use_it(exported: Path) -> None:
    told = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    preprocessing = json.loads(told[PREPROCESSING_KEY])
    assert preprocessing["classes"] == ["ground", "disk"]
    assert (preprocessing["mean"], preprocessing["multiple_of_px"]) == (0.5, 8)
    assert read_card(exported) == read_card(exported.with_suffix(".safetensors"))


def test_auto_takes_the_exported_form_of_the_same_weights_only(exported: Path, tmp_path: Path) -> None:
    def engine(model: Path) -> bool:
        return isinstance(load_segmenter(model, device="cpu")._runner._network, OnnxNetwork)

    assert not engine(exported.with_suffix(".safetensors")), "its posterior needs the layers"
    stored = read_model(exported.with_suffix(".safetensors"))
    tensors = stored_form(stored.network.state_dict())
    bare = {"weights_sha256": tensors_sha256(tensors)}
    (tmp_path / "bare").mkdir()
    model = tmp_path / "bare" / "disks.safetensors"
    write_model(model, tensors, stored.card.without_fits().model_copy(update=bare))
    exported = export_onnx(model, model.with_suffix(".onnx")).path
    assert engine(model)
    alone = tmp_path / "disks.safetensors"
    shutil.copy(model, alone)
    assert not engine(alone)
    with pytest.raises(ConfigurationError, match="segment export"):
        load_segmenter(alone, device="cpu", engine="onnxruntime")
    changed = onnx.load(exported)
    for entry in changed.metadata_props:
        entry.value = entry.value.replace('"steps": 60', '"steps": 61')
        entry.value = entry.value.replace('"steps": 40', '"steps": 41').replace('"steps": 20', '"steps": 21')
    onnx.save(changed, alone.with_suffix(".onnx"))
    assert not engine(alone)
    alone.with_suffix(".onnx").write_bytes(b"cut short")
    assert not engine(alone)


class Wrong(nn.Module):
    """Is not what was exported."""

    def __init__(self, session: object) -> None:
        super().__init__()

    def forward(self, image: Tensor) -> Tensor:
        return torch.full((len(image), 2, *image.shape[-2:]), float("nan"))


def test_a_wrong_export_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "OnnxNetwork", Wrong)
    with pytest.raises(ModelError, match=r"differ from the original's by inf"):
        export_onnx(trained, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_exported_model_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        load_segmenter(tmp_path / "no.onnx", device="cpu")
    bad = tmp_path / "bad.onnx"
    for content in (b"", b"hello", exported.read_bytes()[:-1000]):
        bad.write_bytes(content)
        with pytest.raises(ModelError, match=r"damaged or cut short|no autoscope model card"):
            load_segmenter(bad, device="cpu")
    bare = onnx.load(exported)
    del bare.metadata_props[:]
    onnx.save(bare, bad)
    with pytest.raises(ModelError, match="no autoscope model card"):
        load_segmenter(bad, device="cpu")
    with pytest.raises(ModelError, match="does not know 'pore'"):
        load_segmenter(exported, classes=["pore"], device="cpu")
    with pytest.raises(ConfigurationError, match="run on the processor"):
        load_segmenter(exported, device="cuda")


def test_output_must_be_named_for_what_it_is(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.onnx"):
        export_onnx(trained, tmp_path / "m.pt")
    with pytest.raises(ConfigurationError, match="no such folder"):
        export_onnx(trained, tmp_path / "nowhere" / "m.onnx")
