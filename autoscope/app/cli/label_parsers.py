"""What ``autoscope labels`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autoscope.app.cli.arguments import new_command, positive, seed

FORMATS = ("png", "labelme", "coco", "label-studio")


def add(subparsers: Any) -> None:
    """Adds the group of commands."""
    group = subparsers.add_parser("labels", help="Exchange experts' answers, and retrain a model on them.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = new_command(inner, "export", "Write a queue's answers for another program.", "labels:run_export")
    _queue(new)
    _format(new)
    new.add_argument("--session", metavar="NAME", help="only this session's, as in the queue (NAME@TIME)")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="new or empty")
    new = new_command(
        inner, "import", "Put masks that were made elsewhere into a queue, as answers.", "labels:run_import"
    )
    new.add_argument("folder", type=Path, metavar="DIR", help="as export writes it")
    _queue(new)
    _format(new)
    new.add_argument("--classes", metavar="A,B,C", help="in mask-value order (default: the queue's)")
    new.add_argument("--expert", required=True, metavar="NAME", help="who made them")
    new = new_command(
        inner, "retrain", "Fine-tune a model on a queue's answers, and judge it.", "labels:run_retrain"
    )
    _queue(new)
    new.add_argument("--start", type=Path, required=True, metavar="M.safetensors", help="to begin with")
    new.add_argument("--session", metavar="NAME", help="only this session's answers")
    new.add_argument("--steps", type=positive, default=300, metavar="N", help="optimiser steps")
    new.add_argument("--seed", type=seed, default=0, metavar="N")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="NEW.safetensors")


def _queue(new: argparse.ArgumentParser) -> None:
    new.add_argument(
        "--queue", required=True, metavar="URL", help="sqlite:///labels.db, postgresql://HOST/NAME"
    )


def _format(new: argparse.ArgumentParser) -> None:
    new.add_argument("--format", choices=FORMATS, default="png", help="default: png, index masks")
