"""Trains the small models for synthetic specimens that come with autoscope.

    python benchmarks/train_shipped_models.py pearlite inclusions superalloy
    python benchmarks/train_shipped_models.py --familiarity    # only fits what the models know as familiar
    python benchmarks/train_shipped_models.py --calibrate      # only calibrates them, on further specimens

Specimens are generated from training seeds only (`FIRST_TRAINING_SEED` and above), imaged through the
simulated microscope at the settings of the shipped configurations with varying dwell and focus, and labelled
with their exact truth. The last specimens are held out; what is printed at the end is the error of the area
fraction on them, which is what a session's result rests on.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ImagingSettings, Rectangle, StagePosition, component_rng
from autoscope.images import write_index_png, write_png
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Architecture, Augmentation, Preprocessing, TrainingSettings
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, write_specimen
from autoscope_simulators.synthetic import FIRST_TRAINING_SEED, generate

CALIBRATION_SPECIMENS, CALIBRATION_FRAMES = (12, 6), 6
"""Fresh specimens that calibration is fitted to, and that it is scored on; frames of each."""
FAMILIAR_FRAMES = 5
"""Frames of each specimen that familiarity is fitted to."""

MODELS = Path(__file__).parents[1] / "autoscope" / "perception" / "models"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the frames of one kind of specimen are taken and learned.

    Attributes:
        hfw_um: of the frames, as in the shipped configuration.
        width_px: likewise; frames are square.
        dwell_us: shortest and longest dwell.
        focus_um: largest error of focus.
        size_um: edge of the specimens.
        specimens: how many are trained on.
        held_out: how many more are held out.
        frames: per specimen.
        aimed: share of the frames that are aimed at a pixel of a class other than the first.
        crop_px: of training.
        batch: of training.
        balanced_share: of training.
    """

    hfw_um: float
    width_px: int
    dwell_us: tuple[float, float]
    focus_um: float
    size_um: float
    specimens: int = 40
    held_out: int = 8
    frames: int = 10
    aimed: float = 0.0
    crop_px: int = 192
    batch: int = 8
    balanced_share: float = 0.25


RECIPES = {
    "pearlite": Recipe(32.0, 256, (1.0, 10.0), 8.0, 200.0),
    "inclusions": Recipe(38.4, 128, (2.0, 10.0), 8.0, 500.0, frames=24, aimed=0.6, crop_px=128, batch=16),
    "superalloy": Recipe(3.84, 256, (3.0, 20.0), 1.5, 20.0),
}


def settings_of(recipe: Recipe, steps: int, held_out: tuple[str, ...]) -> TrainingSettings:
    return TrainingSettings(
        architecture=Architecture(
            encoder="tu-mobilenetv3_small_100", depth=4, decoder_channels=(64, 40, 24, 12)
        ),
        # grey levels keep their meaning from frame to frame: the detector's settings do not change
        preprocessing=Preprocessing(kind="full_range"),
        augmentation=Augmentation(
            free_share=0.3, scale=0.1, elastic_px=0.0, brightness=0.03, contrast=0.08, gamma=0.05,
            blur_px=0.6, noise=0.02,
        ),
        steps=steps, batch=recipe.batch, crop_px=recipe.crop_px, balanced_share=recipe.balanced_share,
        learning_rate=3e-3, dice_weight=0.5, validation_images=held_out, validate_every=200, patience=8,
        pixel_nm=recipe.hfw_um * 1000.0 / recipe.width_px,
    )  # fmt: skip


def render(
    kind: str, folder: Path, *, frames_each: int | None = None, fresh: int = 0
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Images and labels to files; returns the class names and the names of the frames held out.

    With ``fresh`` they are of so many specimens beyond those, neither trained on nor held out.
    """
    recipe = RECIPES[kind]
    recipe = replace(recipe, frames=frames_each or recipe.frames)
    used = recipe.specimens + recipe.held_out
    numbers = range(used, used + fresh) if fresh else range(used)
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    held_out: list[str] = []
    names: tuple[str, ...] = ()
    for number in numbers:
        seed = FIRST_TRAINING_SEED + number
        data = generate(kind, seed=seed, size_um=(recipe.size_um, recipe.size_um))
        path = folder / "specimen.h5"
        path.unlink(missing_ok=True)
        write_specimen(data, path)
        names = data.class_names
        for index, (pixels, labels) in enumerate(frames(path, data.classes, recipe, seed)):
            name = f"{kind}-{seed}-{index}"
            write_png(folder / "images" / f"{name}.png", pixels)
            write_index_png(folder / "masks" / f"{name}.png", labels)
            if number >= recipe.specimens:
                held_out.append(name)
        print(f"{kind}: specimen {number + 1} of {numbers.stop}", flush=True)
    return names, tuple(held_out)


def frames(
    path: Path, classes: NDArray[np.uint8] | None, recipe: Recipe, seed: int
) -> Iterator[tuple[Pixels, NDArray[np.uint8]]]:
    """Frames of a specimen and the true class of their pixels."""
    rng = component_rng(seed, "training frames")
    for _ in range(recipe.frames):
        imperfections = Imperfections(
            focus_offset_um=float(rng.uniform(-recipe.focus_um, recipe.focus_um)),
            focus_drift_um=0.0,
            stage_drift_um=0.0,
        )
        with SpecimenFile(path) as specimen:
            microscope = SimulatedMicroscope(
                specimen, seed=int(rng.integers(2**31)), imperfections=imperfections
            )
            x_um, y_um = place(rng, specimen, classes, recipe)
            microscope.move_to(StagePosition(x_um, y_um))
            low, high = (math.log(value) for value in recipe.dwell_us)
            dwell_us = math.exp(rng.uniform(low, high))
            frame = microscope.acquire_image(
                ImagingSettings(recipe.hfw_um, recipe.width_px, recipe.width_px, dwell_us)
            )
            half = recipe.hfw_um / 2
            truth = specimen.truth_window(Rectangle(x_um - half, y_um - half, x_um + half, y_um + half))
            rows, columns = (nearest_px(length, recipe.width_px) for length in truth.shape)
            yield frame.pixels, truth[np.ix_(rows, columns)]


def nearest_px(native: int, wanted: int) -> NDArray[np.intp]:
    return np.floor((np.arange(wanted) + 0.5) * native / wanted).astype(np.intp)


def place(
    rng: np.random.Generator,
    specimen: SpecimenFile,
    classes: NDArray[np.uint8] | None,
    recipe: Recipe,
) -> tuple[float, float]:
    """A place for a frame that lies inside the specimen, on the native pixels' raster, um."""
    pixel_um, half = specimen.pixel_nm / 1000.0, recipe.hfw_um / 2
    xy = rng.uniform(half, recipe.size_um - half, 2)
    if classes is not None and rng.random() < recipe.aimed:
        rows, columns = np.nonzero(classes)
        if len(rows):
            chosen = rng.integers(len(rows))
            aimed = np.array([columns[chosen], rows[chosen]]) * pixel_um + rng.uniform(-half, half, 2) * 0.8
            xy = np.clip(aimed, half, recipe.size_um - half)
    corner = np.round((xy - half) / pixel_um) * pixel_um
    corner = np.clip(corner, 0.0, recipe.size_um - recipe.hfw_um)
    return float(corner[0] + half), float(corner[1] + half)


def train_kind(kind: str, steps: int, output: Path) -> None:
    from autoscope.perception.training import train

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classes, held_out = render(kind, folder)
        settings = settings_of(RECIPES[kind], steps, held_out)

        def progress(now: object) -> None:
            if now.step % 50 == 0:  # type: ignore[attr-defined]
                print(f"{kind}: {now}", flush=True)

        path = output / f"{kind}.safetensors"
        result = train(
            folder / "images", folder / "masks", classes, path, settings=settings, progress=progress
        )
    found = result.evaluation
    if found is None:
        raise SystemExit("no specimens were held out")
    print(
        f"\n{kind}: {path.stat().st_size / 1e6:.2f} MB, mean IoU {found.mean_iou:.4f} on held-out specimens"
    )
    for index, score in enumerate(found.per_class):
        fractions = [image.area_fractions[index] for image in found.images]
        errors = np.array([f.error for f in fractions])
        truth = np.mean([f.truth for f in fractions])
        seeds = np.array([int(image.image.split("-")[1]) for image in found.images])
        by_specimen = ", ".join(f"{errors[seeds == s].mean():+.4f}" for s in np.unique(seeds))
        iou = float("nan") if score.iou is None else score.iou
        print(
            f"  {score.class_name:<12} IoU {iou:.4f}  area fraction {truth:.4f}, mean error"
            f" {errors.mean():+.5f}, rms of a frame {np.sqrt((errors**2).mean()):.5f}\n"
            f"    mean error by specimen: {by_specimen}"
        )


def fit_familiarity_of(kind: str, output: Path) -> None:
    """Renders frames as for training and fits the familiarity of the model that is there already."""
    from autoscope.images import read_micrograph
    from autoscope.perception.familiarity_fitting import fit_familiarity

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render(kind, folder, frames_each=FAMILIAR_FRAMES)
        files = sorted((folder / "images").iterdir())
        pixels = (read_micrograph(file).pixels for file in files)
        card = fit_familiarity(output / f"{kind}.safetensors", pixels)
    print(f"{kind}: {card.familiarity}")


def calibrate_kind(kind: str, output: Path) -> None:
    """Calibrates the model that is there already on fresh specimens, and prints how it does on others."""
    from autoscope.perception.calibrating import calibrate_on, uncalibrated
    from autoscope.perception.evaluation import evaluate_segmenter
    from autoscope.perception.library import load_segmenter
    from autoscope.perception.network import NetworkSegmenter
    from autoscope.perception.pairs import find_pairs, read_pair

    model = output / f"{kind}.safetensors"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classes, _ = render(kind, folder, frames_each=CALIBRATION_FRAMES, fresh=sum(CALIBRATION_SPECIMENS))
        images = [read_pair(pair, classes) for pair in find_pairs(folder / "images", folder / "masks")]
    count = CALIBRATION_SPECIMENS[0] * CALIBRATION_FRAMES
    plain = uncalibrated(model)
    card = calibrate_on(model, images[:count], keep_labels=True)
    calibrated = load_segmenter(model, engine="torch")
    if not isinstance(calibrated, NetworkSegmenter) or card.calibration is None:
        raise SystemExit(f"{model} is no network")
    for name, segmenter in (("before", plain), ("after", calibrated)):
        found = evaluate_segmenter(segmenter, images[count:], plain=plain).reliability
        if found is not None:
            covered = "" if found.area_coverage is None else f", intervals hold {found.area_coverage:.3f}"
            print(
                f"{kind} {name}: ECE {found.ece:.4f}, NLL {found.nll:.4f}, AUROC of errors"
                f" {found.error_auroc:.3f}, of the plain softmax {found.error_auroc_softmax:.3f}{covered}"
            )
    fitted = card.calibration
    print(f"{kind}: temperature {fitted.temperature:.2f}, scale of the posterior {fitted.posterior_scale}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=sorted(RECIPES), default=sorted(RECIPES))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("-o", "--output", type=Path, default=MODELS)
    parser.add_argument("--familiarity", action="store_true", help="fit only the familiarity of models there")
    parser.add_argument("--calibrate", action="store_true", help="only calibrate the models there")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for kind in args.kinds:
        if args.familiarity:
            fit_familiarity_of(kind, args.output)
        elif args.calibrate:
            calibrate_kind(kind, args.output)
        else:
            train_kind(kind, args.steps, args.output)


if __name__ == "__main__":
    main()
