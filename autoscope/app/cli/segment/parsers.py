"""What ``autoscope segment`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscope.app.cli.arguments import above_zero, cells, new_command, not_negative, picture, seed, share


def add(subparsers: Any) -> None:
    """Adds the group of commands."""
    group = subparsers.add_parser("segment", help="Train, evaluate and use segmentation models.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add_one in (_train, _evaluate, _predict, _instances, _explain, _export):
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
    new.add_argument("--curves", type=picture, metavar="PNG", help="draw loss and mean IoU of the training")
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
    new.add_argument("--picture", type=picture, metavar="PNG", help="write the confusion matrix as a picture")
    new.add_argument("--worst", type=picture, metavar="PNG", help="draw the worst images, worst first")


def _predict(inner: Any) -> None:
    new = new_command(inner, "predict", "Write class maps of images as index PNGs.", "segment.predict:run")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    new.add_argument("--probabilities", action="store_true", help="write class probabilities too (.npz)")


def _instances(inner: Any) -> None:
    new = new_command(
        inner, "instances", "Find, measure and draw single things of a class.", "segment.instances:run"
    )
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    new.add_argument(
        "--class", dest="class_name", metavar="NAME", help="the class (default: the only one but the first)"
    )
    new.add_argument("--rim", metavar="NAME", help="class that was learned as the outline of every thing")
    new.add_argument(
        "--split", choices=("none", "distance", "probability"), default="distance",
        help="how things that touch are taken apart: not at all, at necks, or by what the network is sure of",
    )  # fmt: skip
    new.add_argument(
        "--neck", type=share, default=0.75, metavar="X",
        help="cut where a neck is narrower than this share of the narrower thing (default: 0.75)",
    )  # fmt: skip
    new.add_argument(
        "--min-diameter-px", type=not_negative, default=3.0, metavar="PX",
        help="leave smaller things out (default: 3)",
    )  # fmt: skip
    new.add_argument(
        "--pixel-nm", type=above_zero, metavar="X", help="pixel size of images that do not say theirs"
    )


def _export(inner: Any) -> None:
    new = new_command(inner, "export", "Write a model as ONNX, checked against it.", "segment.export:run")
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="M.onnx")


def _explain(inner: Any) -> None:
    new = new_command(
        inner, "explain", "Draw what a model looks at when it finds a class.", "segment.explain:run"
    )
    new.add_argument("model", type=Path, metavar="M.safetensors")
    new.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    new.add_argument("--class", dest="class_name", required=True, metavar="NAME")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    new.add_argument(
        "--occlusion-cells", type=cells, default=8, metavar="N",
        help="hide the longer edge in N pieces, one after the other; 0: no occlusion map (default: 8)",
    )  # fmt: skip
