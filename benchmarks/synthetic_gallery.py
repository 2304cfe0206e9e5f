"""Puts synthetic specimens beside real micrographs, so that a metallurgist can judge them.

    python benchmarks/synthetic_gallery.py --data ../shared/data -o gallery.png

Two rows for each kind: crops of real micrographs above (the nearest there are: no series of the data holds
pearlite or inclusions), synthetic specimens of four seeds below, noise-free or with ``--electrons`` detected
per pixel. Of synthetic specimens the crop that differs most from plain matrix is shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from autoscope_simulators.synthetic import KINDS, generate

CROP_PX = 480
REAL = {
    "superalloy": (
        "superalloy/images/45kx_SE_15kV-etched_0.png",
        "superalloy/images/lshr_15kx_3kv_0.png",
        "superalloy/images/spot3_0d_3.png",
        "superalloy/images/spot6_0d_2.png",
    ),
    "pearlite": (
        "grains/grain_structures_steel.tif",
        "grains/sem_alpha_beta_ti_6al_4v.tif",
        "spheroidite/images/train_800C-85H-Q-1_sizeRC_481_645.png",
        "spheroidite/images/train_800C-8H-Q-3_sizeRC_483_645.png",
    ),
    "inclusions": (
        "grains/grain_structures_steel.tif",
        "dendritic/mosaic_half.jpg",
        "ebc/images/050317_3_S0440026.png",
        "meltpool/strips/Slice1Top.png",
    ),
}
SEEDS = (0, 1, 2, 3)
SIZE_UM = {"superalloy": (16.0, 16.0), "pearlite": (400.0, 400.0), "inclusions": (600.0, 600.0)}


def real_crop(path: Path) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None
    if not path.is_file():
        raise SystemExit(f"{path} is missing: give the folder of the real micrographs with --data")
    with Image.open(path) as image:
        left, top = (image.width - CROP_PX) // 2, (image.height - CROP_PX) // 2
        return image.convert("L").crop((left, top, left + CROP_PX, top + CROP_PX))


def synthetic_crop(kind: str, seed: int, electrons: float) -> Image.Image:
    specimen = generate(kind, seed=seed, size_um=SIZE_UM[kind])
    corners = [
        (r, c)
        for r in range(0, specimen.shape[0] - CROP_PX, 64)
        for c in range(0, specimen.shape[1] - CROP_PX, 64)
    ]
    crops = [(slice(r, r + CROP_PX), slice(c, c + CROP_PX)) for r, c in corners]
    busiest = max(crops, key=lambda crop: (specimen.classes[crop] > 0).mean())
    pixels: NDArray[np.float64] = specimen.detectors["bse"][busiest].astype(float)
    if electrons > 0:
        counts = np.random.default_rng(seed).poisson(pixels * (electrons / 128))
        pixels = np.clip(counts * (128 / electrons), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def rows_of(kind: str, data: Path, electrons: float) -> list[list[tuple[str, Image.Image]]]:
    real = [(name.split("/")[-1], real_crop(data / name)) for name in REAL[kind]]
    return [real, [(f"synthetic {kind} {seed}", synthetic_crop(kind, seed, electrons)) for seed in SEEDS]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=sorted(KINDS))
    parser.add_argument("--electrons", type=float, default=0.0, help="per pixel at mid grey; 0: noise-free")
    parser.add_argument("-o", "--output", type=Path, default=Path("gallery.png"))
    arguments = parser.parse_args()
    rows = [row for kind in arguments.kinds for row in rows_of(kind, arguments.data, arguments.electrons)]
    gallery = Image.new("L", (len(rows[0]) * CROP_PX, len(rows) * CROP_PX))
    draw = ImageDraw.Draw(gallery)
    for row, images in enumerate(rows):
        for column, (title, image) in enumerate(images):
            corner = (column * CROP_PX, row * CROP_PX)
            gallery.paste(image, corner)
            draw.rectangle((*corner, corner[0] + 7 * len(title), corner[1] + 14), fill=0)
            draw.text((corner[0] + 3, corner[1] + 1), title, fill=255)
    gallery.save(arguments.output)
    print(f"{arguments.output}: {len(rows)} rows, real and synthetic in turn")


if __name__ == "__main__":
    main()
