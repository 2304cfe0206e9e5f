"""Export to ONNX, checked against the original before the file gets its name."""

from __future__ import annotations

import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.card import ModelCard
from autoscope.perception.onnx_card import INPUT, ONNX_ENDING, OUTPUT, facts, open_onnx
from autoscope.perception.onnx_network import OnnxNetwork
from autoscope.perception.weights import read_network

TOLERANCE = 1e-3
"""Largest difference of a class score from the original's that is let pass."""
_OPSET = 17
_CHECKED = ((1, 3, 3), (1, 4, 9), (2, 5, 2), (3, 1, 1))
"""Random frames on which both are compared: batch, height and width in multiples of the stride."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported model.

    Attributes:
        path: the file.
        card: of the model.
        frames: how many random frames it was compared on.
        largest_difference: of a class score from the original's.
    """

    path: Path
    card: ModelCard
    frames: int
    largest_difference: float


def export_onnx(model: Path, output: Path) -> Exported:
    """Writes a model as ONNX, of any batch, height and width, with its card and preprocessing as metadata.

    Args:
        model: the ``.safetensors`` file.
        output: the ``.onnx`` file; it appears only once it was found to compute what the original does.

    Raises:
        ModelError: the model cannot be used, or what was exported differs from it; nothing is left then.
        ConfigurationError: onnx or onnxruntime is not installed, or the output cannot be written.
    """
    output = Path(output)
    if output.suffix != ONNX_ENDING:
        raise ConfigurationError(f"{output}: an exported model must end in {ONNX_ENDING}")
    if not output.parent.is_dir():
        raise ConfigurationError(f"{output.parent}: there is no such folder to write the model to")
    network, card = read_network(model)
    partial = output.with_name(f".{output.stem}.{os.getpid()}{ONNX_ENDING}")
    try:
        partial.write_bytes(serialised(network, card))
        difference = _largest_difference(network, card, partial)
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{model}: the exported network's scores differ from the original's by {difference:.3g},"
                f" the limit is {TOLERANCE:g}: nothing was written"
            )
        partial.replace(output)
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return Exported(output, card, sum(batch for batch, _, _ in _CHECKED), difference)


def serialised(network: nn.Module, card: ModelCard) -> bytes:
    """A network as ONNX, with its card and preprocessing as metadata; not yet compared with it.

    Raises:
        ConfigurationError: onnx is not installed.
    """
    onnx = _onnx()
    stride = card.architecture.stride_px
    content: Any = io.BytesIO()  # which export takes, though its annotation does not say so
    example = torch.zeros(2, 1, 3 * stride, 4 * stride)
    sizes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The tracing exporter: sizes are multiples of the stride, which makes every branch on them constant.
        # The newer one takes minutes to prove that of networks with 'same' padding.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="torch.onnx")
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python")  # constant, see above
        torch.onnx.export(
            network.float().eval(), (example,), content, dynamo=False, opset_version=_OPSET,
            input_names=[INPUT], output_names=[OUTPUT], dynamic_axes={INPUT: sizes, OUTPUT: sizes},
        )  # fmt: skip
    graph = onnx.load_model_from_string(content.getvalue())
    onnx.helper.set_model_props(graph, facts(card))
    onnx.checker.check_model(graph)
    serialised: bytes = graph.SerializeToString()
    return serialised


def _largest_difference(network: nn.Module, card: ModelCard, path: Path) -> float:
    """On random frames of several sizes, in scores; infinite where shapes differ."""
    session, _ = open_onnx(path, threads=torch.get_num_threads())
    exported, stride = OnnxNetwork(session), card.architecture.stride_px
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for batch, high, wide in _CHECKED:
        frames = torch.randn(batch, 1, high * stride, wide * stride, generator=generator)
        with torch.inference_mode():
            wanted, found = network(frames), exported(frames)
        if wanted.shape != found.shape:
            return math.inf
        difference = float((wanted - found).abs().max())
        largest = max(largest, difference) if math.isfinite(difference) else math.inf
    return largest


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ConfigurationError(
            f"exporting needs onnx, which cannot be imported ({error}): pip install 'autoscope[onnx]'"
        ) from error
    return onnx
