"""Average precision of instances on the powder micrographs and on the melt-pool strips.

    python benchmarks/instances.py --powder --encoder-weights FILE --out build/instances
    python benchmarks/instances.py --powder --things satellite --encoder-weights FILE
    python benchmarks/instances.py --meltpool M.safetensors

Powder: particles, or the satellites on them alone, that were outlined by hand. The images of one specimen
are left out; a segmenter with classes for the inside and the rim of these things is trained on the others at
half scale, and what it finds on those left out is scored. A second call trains nothing anew. Melt pools: the
connected components of the hand-made masks, on the strips that the given model never saw.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from powder import THINGS, annotated, classes_of, instances, write_scaled
from scipy.ndimage import label

from autoscope.images import read_mask, read_micrograph
from autoscope.perception import Architecture, Segmentation, TrainingSettings, load_segmenter, read_card
from autoscope.perception.average_precision import FramePair, average_precision
from autoscope.perception.instances import InstanceSettings, find_instances

SCALE = 0.5
MELT_POOL = {
    "components": InstanceSettings(class_name="melt_pool", split="none"),
    "necks": InstanceSettings(class_name="melt_pool", split="distance"),
    "components, 20 px": InstanceSettings(class_name="melt_pool", split="none", min_diameter_px=20.0),
    "necks, 20 px": InstanceSettings(class_name="melt_pool", split="distance", min_diameter_px=20.0),
}
Truths = list[tuple[NDArray[np.int32], Segmentation]]


def powder_ways(thing: str) -> dict[str, InstanceSettings]:
    """How things are taken apart."""
    of_powder = partial(InstanceSettings, class_name=thing, rim="rim")
    return {
        "components": of_powder(split="none"),
        "necks": of_powder(split="distance"),
        "learned rim": of_powder(split="probability"),
        "learned rim, 0.7": of_powder(split="probability", seed_probability=0.7),
    }


def powder(args: argparse.Namespace) -> None:
    every = annotated(args.data / "powder", args.things)
    for specimen in args.specimens or sorted({one.specimen for one in every}):
        name = specimen if args.things == "particle" else f"{specimen}-{args.things}"
        folder, model = args.out / name, args.out / f"{name}.safetensors"
        for one in every:
            part = folder / ("test" if one.specimen == specimen else "train")
            for inner in ("i", "m"):
                (part / inner).mkdir(parents=True, exist_ok=True)
            write_scaled(one, SCALE, part / "i", part / "m")
        if not model.exists():
            _train(folder / "train", model, args)
        segmenter = load_segmenter(model)
        found: Truths = []
        for one in every:
            if one.specimen == specimen:
                pixels = read_micrograph(folder / "test" / "i" / f"{one.name}.png").pixels
                truth = instances(one, pixels.shape, SCALE)
                found.append((truth, segmenter.segment(pixels, None, probability=True)))
        table(f"powder {args.things}s, specimen {specimen} left out", found, powder_ways(args.things))


def meltpool(args: argparse.Namespace) -> None:
    seen = {file.name for file in read_card(args.meltpool).training_data}
    segmenter = load_segmenter(args.meltpool)
    found: Truths = []
    for strip in sorted((args.data / "meltpool" / "strips").glob("*.png")):
        if strip.stem not in seen:
            mask = read_mask(args.data / "meltpool" / "strip_masks" / strip.name) > 0
            truth = label(mask, structure=np.ones((3, 3)))[0].astype(np.int32)
            pixels = read_micrograph(strip).pixels
            found.append((truth, segmenter.segment(pixels, None, probability=True)))
    table(f"melt pools, {len(found)} strips that the model never saw", found, MELT_POOL)


def table(title: str, frames: Truths, ways: dict[str, InstanceSettings]) -> None:
    print(f"\n{title}")
    heads = "".join(f"{name:>8}" for name in ("AP50", "AP75", "AP", "recall"))
    print(f"{'taken apart by':<20}{'true':>6}{'found':>7}{heads}{'precision':>11}")
    for name, settings in ways.items():
        scores = average_precision(_pairs(frames, settings))
        numbers = (scores.ap50, scores.ap75, scores.ap, scores.recall50)
        shown = "".join("       -" if n is None else f"{n:8.3f}" for n in numbers)
        precision = "-" if scores.precision50 is None else f"{scores.precision50:.3f}"
        print(f"{name:<20}{scores.true:>6}{scores.found:>7}{shown}{precision:>11}")


def _pairs(frames: Truths, settings: InstanceSettings) -> Iterable[FramePair]:
    for truth, segmentation in frames:
        found = find_instances(segmentation, settings)
        yield FramePair(truth, found.numbered, found.confidence)


def _train(folder: Path, model: Path, args: argparse.Namespace) -> None:
    from autoscope.perception.training import train

    settings = TrainingSettings(
        architecture=Architecture(encoder="tu-tf_efficientnet_lite0", decoder_channels=(128, 64, 48, 32, 16)),
        steps=args.steps,
        validation_share=0.0,
    )
    train(
        folder / "i", folder / "m", classes_of(args.things), model,
        settings=settings, encoder_weights=args.encoder_weights,
        progress=lambda now: print(f"step {now.step} of {now.steps}, loss {now.loss:.3f}")
        if now.step % 20 == 0 else None,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    data = Path(os.environ.get("AUTOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--powder", action="store_true")
    parser.add_argument("--things", choices=THINGS, default="particle", help="outlined in the powder")
    parser.add_argument("--specimens", nargs="+", metavar="NAME", help="which to leave out (default: each)")
    parser.add_argument("--encoder-weights", type=Path, help="EfficientNet-lite0 checkpoint")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("build/instances"))
    parser.add_argument("--meltpool", type=Path, metavar="M.safetensors")
    args = parser.parse_args()
    if args.powder:
        powder(args)
    if args.meltpool is not None:
        meltpool(args)


if __name__ == "__main__":
    main()
