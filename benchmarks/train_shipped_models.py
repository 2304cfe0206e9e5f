"""Trains the small segmentation models that ship with autoscope, one for each kind of synthetic specimen.

    python benchmarks/train_shipped_models.py [KIND ...] [--out build/shipped] [--device cuda] [--jobs 2]

Frames are taken by the simulated microscope on specimens of seeds that nothing is ever scored on; labels are
the specimens' truth. The last specimens are held out: the printed scores are theirs. Copy the written
``KIND.safetensors`` into ``autoscope/perception/models`` to ship it.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from autoscope.core import ImagingSettings, Rectangle, StagePosition, component_rng
from autoscope.images import write_index_png, write_png
from autoscope.perception import Architecture, Augmentation, Preprocessing, TrainingSettings
from autoscope_simulators import SimulatedMicroscope, SpecimenFile, write_specimen
from autoscope_simulators.synthetic import FIRST_TRAINING_SEED, generate


@dataclass(frozen=True, slots=True)
class Kind:
    """What one model is trained on: classes, pixel size, and how many specimens of which size."""

    classes: tuple[str, ...]
    pixel_nm: float
    size_um: tuple[float, float]
    crop_px: int = 256


KINDS = {
    "pearlite": Kind(("ferrite", "pearlite"), 125.0, (512.0, 512.0)),
    "inclusions": Kind(("matrix", "oxide", "sulphide", "nitride"), 300.0, (768.0, 768.0)),
    "superalloy": Kind(("matrix", "secondary", "tertiary"), 15.0, (40.0, 40.0)),
}
FRAME_PX = 1024
FRAMES_PER_SPECIMEN = 4
DWELLS_US = (1.0, 3.0, 5.0, 10.0)
TRAINING_SPECIMENS, HELD_OUT_SPECIMENS = 14, 3
SMALL = Architecture(encoder="timm-mobilenetv3_small_minimal_100", decoder_channels=(64, 48, 32, 24, 16))


def take_frames(name: str, seed: int, folder: Path) -> None:
    """Images one specimen at several places and dwell times; writes frames and their classes."""
    kind = KINDS[name]
    path = folder / f"{name}-{seed}.h5"
    write_specimen(generate(name, seed=seed, size_um=kind.size_um), path)
    rng = component_rng(seed, "training frames")
    specimen = SpecimenFile(path)
    extent, hfw_um = specimen.extent, FRAME_PX * kind.pixel_nm / 1000
    with SimulatedMicroscope(specimen, seed=seed) as microscope:
        microscope.autofocus()
        for number in range(FRAMES_PER_SPECIMEN):
            x = rng.uniform(extent.x0_um + hfw_um / 2, extent.x1_um - hfw_um / 2)
            y = rng.uniform(extent.y0_um + hfw_um / 2, extent.y1_um - hfw_um / 2)
            microscope.move_to(StagePosition(float(x), float(y)))
            dwell_us = DWELLS_US[number % len(DWELLS_US)]
            frame = microscope.acquire_image(ImagingSettings(hfw_um, FRAME_PX, FRAME_PX, dwell_us))
            stem = f"{name}-{seed}-{number}"
            write_png(folder / "images" / f"{stem}.png", frame.pixels)
            write_index_png(folder / "masks" / f"{stem}.png", classes_under(specimen, frame.position, hfw_um))
    path.unlink()


def classes_under(specimen: SpecimenFile, position: StagePosition, hfw_um: float) -> np.ndarray[Any, Any]:
    """``FRAME_PX x FRAME_PX`` true classes under a frame, the nearest native pixel's."""
    half = hfw_um / 2
    x0, y0 = position.x_um - half, position.y_um - half
    labels = specimen.truth_window(Rectangle(x0, y0, x0 + hfw_um, y0 + hfw_um))
    rows, columns = ((np.arange(FRAME_PX) + 0.5) * n / FRAME_PX for n in labels.shape)
    return labels[rows.astype(np.intp)[:, None], columns.astype(np.intp)[None, :]]


def train_kind(name: str, out: Path, device: str, steps: int, jobs: int) -> dict[str, Any]:
    """Makes the frames, trains, and returns the scores on held-out specimens."""
    from autoscope.perception.training import train

    folder = out / name
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    count = TRAINING_SPECIMENS + HELD_OUT_SPECIMENS
    seeds = [FIRST_TRAINING_SEED + n for n in range(count)]
    if len(list((folder / "masks").iterdir())) < count * FRAMES_PER_SPECIMEN:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            list(pool.map(take_frames, [name] * count, seeds, [folder] * count))
    held_out = tuple(
        f"{name}-{seed}-{n}" for seed in seeds[TRAINING_SPECIMENS:] for n in range(FRAMES_PER_SPECIMEN)
    )
    settings = TrainingSettings(
        architecture=SMALL,
        preprocessing=Preprocessing(kind="full_range"),
        augmentation=Augmentation(contrast=0.3),
        steps=steps,
        batch=16,
        crop_px=KINDS[name].crop_px,
        validation_images=held_out,
    )
    result = train(
        folder / "images", folder / "masks", KINDS[name].classes, out / f"{name}.safetensors",
        settings=settings, device=device,  # type: ignore[arg-type]
    )  # fmt: skip
    scores = {} if result.evaluation is None else result.evaluation.model_dump(mode="json", by_alias=True)
    return {"kind": name, "steps": result.card.steps} | scores


def main() -> None:
    """Trains the models and prints the scores of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("build/shipped"))
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    for name in options.kinds or KINDS:
        scores = train_kind(name, options.out, options.device, options.steps, options.jobs)
        scores.pop("images", None)
        print(json.dumps(scores), flush=True)


if __name__ == "__main__":
    main()
