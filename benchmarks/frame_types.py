"""The type of a frame on specimens left out, over the real series: accuracy and confusion.

    python benchmarks/frame_types.py --encoder-weights FILE --picture confusion.png

Every specimen is left out once, with a head fitted to all the others; the encoder is never trained here. The
dendritic mosaic and the image of grains are one specimen each: they are cut into halves, one of which is left
out, and so their rows say less. What describes the frames is computed once and kept in ``--cache``.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.app.cli.classify.commands import print_frame_type_scores
from autoscope.images import read_micrograph
from autoscope.perception.confusion_picture import draw_confusion_of
from autoscope.perception.frame_description import FrameDescriber
from autoscope.perception.frame_types import Description, fit_head
from autoscope.perception.frame_types_training import (
    MOST_WINDOWS,
    PENALTY,
    WINDOW_PX,
    ScoredFrame,
    checkpoint_backbone,
    frame_type_scores,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame, or a part of an image that stands for one.

    Attributes:
        type: of its microstructure.
        specimen: what is left out together.
        name: for the list of mistakes.
        file: the image.
        part: rows and columns of the image.
    """

    type: str
    specimen: str
    name: str
    file: Path
    part: tuple[slice, slice] = (slice(None), slice(None))


def pieces(data: Path) -> list[Piece]:
    found = []
    for series, folder, specimen_of in (
        ("superalloy", "images", lambda n: n.split("_")[0] if n.startswith("spot") else n),
        ("spheroidite", "images", lambda n: n.split("-Q-")[0]),
        ("ebc", "images", lambda n: "_".join(n.split("_")[:2])),
        ("powder", "images", lambda n: n.partition("Tile")[0]),
        ("meltpool", "strips", lambda n: "Slice-2" if n.startswith("Slice-2") else "Slice1"),
    ):
        files = sorted((data / series / folder).glob("*.png"))
        found += [Piece(series, specimen_of(file.stem), file.stem, file) for file in files]
    mosaic = data / "dendritic" / "mosaic_half.jpg"
    for row in range(1500, 11500, 2000):
        for column in (1500, 4500):
            part = (slice(row, row + 1024), slice(column, column + 1024))
            half = "upper" if row < 6000 else "lower"
            found.append(Piece("dendritic", half, f"mosaic {row},{column}", mosaic, part))
    steel = data / "grains" / "grain_structures_steel.tif"
    for index, column in enumerate((0, 400)):
        for row in (0, 300):
            part = (slice(row, row + 300), slice(column, column + 400))
            found.append(Piece("grains", f"steel {index}", f"steel {row},{column}", steel, part))
    return found


def described(every: list[Piece], args: argparse.Namespace) -> list[Description]:
    if args.cache.exists():
        with np.load(args.cache) as stored:
            return [stored[f"{index}"] for index in range(len(every))]
    backbone = checkpoint_backbone(args.encoder, args.encoder_weights)
    look = FrameDescriber(
        backbone.encoder, backbone.preprocessing,
        stride_px=backbone.architecture.stride_px, window_px=WINDOW_PX, most_windows=MOST_WINDOWS,
    )  # fmt: skip
    read: dict[Path, NDArray[np.generic]] = {}
    found = []
    for number, piece in enumerate(every, start=1):
        if piece.file not in read:
            read = {piece.file: read_micrograph(piece.file).pixels}
        found.append(look.describe(read[piece.file][piece.part]))
        if not number % 10:
            print(f"{number} of {len(every)} frames described", flush=True)
    args.cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.cache, **{f"{index}": value for index, value in enumerate(found)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    data = Path(os.environ.get("AUTOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--encoder", default="tu-tf_efficientnet_lite0")
    parser.add_argument("--encoder-weights", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/frame_types.npz"))
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    every = pieces(args.data)
    frames = described(every, args)
    types = sorted({piece.type for piece in every})
    scored = []
    for left_out in sorted({(piece.type, piece.specimen) for piece in every}):
        kept = [i for i, p in enumerate(every) if (p.type, p.specimen) != left_out]
        places = [types.index(every[i].type) for i in kept]
        head = fit_head([frames[i] for i in kept], places, len(types), PENALTY)
        for index, piece in enumerate(every):
            if (piece.type, piece.specimen) == left_out:
                probability = head.probability(frames[index])
                best = int(probability.argmax())
                scored.append(
                    ScoredFrame(
                        image=piece.name, true=piece.type, found=types[best],
                        probability=float(probability[best]),
                    )
                )  # fmt: skip
    found = frame_type_scores(scored, types)
    print_frame_type_scores(found)
    if args.picture is not None:
        draw_confusion_of(found.confusion, found.types, f"{found.accuracy:.3f} right", args.picture)


if __name__ == "__main__":
    main()
