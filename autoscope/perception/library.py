"""Finding and loading models. torch is imported only when a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.card import read_card

if TYPE_CHECKING:
    from autoscope.perception.devices import Device, Precision
    from autoscope.perception.network import NetworkSegmenter

Engine = Literal["auto", "torch", "onnxruntime"]


def load_segmenter(
    path: Path,
    *,
    classes: Sequence[str] = (),
    device: Device = "auto",
    precision: Precision = "auto",
    engine: Engine = "auto",
    views: bool = False,
) -> NetworkSegmenter:
    """Loads a trained model.

    Args:
        path: the ``.safetensors`` file, or the ``.onnx`` file that was exported from it.
        classes: names that the model must know.
        device: where it is to run.
        precision: of the arithmetic.
        engine: ``"torch"``, ``"onnxruntime"``, or ``"auto"``: onnxruntime where there is no GPU, it is
            installed, and the exported form of these weights lies beside them under the same name.
        views: whether to average over the mirrored and turned views that training showed; each costs a pass.

    Raises:
        ConfigurationError: onnxruntime was asked for and there is no exported form.
        ModelError: the file is missing, damaged, cut short, a pickle, or was made for other classes.
    """
    from autoscope.perception.devices import choose_device
    from autoscope.perception.network import load_network_segmenter
    from autoscope.perception.onnx_network import exported_beside, load_onnx_segmenter

    path = Path(path)
    if path.suffix == ".onnx":
        if views:
            raise ConfigurationError(f"{path}: views are averaged with the .safetensors file of a model only")
        return load_onnx_segmenter(path, classes=classes, device=device)
    on_processor = (
        engine != "torch" and not views and precision != "bfloat16" and choose_device(device).type == "cpu"
    )
    exported = exported_beside(path, read_card(path)) if on_processor else None
    if exported is not None:
        return load_onnx_segmenter(exported, classes=classes, device=device)
    if engine == "onnxruntime":
        raise ConfigurationError(
            f"{path}: no exported form of these weights lies beside them: write one with 'autoscope segment"
            f" export {path} -o {path.with_suffix('.onnx')}'"
        )
    return load_network_segmenter(path, classes=classes, device=device, precision=precision, views=views)


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
