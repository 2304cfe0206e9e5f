"""The segmentation commands, from folders of images to scores and class maps."""

import json
from pathlib import Path

import numpy as np
import pytest

from autoscope.app.cli import main
from autoscope.images import read_mask, write_index_png, write_png


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eight images of bright blobs with their masks (0 and 255)."""
    root = tmp_path_factory.mktemp("blobs")
    images, masks = root / "images", root / "masks"
    images.mkdir()
    masks.mkdir()
    y, x = np.mgrid[:96, :128]
    for number in range(8):
        rng = np.random.default_rng(number)
        mask = np.zeros((96, 128), bool)
        for _ in range(5):
            cx, cy, r = rng.uniform(0, 128), rng.uniform(0, 96), rng.uniform(6, 16)
            mask |= (x - cx) ** 2 + (y - cy) ** 2 < r**2
        grey = np.where(mask, 170, 80) + rng.normal(0, 12, mask.shape)
        write_png(images / f"b{number}.png", np.clip(grey, 0, 255).astype(np.uint8))
        write_index_png(masks / f"b{number}.png", (mask * 255).astype(np.uint8))
    return images, masks


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "blobs.safetensors"
    status = main(
        ["segment", "train", "--images", str(folders[0]), "--masks", str(folders[1]), "--classes",
         "background,blob", "-o", str(path), "--steps", "120", "--crop", "64", "--encoder",
         "tu-tf_mobilenetv3_small_minimal_100", "--json"]
    )  # fmt: skip
    assert status == 0
    return path


def test_evaluate_prints_what_the_contract_says(
    model: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "confusion.png"
    arguments = ["--images", str(folders[0]), "--masks", str(folders[1]), "--picture", str(picture), "--json"]
    assert main(["segment", "evaluate", str(model), *arguments]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores) >= {"mean_iou", "accuracy", "per_class", "confusion", "images"}
    assert [row["class"] for row in scores["per_class"]] == ["background", "blob"]
    assert set(scores["per_class"][0]) >= {"class", "iou", "precision", "recall", "f1"}
    assert sum(map(sum, scores["confusion"])) == 8 * 96 * 128
    assert scores["mean_iou"] > 0.6
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_predict_writes_index_pngs(model: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    images = sorted(str(path) for path in folders[0].iterdir())[:2]
    assert main(["segment", "predict", str(model), *images, "-o", str(tmp_path / "out")]) == 0
    labels = read_mask(tmp_path / "out" / "b0.png")
    assert labels.shape == (96, 128)
    assert set(np.unique(labels)) <= {0, 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--classes", "one"], "at least"),
        (["--masks", "nowhere"], "nowhere"),
        (["--encoder", "resnet19"], "resnet18"),
    ],
)
def test_bad_training_is_refused(
    change: list[str],
    said: str,
    folders: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {
        "--images": str(folders[0]), "--masks": str(folders[1]), "--classes": "a,b",
        "-o": str(tmp_path / "m.safetensors"), "--steps": "1",
    }  # fmt: skip
    arguments[change[0]] = change[1]
    flat = [part for pair in arguments.items() for part in pair]
    assert main(["segment", "train", *flat]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "m.safetensors").exists()


def test_a_pickle_is_refused_unread(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "model.safetensors"
    bad.write_bytes(b"\x80\x04\x95malice")
    arguments = ["--images", str(folders[0]), "--masks", str(folders[1])]
    assert main(["segment", "evaluate", str(bad), *arguments]) == 2
    assert "pickle" in capsys.readouterr().err


def test_a_recipe_a_start_pretraining_and_adaptation_from_the_command_line(
    folders: tuple[Path, Path], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = map(str, folders)
    encoder, recipe = tmp_path / "encoder.safetensors", tmp_path / "recipe.toml"
    recipe.write_text(
        "steps = 2\nbatch = 2\ncrop_px = 64\n"
        '[architecture]\nencoder = "tu-resnet10t"\n[loss]\npixels = "focal"\n'
    )
    short = ["--set", "crop_px=64", "batch=2", "architecture.encoder=tu-resnet10t"]
    assert main(["segment", "pretrain", "--images", images, "-o", str(encoder), "--steps", "2", *short]) == 0
    data = ["--images", images, "--masks", masks, "--classes", "background,blob", "--json"]
    output = tmp_path / "m.safetensors"
    arguments = ["--recipe", str(recipe), "--encoder-weights", str(encoder), "--set", "loss.balance=0.5"]
    assert main(["segment", "train", *data, "-o", str(output), *arguments]) == 0
    hyperparameters = json.loads(output.with_suffix(".json").read_text())["hyperparameters"]
    assert hyperparameters["loss"]["pixels"] == "focal"
    assert hyperparameters["loss"]["balance"] == 0.5
    assert hyperparameters["steps"] == 2

    finer, adapted = tmp_path / "finer.safetensors", tmp_path / "adapted.safetensors"
    few = ["--steps", "2", "--batch", "2", "--crop", "64"]
    assert main(["segment", "train", *data, "-o", str(finer), "--from", str(model), *few]) == 0
    assert json.loads(finer.with_suffix(".json").read_text())["started_from"]["head"]
    capsys.readouterr()
    assert main(["segment", "adapt", str(finer), "--images", images, "-o", str(adapted), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 8
    scores = ["--images", images, "--masks", masks, "--views", "--json"]
    assert main(["segment", "evaluate", str(adapted), *scores]) == 0
    assert json.loads(capsys.readouterr().out)["mean_iou"] > 0.5


def test_a_misspelt_setting_names_the_nearest(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--images", str(folders[0]), "--masks", str(folders[1]), "--classes", "a,b"]
    output = ["-o", str(tmp_path / "m.safetensors"), "--set", "loss.pixel=focal"]
    assert main(["segment", "train", *arguments, *output]) == 2
    assert "did you mean 'pixels'" in capsys.readouterr().err
