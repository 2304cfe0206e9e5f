from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from autoscope.core import ModelError
from autoscope.perception import Architecture, load_segmenter, read_card, shipped_model
from autoscope.perception.architecture import build_network
from autoscope.perception.card import CARD_KEY
from autoscope.perception.encoder_weights import load_encoder_weights
from autoscope.perception.weights import add_group, read_model, stored_form, tensors_sha256

TINY = Architecture(encoder="tu-resnet10t", depth=3, decoder_channels=(16, 8, 8))


def test_a_lone_file_carries_its_card(trained: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes(trained.read_bytes())
    assert read_card(lone) == read_card(trained)
    assert load_segmenter(lone, device="cpu").sha256 == read_card(trained).sha256
    beside = json.loads(trained.with_suffix(".json").read_text())
    assert beside["schema"] == "autoscope.segmentation-model/1"
    assert beside["classes"] == ["ground", "disk"]


def test_a_file_cut_short_is_refused(trained: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    whole = trained.read_bytes()
    for size in (0, 4, 1000, len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"cut\.safetensors: the model file is damaged or cut short"):
            read_card(cut)
        with pytest.raises(ModelError, match="cut short"):
            load_segmenter(cut)


def test_weights_that_were_changed_are_refused(trained: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "m.safetensors"
    content = bytearray(trained.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ModelError, match="not those that the model card describes"):
        load_segmenter(damaged)


def test_a_group_travels_in_the_file_and_changes_what_the_model_is(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(trained.read_bytes())
    before = read_model(path)
    first = add_group(path, "trial", {"mean": torch.arange(3.0), "scale": torch.ones(2)}, steps=99)
    second = add_group(path, "trial", {"mean": torch.arange(4.0)})
    after = read_model(path)
    assert "trial" not in before.groups
    assert after.groups.keys() == before.groups.keys() | {"trial"}
    assert list(after.groups["trial"]) == ["mean"]
    assert torch.equal(after.groups["trial"]["mean"], torch.arange(4.0))
    assert after.card == second
    assert after.card.steps == 99
    assert len({before.card.sha256, first.sha256, second.sha256}) == 3
    for name, value in before.network.state_dict().items():
        assert torch.equal(after.network.state_dict()[name], value)


class Evil:
    """Would make a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    plain, zipped = tmp_path / "plain.safetensors", tmp_path / "zipped.safetensors"
    plain.write_bytes(pickle.dumps(Evil(trace)))
    torch.save({"w": Evil(trace)}, zipped)
    for path in (plain, zipped):
        with pytest.raises(ModelError, match="is a pickle"):
            read_card(path)
        with pytest.raises(ModelError, match="is a pickle"):
            load_segmenter(path)
    with pytest.raises(ModelError, match="more than plain tensors"):
        load_encoder_weights(build_network(TINY, 2), zipped.rename(tmp_path / "zipped.pth"))
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [b"seed = 7\n[microscope]\n", b"hello", b"", b"\x80\x04", b"u", b"G12", b"h\x01"]
)
def test_encoder_weights_that_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.pth: the checkpoint (holds more|is damaged)"):
        load_encoder_weights(build_network(TINY, 2), path)


def test_a_header_whose_length_looks_like_a_pickle_is_read(trained: Path, tmp_path: Path) -> None:
    card, path = read_card(trained), tmp_path / "m.safetensors"
    lengths = set()
    for padding in range(0, 264, 8):
        metadata = {CARD_KEY: card.to_json(indent=None), "padding": " " * padding}
        save_file({"w": torch.zeros(2)}, path, metadata=metadata)
        lengths.add(path.read_bytes()[0])
        assert read_card(path) == card
    assert 0x80 in lengths


def test_missing_file_folder_and_foreign_tensors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such model file"):
        read_card(tmp_path / "no.safetensors")
    with pytest.raises(ModelError, match="cannot be read"):
        read_card(tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(2)}, foreign)
    with pytest.raises(ModelError, match="no autoscope model card"):
        read_card(foreign)


def test_a_card_of_another_version_is_refused(trained: Path, tmp_path: Path) -> None:
    card = json.loads(read_card(trained).to_json())
    path = tmp_path / "m.safetensors"
    for change, message in (
        ({"schema": "autoscope.segmentation-model/9"}, "model/9"),
        ({"classes": ["one"]}, "classes"),
        ({"colour": "blue"}, "colour"),
    ):
        save_file({"w": torch.zeros(2)}, path, metadata={CARD_KEY: json.dumps(card | change)})
        with pytest.raises(ModelError, match=message):
            read_card(path)


def test_weights_of_another_network_are_refused(trained: Path, tmp_path: Path) -> None:
    tensors = load_file(trained)
    tensors.pop(sorted(tensors)[0])
    card = read_card(trained).model_copy(update={"weights_sha256": tensors_sha256(tensors)})
    path = tmp_path / "m.safetensors"
    save_file(tensors, path, metadata={CARD_KEY: card.to_json()})
    with pytest.raises(ModelError, match="do not fit the tu-resnet10t U-Net"):
        load_segmenter(path)


def test_a_model_for_other_classes_is_refused(trained: Path) -> None:
    with pytest.raises(
        ModelError, match=r"made for the classes ground, disk; .* 'dsk' \(did you mean 'disk'\?\)"
    ):
        load_segmenter(trained, classes=["ground", "dsk"])


def test_stored_weights_are_half_precision_where_that_holds_them() -> None:
    stored = stored_form({"a": torch.tensor([0.1]), "b": torch.tensor([1e6]), "n": torch.tensor(3)})
    assert (stored["a"].dtype, stored["b"].dtype, stored["n"].dtype) == (
        torch.float16, torch.float32, torch.int64,
    )  # fmt: skip
    assert stored["b"].item() == 1e6


def test_the_hash_of_weights_sees_names_shapes_and_values() -> None:
    base = {"a": torch.zeros(2, 3)}
    others = [{"b": torch.zeros(2, 3)}, {"a": torch.zeros(3, 2)}, {"a": torch.ones(2, 3)}]
    hashes = {tensors_sha256(tensors) for tensors in [base, *others]}
    assert len(hashes) == 4


def encoder_of(network: torch.nn.Module) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict(network.get_submodule("encoder").state_dict())


def test_encoder_weights_by_name_with_colour_stem_and_prefix(tmp_path: Path) -> None:
    source, target = build_network(TINY, 2), build_network(TINY, 2)
    state = encoder_of(source)
    stem = next(iter(state))
    state[stem] = state[stem].repeat(1, 3, 1, 1) / 3
    checkpoint = {f"module.{name.removeprefix('model.')}": tensor for name, tensor in state.items()}
    checkpoint["module.fc.weight"] = torch.zeros(10, 5)
    torch.save({"state_dict": checkpoint, "epoch": 3}, tmp_path / "w.pth")
    found = load_encoder_weights(target, tmp_path / "w.pth")
    assert found.matched == found.total
    for name, tensor in encoder_of(target).items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensor, encoder_of(source)[name])


def test_encoder_weights_by_order_where_names_are_foreign(tmp_path: Path) -> None:
    source, target = build_network(TINY, 2), build_network(TINY, 2)
    foreign = OrderedDict((f"layer_{n}", t) for n, t in enumerate(encoder_of(source).values()) if t.ndim)
    torch.save(foreign, tmp_path / "w.pth")
    found = load_encoder_weights(target, tmp_path / "w.pth")
    assert found.matched == found.total == len(foreign)
    name = next(iter(encoder_of(target)))
    assert torch.equal(encoder_of(target)[name], encoder_of(source)[name])


def test_encoder_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    other = build_network(Architecture(encoder="tu-lcnet_050", depth=3, decoder_channels=(8, 8, 8)), 2)
    torch.save(encoder_of(other), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"w\.pth: \d+ of the encoder's \d+ tensors match"):
        load_encoder_weights(build_network(TINY, 2), tmp_path / "w.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:500])
    with pytest.raises(ModelError, match=r"cut\.pth"):
        load_encoder_weights(build_network(TINY, 2), tmp_path / "cut.pth")
    with pytest.raises(ModelError, match="no such file of encoder weights"):
        load_encoder_weights(build_network(TINY, 2), tmp_path / "none.pth")


def test_shipped_models() -> None:
    with pytest.raises(ModelError, match="no model 'unobtainium' comes with autoscope"):
        shipped_model("unobtainium")


def test_the_shipped_model_of_pearlite_knows_its_classes() -> None:
    path = shipped_model("pearlite")
    assert path.stat().st_size < 5e6
    assert read_card(path).classes == ("ferrite", "pearlite")
    frame = np.full((256, 256), 90, np.uint8)
    assert load_segmenter(path, device="cpu").segment(frame, 125.0).labels.shape == (256, 256)
