"""Uncertainty on whole specimens left out: calibration, intervals of area fractions, and what it costs.

    python benchmarks/uncertainty_folds.py --models build/segmentation_folds     # what is missing first
    python benchmarks/uncertainty_folds.py --models build/segmentation_folds --table

Takes the models that ``segmentation_folds.py`` trained. These saw every image but those of their own fold, so
that no image is left to calibrate them on; each is calibrated on what the models of the *other* folds of the
series say of the images that *they* were not trained on. No label of a fold's images takes part in its own
calibration, except that the other models learned from them. Finished folds are not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segmentation_folds import SERIES

from autoscope.perception.calibrating import (
    fit_calibration,
    fit_deviations,
    store_calibration,
    uncalibrated,
)
from autoscope.perception.evaluation import area_intervals, evaluate_segmenter
from autoscope.perception.held_out import HeldOutImage, observe
from autoscope.perception.library import load_segmenter
from autoscope.perception.network import NetworkSegmenter
from autoscope.perception.pairs import LabelledImage, find_pairs, read_pair

CURVATURE_IMAGES = 6
"""Training images from which the curvature of a model's posterior is computed."""
ROUNDS = 7
RESAMPLED = 1000
"""Draws of a fold's images with replacement."""
LEVELS = 1024
"""Into so many levels error probabilities and entropies are sorted for that."""


class Remembering(torch.nn.Module):
    """A U-Net that decodes an image once however often it is asked; its last layers always run.

    Args:
        network: the whole.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.segmentation_head = network.get_submodule("segmentation_head")
        self._whole, self._decoded, self._reduction = network, {}, int(getattr(network, "reduction", 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores, as the whole gives them."""
        key = hashlib.sha256(image.cpu().contiguous().numpy().tobytes()).digest()
        if key not in self._decoded:
            seen = torch.nn.functional.avg_pool2d(image, self._reduction)
            features = self._whole.get_submodule("encoder")(seen)
            self._decoded[key] = self._whole.get_submodule("decoder")(features)
        return self.segmentation_head(self._decoded[key])


def images_of(name: str, data: Path) -> list[LabelledImage]:
    pairs = find_pairs(data / name / "images", data / name / "masks")
    return [read_pair(pair, SERIES[name].classes) for pair in pairs]


def look(name: str, models: dict[int, Path], images: list[LabelledImage]) -> dict[int, Any]:
    """By fold: what its model says of the images that it did not see, and the draws of its last layer."""
    seen = {}
    for fold, path in models.items():
        plain = uncalibrated(path)
        segmenter = NetworkSegmenter(Remembering(plain.network), plain.card)
        left_out = SERIES[name].folds[fold]
        trained = [image for image in images if not image.name.startswith(left_out)][:CURVATURE_IMAGES]
        deviations = fit_deviations(plain, [observe(plain, image) for image in trained])
        held_out = [observe(segmenter, image) for image in images if image.name.startswith(left_out)]
        seen[fold] = (held_out, deviations, segmenter.network)
        print(f"{name} {fold}: {len(held_out)} images looked at", flush=True)
    return seen


def run_fold(name: str, fold: int, seen: dict[int, Any], images: list[LabelledImage], args: Any) -> None:
    others = [(image, draws) for other, (those, draws, _) in seen.items() if other != fold for image in those]
    held_out: list[HeldOutImage] = [image for image, _ in others]
    calibration = fit_calibration(SERIES[name].classes, held_out, [draws for _, draws in others])
    model = args.out / f"{name}-{fold}.safetensors"
    shutil.copy(args.models / model.name, model)
    store_calibration(model, calibration, seen[fold][1])
    stored = load_segmenter(model)
    segmenter = NetworkSegmenter(seen[fold][2], stored.card, deviations=seen[fold][1])
    tested = [image for image in images if image.name.startswith(SERIES[name].folds[fold])]
    found = evaluate_segmenter(segmenter, tested, plain=segmenter.plain())
    before = evaluate_segmenter(segmenter.plain(), tested, plain=segmenter.plain())
    content = {
        "calibration": calibration.model_dump(mode="json", by_alias=True),
        "evaluation": found.model_dump(mode="json", by_alias=True),
        "uncalibrated": before.model_dump(mode="json", by_alias=True),
        "pixels": sum(image.labels.size for image in tested),
        "cost": cost(stored, tested[0]),
        "found": {
            image.name: suspicions(segmenter, image, len(calibration.offsets)).tolist() for image in tested
        },
    }
    (args.out / f"{name}-{fold}.json").write_text(json.dumps(content, indent=2))


def cost(segmenter: NetworkSegmenter, image: LabelledImage) -> float:
    """Processor time with uncertainty over that without, median of rounds that alternate, 512 x 512 px."""
    pixels, ratios = image.micrograph.pixels[:512, :512], []
    for _ in range(ROUNDS):
        times = []
        for uncertainty in (False, True):
            began = time.process_time()
            segmenter.segment(pixels, None, uncertainty=uncertainty)
            times.append(time.process_time() - began)
        ratios.append(times[1] / times[0])
    return statistics.median(ratios)


def result_of(file: Path) -> dict[str, Any] | None:
    """A fold's result; None where there is none yet, or only the card of its calibrated model."""
    content = json.loads(file.read_text()) if file.exists() else {}
    return content if "evaluation" in content else None


def run_frames(name: str, fold: int, args: Any) -> None:
    """Intervals of frames as a session takes them: the fold's images cut into pieces of a crop's size."""
    series, model = SERIES[name], args.out / f"{name}-{fold}.safetensors"
    file = args.out / f"{name}-{fold}-frames.json"
    if file.exists() or not model.exists():
        return
    segmenter, covered = load_segmenter(model), []
    for image in images_of(name, args.data):
        if image.name.startswith(series.folds[fold]):
            for pixels, labels in frames_of(image, series.crop_px):
                truth = np.bincount(labels.ravel(), minlength=len(series.classes)) / labels.size
                found = segmenter.segment(pixels, None, uncertainty=True)
                covered += [bool(one.covered) for one in area_intervals(found, truth.tolist())]
    file.write_text(json.dumps({"covered": covered}))


def frames_of(image: LabelledImage, edge_px: int) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8]]]:
    """Pixels and labels of the whole frames that an image can be cut into."""
    height, width = image.labels.shape
    for top in range(0, height - edge_px + 1, edge_px):
        for left in range(0, width - edge_px + 1, edge_px):
            part = (slice(top, top + edge_px), slice(left, left + edge_px))
            yield np.ascontiguousarray(image.micrograph.pixels[part]), image.labels[part]


def suspicions(segmenter: NetworkSegmenter, image: LabelledImage, classes: int) -> NDArray[np.int64]:
    """``2 x 2 x levels`` pixels: by error map and by the plain softmax's entropy, the right and the wrong."""
    found = segmenter.segment(image.micrograph.pixels, None, uncertainty=True)
    plain = segmenter.plain().segment(image.micrograph.pixels, None, uncertainty=True).uncertainty
    if found.uncertainty is None or plain is None:
        raise SystemExit("the model cannot tell how unsure it is")
    ours = found.uncertainty.error
    largest = np.log(classes)
    shares = (found.uncertainty.total / largest if ours is None else ours, plain.total / largest)
    wrong = (found.labels != image.labels).ravel()
    levels = [np.minimum(np.sqrt(s.astype(np.float32).ravel()) * LEVELS, LEVELS - 1) for s in shares]
    counts = [np.bincount(level.astype(int) + LEVELS * wrong, minlength=2 * LEVELS) for level in levels]
    return np.stack(counts).reshape(2, 2, LEVELS)


def area(counts: NDArray[np.int64]) -> float:
    """Under the curve of pixels in ``2 x levels``, the right ones and the wrong."""
    right, wrong = counts.astype(float)
    return float((wrong * (np.cumsum(right) - 0.5 * right)).sum() / (right.sum() * wrong.sum()))


def gain(results: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Mean over the folds of the area gained on the plain softmax, and its 90 % interval over the images."""
    folds = [np.array(list(result["found"].values())) for result in results]
    rng, drawn = np.random.default_rng(0), []
    for number in range(RESAMPLED + 1):
        sums = [f.sum(0) if not number else f[rng.integers(len(f), size=len(f))].sum(0) for f in folds]
        drawn.append(np.mean([area(ours) - area(plain) for ours, plain in sums]))
    low, high = np.quantile(drawn[1:], (0.05, 0.95))
    return float(drawn[0]), float(low), float(high)


def pooled_ece(results: list[dict[str, Any]], which: str) -> float:
    """Over all pixels of all folds."""
    pixels = np.array([result["pixels"] for result in results], dtype=float)
    gaps = np.zeros(15)
    for result, weight in zip(results, pixels / pixels.sum(), strict=True):
        for number, one in enumerate(result[which]["reliability"]["bins"]):
            if one["confidence"] is not None:
                gaps[number] += weight * one["share"] * (one["confidence"] - one["accuracy"])
    return float(np.abs(gaps).sum())


def table(args: argparse.Namespace) -> None:
    covered: list[bool] = []
    of_frames: list[bool] = []
    print(
        f"{'series, fold':<16}{'mean IoU':>9}{'':>9}{'ECE':>8}{'':>9}{'NLL':>8}{'':>9}{'AUROC':>8}"
        f"{'softmax':>9}{'covered':>9}{'cost':>6}{'T':>7}{'scale':>7}"
    )
    print("(left of each pair: without calibration; AUROC and softmax find the same wrong pixels)")
    for name in args.series:
        files = [args.out / f"{name}-{fold}.json" for fold in range(3)]
        found = {file: result for file in files if (result := result_of(file)) is not None}
        results = list(found.values())
        of_series: list[bool] = []
        for file, result in found.items():
            before, after = result["uncalibrated"], result["evaluation"]
            old, new = before["reliability"], after["reliability"]
            inside = [one["covered"] for image in after["images"] for one in image["area_intervals"]]
            of_series += inside
            print(
                f"{file.stem:<16}{before['mean_iou']:>9.3f}{after['mean_iou']:>9.3f}{old['ece']:>8.4f}"
                f"{new['ece']:>9.4f}{old['nll']:>8.4f}{new['nll']:>9.4f}{new['error_auroc']:>8.3f}"
                f"{new['error_auroc_softmax']:>9.3f}{np.mean(inside):>9.3f}{result['cost']:>6.2f}"
                f"{result['calibration']['temperature']:>7.2f}{result['calibration']['posterior_scale']:>7.3f}"
            )
        if not results:
            continue
        gained, low, high = gain(results)
        aurocs = [
            np.mean([r["evaluation"]["reliability"][key] for r in results])
            for key in ("error_auroc", "error_auroc_softmax")
        ]
        print(
            f"{name}, pixels pooled: ECE {pooled_ece(results, 'uncalibrated'):.4f} before,"
            f" {pooled_ece(results, 'evaluation'):.4f} after (wanted: 0.03); AUROC, mean of folds"
            f" {aurocs[0]:.3f} (wanted: 0.90), plain softmax {aurocs[1]:.3f},"
            f" gain {gained:.3f} (90 % over the images: {low:.3f} to {high:.3f});"
            f" intervals hold {sum(of_series)} of {len(of_series)}"
        )
        cut = [args.out / f"{name}-{fold}-frames.json" for fold in range(3)]
        frames = [one for file in cut if file.exists() for one in json.loads(file.read_text())["covered"]]
        print(f"frames cut from its images: intervals hold {sum(frames)} of {len(frames)}\n")
        covered, of_frames = covered + of_series, of_frames + frames
    if covered and of_frames:
        print(
            f"all series: 90 % intervals of area fractions hold {sum(covered)} of {len(covered)}:"
            f" {np.mean(covered):.3f} (wanted: 0.85 to 0.95); of frames cut from the images"
            f" {sum(of_frames)} of {len(of_frames)}: {np.mean(of_frames):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    data = Path(os.environ.get("AUTOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--models", type=Path, default=Path("build/segmentation_folds"))
    parser.add_argument("--out", type=Path, default=Path("build/uncertainty_folds"))
    parser.add_argument("--series", nargs="+", choices=sorted(SERIES), default=sorted(SERIES))
    parser.add_argument("--table", action="store_true", help="only print what there is")
    args = parser.parse_args()
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in () if args.table else args.series:
        paths = {fold: args.models / f"{name}-{fold}.safetensors" for fold in range(3)}
        models = {fold: path for fold, path in paths.items() if path.exists()}
        missing = [fold for fold in models if result_of(args.out / f"{name}-{fold}.json") is None]
        if len(models) < 2 or not missing:
            continue
        images = images_of(name, args.data)
        seen = look(name, models, images)
        for fold in missing:
            run_fold(name, fold, seen, images, args)
    for name in () if args.table else args.series:
        for fold in range(3):
            run_frames(name, fold, args)
    table(args)


if __name__ == "__main__":
    main()
