"""Models are found by what they are, wherever they lie, and whenever they came there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception import read_card, shipped_model, shipped_models
from autoscope.perception.explainer import Explainer
from autoscope.perception.explaining import ExplanationSettings
from autoscope.perception.model_shelf import ModelShelf
from autoscope.perception.weights import add_group


def other_model(path: Path, steps: int) -> str:
    """Writes a model of a card of its own; its hash."""
    path.write_bytes(shipped_model("pearlite").read_bytes())
    return add_group(path, "nothing", {}, steps=steps).sha256


def test_what_is_shipped_is_always_at_hand() -> None:
    shelf = ModelShelf()
    for name in shipped_models():
        assert shelf.find(read_card(shipped_model(name)).sha256) == shipped_model(name)
    assert shelf.find("0" * 64) is None
    assert shelf.find("") is None


def test_a_file_and_a_folder_that_somebody_named(tmp_path: Path) -> None:
    folder, file = tmp_path / "models", tmp_path / "alone.safetensors"
    folder.mkdir()
    first = other_model(folder / "first.safetensors", 1)
    alone = other_model(file, 2)
    (folder / "other.safetensors").write_bytes(b"no model")
    shelf = ModelShelf([folder, file])
    assert shelf.find(first) == folder / "first.safetensors"
    assert shelf.find(alone) == file
    later = other_model(folder / "later.safetensors", 3)
    assert shelf.find(later) == folder / "later.safetensors", "a folder is looked through again"
    new = other_model(file, 4)
    assert (shelf.find(alone), shelf.find(new)) == (None, file), "a file may change"
    file.unlink()
    assert shelf.find(new) is None


def test_further_files_are_asked_for_each_time(tmp_path: Path) -> None:
    further: list[Path] = []
    shelf = ModelShelf(further=lambda: further)
    path = tmp_path / "m.safetensors"
    sha256 = other_model(path, 1)
    assert shelf.find(sha256) is None
    further.append(path)
    assert shelf.find(sha256) == path


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.safetensors: there is no such model file"):
        ModelShelf([tmp_path / "absent.safetensors"])
    with pytest.raises(ConfigurationError, match="this folder holds no segmentation model"):
        ModelShelf([tmp_path])
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"name the \.safetensors file that it was exported from"):
        ModelShelf([tmp_path / "m.onnx"])


def test_a_file_that_became_another_model_explains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    sha256 = other_model(path, 1)
    other_model(path, 2)
    frame = np.zeros((32, 32), np.uint8)
    settings = ExplanationSettings(occlusion_cells=0)
    with pytest.raises(ModelError, match=r"m\.safetensors: the file holds another model by now"):
        Explainer().explain(path, sha256, frame, "pearlite", settings, lambda done, of: None)
