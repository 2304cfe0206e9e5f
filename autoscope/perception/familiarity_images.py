"""Fitting a model's familiarity to the images of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoscope.core import ConfigurationError
from autoscope.images import read_micrograph
from autoscope.perception.card import ModelCard
from autoscope.perception.devices import Device
from autoscope.perception.familiarity_fitting import fit_familiarity
from autoscope.perception.pairs import ENDINGS


def fit_to_folder(
    model: Path,
    folder: Path,
    *,
    device: Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> ModelCard:
    """Fits the familiarity of a stored model to images without masks, in the order of their names.

    Args:
        model: its ``.safetensors`` file, which gets the result.
        folder: of images that the model was made for.
        device: where the network runs.
        progress: hears how many images are done, and of how many.

    Raises:
        ConfigurationError: there is no such folder, or too few images in it.
        ImageError: an image is damaged.
        ModelError: the model cannot be used.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder of images")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    told = None if progress is None else lambda done: progress(done, len(files))
    return fit_familiarity(
        model, (read_micrograph(file).pixels for file in files), device=device, progress=told
    )
