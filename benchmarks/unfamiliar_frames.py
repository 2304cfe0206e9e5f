"""Does a model know what it was not made for? Frames against troubled ones and others.

    python benchmarks/unfamiliar_frames.py --models folds/    # of benchmarks/segmentation_folds.py
    python benchmarks/unfamiliar_frames.py --synthetic        # the shipped models

Real series: each fold's model learns what is familiar from its own training images (a copy of the file is
used) and judges 256 x 256 px frames of specimens that were left out, as they are, blurred, charged by the
simulator's own code, and frames of other materials. Synthetic: the shipped model judges frames that the
simulated microscope takes on specimens that it was not trained on. A result is kept in ``--out`` and is not
computed again. Printed: area under the ROC curve at frame level against the familiar frames, and the share
that is called suspicious or worse, and foreign.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation_folds import SERIES

from autoscope.core import ImagingSettings, StagePosition, component_rng
from autoscope.images import read_micrograph
from autoscope.perception import load_segmenter, shipped_model
from autoscope.perception.familiarity_fitting import fit_familiarity
from autoscope.perception.network import NetworkSegmenter
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, write_specimen
from autoscope_simulators.charging import charge
from autoscope_simulators.synthetic import generate
from autoscope_simulators.synthetic.foreign import FOREIGN, plant_foreign

FRAME_PX = 256
BLURS_PX = (1.0, 1.5, 2.0, 3.0, 4.0)
STRENGTHS = (0.25, 0.5, 1.0)
CLEAN = "held out"
FIRST_SEED = 30
"""Of the synthetic specimens; models are trained on 1000 and above."""
Frame = NDArray[np.uint8]
Judged = dict[str, list[tuple[float, str, str]]]
"""Of each kind of frame: score, level and guess of every frame."""

SHIPPED = {"pearlite": (32.0, 256, 3.0), "superalloy": (3.84, 256, 10.0), "inclusions": (38.4, 128, 5.0)}
"""Width, um, pixels and dwell, us, of a shipped model's frames."""


def eight_bit(path: Path) -> Frame:
    pixels = read_micrograph(path).pixels
    return pixels if pixels.dtype == np.uint8 else (pixels // 257).astype(np.uint8)


def rounded(signal: NDArray[np.floating[Any]]) -> Frame:
    return np.clip(np.rint(signal), 0, 255).astype(np.uint8)


def crops(pixels: Frame, count: int) -> list[Frame]:
    """At most so many frames of an image, spread over it."""
    rows, columns = (range(0, n - FRAME_PX + 1, FRAME_PX // 2) for n in pixels.shape)
    corners = [(y, x) for y in rows for x in columns]
    order = component_rng(0, "crops").permutation(len(corners))[:count]
    return [pixels[y : y + FRAME_PX, x : x + FRAME_PX].copy() for y, x in (corners[i] for i in sorted(order))]


def other_materials(data: Path, but: str) -> Iterator[tuple[str, Frame]]:
    """Frames of everything that is not a series."""
    for name in (*SERIES, "powder"):
        if name != but:
            files = sorted(p for p in (data / name / "images").iterdir() if p.suffix in (".png", ".jpg"))
            for file in files:
                yield from ((name, frame) for frame in crops(eight_bit(file), 2))
    for file in ("grain_structures_steel.tif", "sem_alpha_beta_ti_6al_4v.tif"):
        yield from (("grains", frame) for frame in crops(eight_bit(data / "grains" / file), 4))
    mosaic = eight_bit(data / "dendritic" / "mosaic_half.jpg")
    rng = component_rng(0, "dendritic")
    for y, x in zip(rng.integers(1500, 11000, 12), rng.integers(800, 6000, 12), strict=True):
        yield "dendritic", mosaic[y : y + FRAME_PX, x : x + FRAME_PX].copy()


def judge(segmenter: NetworkSegmenter, judged: Judged, kind: str, frame: Frame) -> None:
    look = segmenter.segment(frame, None).look
    if look is None:
        raise SystemExit("the model has no familiarity")
    judged.setdefault(kind, []).append((look.score, look.level, look.guess))


def real(data: Path, models: Path, name: str, fold: int) -> dict[str, Any]:
    """Everything about one fold."""
    held = SERIES[name].folds[fold]
    files = sorted((data / name / "images").iterdir())
    judged: Judged = {}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        shutil.copy(models / f"{name}-{fold}.safetensors", model)
        training = [eight_bit(f) for f in files if not f.stem.startswith(held)]
        card = fit_familiarity(model, training)
        segmenter = load_segmenter(model)
    rng = component_rng(fold, "charging")
    images = {}
    for file in (f for f in files if f.stem.startswith(held)):
        before = len(judged.get(CLEAN, []))
        for number, frame in enumerate(crops(eight_bit(file), 12)):
            judge(segmenter, judged, CLEAN, frame)
            if number < 4:
                troubled_frames(segmenter, judged, frame, rng)
        images[file.stem] = [level for _, level, _ in judged[CLEAN][before:]]
    for kind, frame in other_materials(data, name):
        judge(segmenter, judged, kind, frame)
    fitted = None if card.familiarity is None else card.familiarity.model_dump()
    return {"name": name, "fold": fold, "familiarity": fitted, "judged": judged, "images": images}


def troubled_frames(
    segmenter: NetworkSegmenter, judged: Judged, frame: Frame, rng: np.random.Generator
) -> None:
    for blur in BLURS_PX:
        judge(segmenter, judged, f"defocus {blur:g} px", rounded(gaussian_filter(frame.astype(float), blur)))
    for strength in STRENGTHS:
        charged = rounded(charge(frame.astype(np.float32), 255.0, strength, rng))
        judge(segmenter, judged, f"charging {strength:g}", charged)


def synthetic(kind: str, seeds: range, count: int) -> dict[str, Any]:
    """A shipped model on specimens that it was not trained on."""
    hfw_um, width_px, _ = SHIPPED[kind]
    segmenter = load_segmenter(shipped_model(kind))
    others = [k for k in SHIPPED if k != kind]
    judged: Judged = {}
    half_px = hfw_um * 500.0
    for seed in seeds:
        data = generate(kind, seed=seed, size_um=(12 * hfw_um, 12 * hfw_um))
        rng = component_rng(seed, "places")
        places = rng.uniform(hfw_um, 11 * hfw_um, (count, 2))
        um_per_px = hfw_um / width_px
        for label, imperfections in conditions(um_per_px, hfw_um):
            take(segmenter, judged, label, data, imperfections, places, SHIPPED[kind], seed)
        for other in (*others, "mount"):
            planted = plant_foreign(data, (other,), 0.4, seed=seed)
            foreign = planted.classes == planted.class_names.index(FOREIGN)
            half = round(half_px / data.pixel_nm)
            inside = [
                (x, y)
                for x, y in rng.uniform(hfw_um, 11 * hfw_um, (60 * count, 2))
                if foreign[window(y, x, half, data.pixel_nm)].mean() > 0.95
            ]
            take(segmenter, judged, other, planted, Imperfections(), inside[:count], SHIPPED[kind], seed)
    return {"name": kind, "fold": 0, "judged": judged, "images": {}}


def window(y_um: float, x_um: float, half: int, pixel_nm: float) -> tuple[slice, slice]:
    row, column = round(y_um * 1000 / pixel_nm), round(x_um * 1000 / pixel_nm)
    return slice(row - half, row + half), slice(column - half, column + half)


def conditions(um_per_px: float, hfw_um: float) -> Iterator[tuple[str, Imperfections]]:
    """Imperfections of each kind of frame; a blur of so many pixels needs so much defocus."""
    yield CLEAN, Imperfections()
    for blur in BLURS_PX:
        defocus_um = blur * um_per_px / (Imperfections().convergence_mrad * 1e-3 / 2)
        yield f"defocus {blur:g} px", Imperfections(focus_offset_um=defocus_um)
    for strength in STRENGTHS:
        everywhere = {"charging_per_mm2": 2e6 / hfw_um**2, "patch_radius_um": 3 * hfw_um}
        yield f"charging {strength:g}", Imperfections(charging_strength=strength, **everywhere)


def take(
    segmenter: NetworkSegmenter,
    judged: Judged,
    label: str,
    data: Any,
    imperfections: Imperfections,
    places: Any,
    scan: tuple[float, int, float],
    seed: int,
) -> None:
    """Frames of a specimen through the simulated microscope."""
    hfw_um, width_px, dwell_us = scan
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "specimen.h5"
        write_specimen(data, path)
        with SimulatedMicroscope(SpecimenFile(path), seed=seed, imperfections=imperfections) as microscope:
            if not label.startswith("defocus"):
                microscope.autofocus()
            for x, y in places:
                microscope.move_to(StagePosition(float(x), float(y)))
                frame = microscope.acquire_image(ImagingSettings(hfw_um, width_px, width_px, dwell_us))
                judge(segmenter, judged, label, frame.pixels)


def auroc(familiar: list[float], other: list[float]) -> float:
    """Probability that a frame of the other kind scores higher (Mann and Whitney 1947)."""
    ranks = rankdata([*familiar, *other])[len(familiar) :]
    m, n = len(familiar), len(other)
    return float((ranks.sum() - n * (n + 1) / 2) / (m * n))


def table(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prints a line for each series and kind of frame; areas are means over the folds."""
    rows = []
    print(f"{'series':12} {'frames of':16} {'frames':>7} {'AUROC':>7} {'suspicious':>11} {'foreign':>8}")
    for name in dict.fromkeys(result["name"] for result in results):
        folds = [r["judged"] for r in results if r["name"] == name]
        for kind in folds[0]:
            frames = [one for fold in folds for one in fold.get(kind, [])]
            scores = [([f[0] for f in d[CLEAN]], [f[0] for f in d[kind]]) for d in folds if kind in d]
            levels, guesses = [f[1] for f in frames], [f[2] for f in frames if f[2]]
            shares = {g: round(guesses.count(g) / len(frames), 2) for g in sorted(set(guesses))}
            row = {
                "series": name,
                "kind": kind,
                "frames": len(frames),
                "auroc": None if kind == CLEAN else float(np.mean([auroc(a, b) for a, b in scores])),
                "suspicious": float(np.mean([level != "familiar" for level in levels])),
                "foreign": float(np.mean([level == "foreign" for level in levels])),
                "guesses": shares,
            }
            area = "" if row["auroc"] is None else f"{row['auroc']:.3f}"
            print(
                f"{name:12} {kind:16} {len(frames):7d} {area:>7} {row['suspicious']:11.3f}"
                f" {row['foreign']:8.3f}"
                f"  {', '.join(f'{g} {s:g}' for g, s in shares.items())}"
            )
            rows.append(row)
    return rows


def kept(path: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if not path.exists():
        path.write_text(json.dumps(compute()))
        print(f"{path.stem} done", file=sys.stderr, flush=True)
    return dict(json.loads(path.read_text()))


def computed(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The results that were asked for, each computed once."""
    folds = [(name, fold) for name, series in SERIES.items() for fold in range(len(series.folds))]
    for name, fold in folds if options.models is not None else ():
        if (options.models / f"{name}-{fold}.safetensors").exists():
            path = options.out / f"{name}-{fold}.json"
            yield kept(path, partial(real, options.data, options.models, name, fold))
    if options.synthetic is not None:
        seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
        for kind in options.synthetic or SHIPPED:
            path = options.out / f"synthetic-{kind}.json"
            yield kept(path, partial(synthetic, kind, seeds, options.frames))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AUTOSCOPE_DATA", "../shared/data")))
    parser.add_argument("--models", type=Path, help="folder of NAME-FOLD.safetensors")
    parser.add_argument("--synthetic", nargs="*", choices=sorted(SHIPPED), help="the shipped models")
    parser.add_argument("--seeds", type=int, default=4, help="specimens of each synthetic kind")
    parser.add_argument("--frames", type=int, default=25, help="frames of each kind on a synthetic specimen")
    parser.add_argument("--out", type=Path, default=Path("build/unfamiliar_frames"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = list(computed(options))
    rows = table(results)
    if options.json:
        print(json.dumps({"schema": "autoscope.unfamiliar-frames/1", "rows": rows}))


if __name__ == "__main__":
    main()
