"""Files that are written: whole or not at all; those for images are named after them, never over them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from autoscope.core import ConfigurationError


def prepare_outputs(images: Sequence[Path], output: Path, endings: Sequence[str]) -> None:
    """Checks the names of what will be written and makes the folder.

    Args:
        images: the images.
        output: folder for the results.
        endings: a result has its image's name and one of these.

    Raises:
        ConfigurationError: two images have the same name, a result would overwrite its image, or the
            folder cannot be made.
    """
    problems = []
    seen: dict[str, Path] = {}
    for image in images:
        if image.stem in seen:
            problems.append(
                f"{seen[image.stem]} and {image} would both be written to {image.stem}{endings[0]}"
            )
        seen[image.stem] = image
        if any((output / f"{image.stem}{ending}").resolve() == image.resolve() for ending in endings):
            problems.append(f"{image}: a result would overwrite it: choose another folder than {output}")
    if problems:
        raise ConfigurationError(*problems)
    make_folder(output)


def make_folder(output: Path) -> None:
    """Makes a folder where it is missing.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{output}: the folder cannot be made: {error.strerror or error}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
