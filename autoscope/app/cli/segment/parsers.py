"""What ``autoscope segment`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscope.app.cli.arguments import new_command, seed


def add(subparsers: Any) -> None:
    """Adds the group of commands."""
    group = subparsers.add_parser("segment", help="Train, evaluate and use segmentation models.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add_one in (_train, _evaluate, _predict):
        add_one(inner)


def _train(inner: Any) -> None:
    new = new_command(
        inner, "train", "Train a segmentation model from images and masks.", "segment.train:run"
    )
    new.add_argument("--images", type=Path, required=True, metavar="DIR")
    new.add_argument("--masks", type=Path, required=True, metavar="DIR")
    new.add_argument("--classes", required=True, metavar="A,B,C", help="class names in mask-value order")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="M.safetensors")
    new.add_argument("--encoder", default="resnet18", metavar="NAME")
    new.add_argument("--encoder-weights", type=Path, metavar="FILE", help="a local checkpoint")
    new.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    new.add_argument("--batch", type=int, metavar="N", help="crops per step")
    new.add_argument("--crop", type=int, metavar="PX", help="edge of the crops")
    new.add_argument("--decoder", metavar="N,N,...", help="channels of the decoder's stages, coarse to fine")
    new.add_argument(
        "--preprocessing", choices=("percentile", "full_range", "clahe"), default="percentile",
        help="percentile stretches each image, full_range keeps grey levels as they are",
    )  # fmt: skip
    new.add_argument("--restart", action="store_true", help="do not go on with an interrupted training")
    new.add_argument("--seed", type=seed, default=0, metavar="N")
    new.add_argument(
        "--validation", nargs="+", action="extend", default=[], metavar="NAME",
        help="names of the images that are held out for validation (default: about a fifth)",
    )  # fmt: skip


def _evaluate(inner: Any) -> None:
    new = new_command(inner, "evaluate", "Score a model on images with masks.", "segment.evaluate:run")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("--images", type=Path, required=True, metavar="DIR")
    new.add_argument("--masks", type=Path, required=True, metavar="DIR")
    new.add_argument("--picture", type=Path, metavar="PNG", help="write the confusion matrix as a picture")


def _predict(inner: Any) -> None:
    new = new_command(inner, "predict", "Write class maps of images as index PNGs.", "segment.predict:run")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    new.add_argument("--probabilities", action="store_true", help="write class probabilities too (.npz)")
