"""What the parsers of all commands are made of."""

from __future__ import annotations

import argparse
import math
from importlib import import_module
from pathlib import Path
from typing import Any


def new_command(
    subparsers: Any, name: str, text: str, home: str, *, as_json: bool = True
) -> argparse.ArgumentParser:
    """A command whose function ``run`` is imported from its module when it is called."""
    new: argparse.ArgumentParser = subparsers.add_parser(name, help=text, description=text)
    module, function = home.split(":")

    def command(options: argparse.Namespace) -> int:
        return int(getattr(import_module(f"autoscope.app.cli.{module}"), function)(options))

    new.set_defaults(command=command)
    new.add_argument("--debug", action="store_true", help="show a traceback when something goes wrong")
    if as_json:
        new.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    return new


def seed(text: str) -> int:
    """A whole number that is not negative."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def at_least_two(text: str) -> int:
    """A whole number from 2."""
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"{value} is below 2: one episode has no standard error")
    return value


def above_zero(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """A finite number from 0."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text} is negative or not finite")
    return value


def share(text: str) -> float:
    """A number between 0 and 1, neither of the two."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


def cells(text: str) -> int:
    """A whole number from 0 to 64."""
    value = int(text)
    if not 0 <= value <= 64:
        raise argparse.ArgumentTypeError(f"{value} does not lie in [0, 64]")
    return value


def picture(text: str) -> Path:
    """A file that a picture can be written to, in a folder that exists."""
    path = Path(text)
    if path.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise argparse.ArgumentTypeError(f"{text} does not end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.parent}: there is no such folder")
    return path


def port(text: str) -> int:
    """A port number, 0 for a free one."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{value} lies outside [0, 65535]")
    return value
