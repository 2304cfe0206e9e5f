"""Finding and loading models. torch is imported only when a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from autoscope.core import ModelError

if TYPE_CHECKING:
    from autoscope.perception.devices import Device, Precision
    from autoscope.perception.network import NetworkSegmenter


def load_segmenter(
    path: Path,
    *,
    classes: Sequence[str] = (),
    device: Device = "auto",
    precision: Precision = "auto",
    views: bool = False,
) -> NetworkSegmenter:
    """Loads a trained model.

    Args:
        path: the ``.safetensors`` file.
        classes: names that the model must know.
        device: where it is to run.
        precision: of the arithmetic.
        views: whether to average over the mirrored and turned views that training showed; each costs a pass.

    Raises:
        ModelError: the file is missing, damaged, cut short, a pickle, or was made for other classes.
    """
    from autoscope.perception.network import load_network_segmenter

    return load_network_segmenter(
        Path(path), classes=classes, device=device, precision=precision, views=views
    )


def shipped_models() -> tuple[str, ...]:
    """Names of the models that come with autoscope."""
    return tuple(sorted(path.stem for path in _folder().glob("*.safetensors")))


def shipped_model(name: str) -> Path:
    """The weights file of a model that comes with autoscope.

    Raises:
        ModelError: there is none of that name.
    """
    path = _folder() / f"{name}.safetensors"
    if not path.is_file():
        raise ModelError(
            f"no model {name!r} comes with autoscope; there are: {', '.join(shipped_models()) or 'none'}"
        )
    return path


def _folder() -> Path:
    return Path(str(resources.files("autoscope.perception"))) / "models"
