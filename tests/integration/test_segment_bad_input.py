"""Odd and bad input through the command line: a result, or exit status 2 and one sentence, no traceback."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from safetensors.numpy import save_file

from autoscope.app.cli import main
from autoscope.images import read_mask, write_index_png, write_png

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (48, 64), dtype=np.uint8)
Write = Callable[[Path], object]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("pairs")
    for number in range(2):
        mask = (GREY > 128).astype(np.uint8)
        for folder, write, values in (("i", write_png, GREY), ("m", write_index_png, mask)):
            (root / folder).mkdir(exist_ok=True)
            write(root / folder / f"p{number}.png", values)
    return root / "i", root / "m"


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two classes, hardly trained."""
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    arguments = ["--images", str(folders[0]), "--masks", str(folders[1]), "--classes", "dark,bright"]
    small = [
        "--encoder",
        "tu-resnet10t",
        "--decoder",
        "16,8,8",
        "--crop",
        "32",
        "--batch",
        "2",
        "--steps",
        "2",
    ]
    assert main(["segment", "train", *arguments, *small, "-o", str(path), "--json"]) == 0
    return path


@pytest.fixture(scope="module")
def typed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two frame types."""
    root = tmp_path_factory.mktemp("types")
    for name, values in (("noise", GREY), ("flat", GREY // 64 + 100)):
        (root / name).mkdir()
        for number in range(2):
            write_png(root / name / f"{name}{number}.png", np.roll(values, number, axis=0))
    path = root / "types.safetensors"
    assert main(["classify", "train", "--images", str(root), "--backbone", str(model), "-o", str(path)]) == 0
    return path


def refused(arguments: list[object], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs a command that must end with status 2 and one sentence that holds these words."""
    capsys.readouterr()
    assert main([str(part) for part in arguments]) == 2
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("autoscope: error: ")]
    assert lines, error
    assert said in " ".join(lines)
    assert "Traceback" not in error


ODD: dict[str, tuple[str, Write]] = {
    "colour": ("c.png", lambda p: write_png(p, RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8))),
    "16 bit": ("d.tif", lambda p: tifffile.imwrite(p, GREY.astype(np.uint16) * 200)),
    "12 of 16 bit": ("e.png", lambda p: write_png(p, GREY.astype(np.uint16) * 16)),
    "one bit": ("b.png", lambda p: Image.fromarray(GREY > 128).save(p)),
    "one value": ("v.png", lambda p: write_png(p, np.full((48, 64), 77, np.uint8))),
    "one value, 16 bit": ("w.png", lambda p: write_png(p, np.full((48, 64), 60_000, np.uint16))),
    "1 px wide": ("n.png", lambda p: write_png(p, GREY[:, :1])),
    "1 px high": ("h.png", lambda p: write_png(p, GREY[:1])),
    "one pixel": ("o.png", lambda p: write_png(p, GREY[:1, :1])),
    "20 000 px wide": ("l.png", lambda p: write_png(p, np.tile(GREY[:8, :50], (1, 400)))),
    "JPEG": ("j.jpg", lambda p: Image.fromarray(GREY).save(p)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_images_are_segmented_at_their_own_size(name: str, model: Path, tmp_path: Path) -> None:
    file, write = ODD[name]
    write(tmp_path / file)
    out = tmp_path / "out"
    assert main(["segment", "predict", str(model), str(tmp_path / file), "-o", str(out), "--json"]) == 0
    with Image.open(tmp_path / file) as image:
        assert read_mask(out / f"{Path(file).stem}.png").shape == image.size[::-1]
    assert main(["segment", "instances", str(model), str(tmp_path / file), "-o", str(out), "--json"]) == 0


PAGES = np.stack([GREY] * 5)
NAN = np.where(GREY > 200, np.nan, GREY / 255.0).astype(np.float32)
BAD: dict[str, tuple[str, Write, str]] = {
    "float with NaN": ("f.tif", lambda p: tifffile.imwrite(p, NAN), "not 8- or 16-bit grey"),
    "float": ("g.tif", lambda p: tifffile.imwrite(p, np.nan_to_num(NAN)), "not 8- or 16-bit grey"),
    "32 bit": ("i.tif", lambda p: tifffile.imwrite(p, GREY.astype(np.int32)), "not 8- or 16-bit grey"),
    "see-through": ("t.png", lambda p: Image.fromarray(np.dstack([GREY] * 4)).save(p), "transparent"),
    "pages": ("s.tif", lambda p: tifffile.imwrite(p, PAGES, photometric="minisblack"), "s.tif"),
    "empty": ("y.png", lambda p: p.write_bytes(b""), "empty"),
    "text": ("x.png", lambda p: p.write_text("not an image"), "x.png"),
    "cut short": ("k.png", lambda p: (write_png(p, GREY), p.write_bytes(p.read_bytes()[:300])), "k.png"),
    "missing": ("no.png", lambda p: None, "no.png"),
    "a folder": ("dir.png", lambda p: p.mkdir(), "dir.png"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["predict", "instances", "explain", "classify"])
@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_refused(
    name: str, command: str, model: Path, typed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, write, said = BAD[name]
    write(tmp_path / file)
    out = ["-o", tmp_path / "out"]
    arguments: dict[str, list[object]] = {
        "predict": ["segment", "predict", model, tmp_path / file, *out],
        "instances": ["segment", "instances", model, tmp_path / file, *out],
        "explain": ["segment", "explain", model, tmp_path / file, "--class", "bright", *out],
        "classify": ["classify", "predict", typed, tmp_path / file],
    }
    refused(arguments[command], said, capsys)


MASKS: dict[str, tuple[Write, str]] = {
    "unknown value": (lambda p: write_png(p, GREY % 3), "the mask has the value 2, the 2 classes"),
    "0, 1 and 255": (lambda p: write_png(p, np.where(GREY > 200, GREY // 255 + 254, GREY % 2)), "value 25"),
    "coloured": (lambda p: write_png(p, RNG.integers(0, 2, (48, 64, 3), dtype=np.uint8)), "coloured"),
    "another size": (lambda p: write_png(p, GREY[:, :10] % 2), "the mask is 10 x 48 px"),
    "16 bit": (lambda p: write_png(p, GREY.astype(np.uint16) * 5), "must be whole and lie in [0, 255]"),
    "cut short": (lambda p: (write_png(p, GREY), p.write_bytes(p.read_bytes()[:200])), "p1.png"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("name", MASKS)
def test_bad_masks_are_refused(
    name: str,
    command: str,
    model: Path,
    folders: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write, said = MASKS[name]
    write_index_png(tmp_path / "p0.png", (GREY > 128).astype(np.uint8))
    write(tmp_path / "p1.png")
    data = ["--images", folders[0], "--masks", tmp_path]
    if command == "train":
        output = tmp_path / "m.safetensors"
        refused(
            ["segment", "train", *data, "--classes", "dark,bright", "-o", output, "--steps", 1], said, capsys
        )
        assert not output.exists()
    else:
        refused(["segment", "evaluate", model, *data], said, capsys)


WEIGHTS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "cut short": (lambda p, m: p.write_bytes(m.read_bytes()[:-100]), "damaged or cut short"),
    "half": (lambda p, m: p.write_bytes(m.read_bytes()[:2000]), "damaged or cut short"),
    "empty": (lambda p, m: p.write_bytes(b""), "damaged or cut short"),
    "pickle": (lambda p, m: p.write_bytes(pickle.dumps({"w": 1})), "this is a pickle"),
    "zip": (lambda p, m: p.write_bytes(b"PK\x03\x04 and so on"), "this is a pickle"),
    "foreign tensors": (lambda p, m: save_file({"w": np.zeros(2)}, p), "was not written by"),
    "one bit changed": (lambda p, m: p.write_bytes(m.read_bytes()[:-1] + b"\x5a"), "not those that"),
    "missing": (lambda p, m: None, "no such model file"),
    "a folder": (lambda p, m: p.mkdir(), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["predict", "evaluate", "instances", "explain", "export", "classify"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_bad_weights_are_refused(
    name: str,
    command: str,
    model: Path,
    typed: Path,
    folders: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, said = WEIGHTS[name]
    bad, image, out = tmp_path / "bad.safetensors", folders[0] / "p0.png", ["-o", tmp_path / "out"]
    make(bad, typed if command == "classify" else model)
    arguments: dict[str, list[object]] = {
        "predict": ["segment", "predict", bad, image, *out],
        "evaluate": ["segment", "evaluate", bad, "--images", folders[0], "--masks", folders[1]],
        "instances": ["segment", "instances", bad, image, *out],
        "explain": ["segment", "explain", bad, image, "--class", "bright", *out],
        "export": ["segment", "export", bad, "-o", tmp_path / "m.onnx"],
        "classify": ["classify", "predict", bad, image],
    }
    refused(arguments[command], said, capsys)
    assert not (tmp_path / "m.onnx").exists()


def test_models_of_another_kind_or_class_are_refused(
    model: Path, typed: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, out = folders[0] / "p0.png", ["-o", tmp_path / "out"]
    refused(["segment", "predict", typed, image, *out], "no autoscope model card", capsys)
    refused(["classify", "predict", model, image], "no model of frame types", capsys)
    refused(["segment", "instances", model, image, "--class", "pore", *out], "does not know 'pore'", capsys)
    refused(["segment", "instances", model, image, "--rim", "edge", *out], "does not know 'edge'", capsys)
    refused(["segment", "explain", model, image, "--class", "brigth", *out], "bright", capsys)
    refused(["classify", "evaluate", typed, "--images", folders[0].parent], "does not know the types", capsys)


def test_outputs_that_would_do_harm_are_refused(
    model: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = folders[0] / "p0.png"
    refused(["segment", "predict", model, image, "-o", folders[0]], "would overwrite it", capsys)
    refused(
        ["segment", "predict", model, image, folders[1] / "p0.png", "-o", tmp_path], "both be written", capsys
    )
    (tmp_path / "file").write_text("here")
    refused(["segment", "instances", model, image, "-o", tmp_path / "file"], "cannot be made", capsys)
    refused(["segment", "export", model, "-o", tmp_path / "m.pt"], "must end in .onnx", capsys)
    with pytest.raises(SystemExit) as ended:  # argparse
        main(["segment", "instances", str(model), str(image), "-o", str(tmp_path), "--neck", "2"])
    assert ended.value.code == 2
