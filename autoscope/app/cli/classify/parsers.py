"""What ``autoscope classify`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscope.app.cli.arguments import new_command, picture


def add(subparsers: Any) -> None:
    """Adds the group of commands."""
    group = subparsers.add_parser("classify", help="Tell the type of microstructure of whole images.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = new_command(
        inner, "train", "Fit a model to folders of images, one for each type.", "classify.commands:train"
    )
    new.add_argument("--images", type=Path, required=True, metavar="DIR", help="a folder for each type in it")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="M.safetensors")
    source = new.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--backbone", type=Path, metavar="M.safetensors", help="a segmentation model, whose encoder is used"
    )
    source.add_argument("--encoder-weights", type=Path, metavar="FILE", help="a local checkpoint")
    new.add_argument(
        "--encoder", default="resnet18", metavar="NAME", help="of --encoder-weights (default: resnet18)"
    )
    new = new_command(inner, "evaluate", "Score a model on folders of images.", "classify.commands:evaluate")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("--images", type=Path, required=True, metavar="DIR", help="a folder for each type in it")
    new.add_argument("--picture", type=picture, metavar="PNG", help="write the confusion matrix as a picture")
    new = new_command(inner, "predict", "Tell the type of images.", "classify.commands:predict")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
