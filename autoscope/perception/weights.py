"""Weights files: safetensors with the model card inside, and the card again as JSON beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from autoscope.core import ModelError
from autoscope.perception.architecture import build_network
from autoscope.perception.card import CARD_KEY, ModelCard, read_card
from autoscope.perception.output_files import write_whole

_LARGEST_HALF = torch.finfo(torch.float16).max
_GROUP = "/"
"""Between a group's name and a tensor's; no parameter of a network has it in its name."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """Everything that a weights file holds.

    Attributes:
        network: filled and in evaluation mode.
        card: what it is.
        groups: tensors beside the network's, by group and name: what was fitted to the trained network.
    """

    network: nn.Module
    card: ModelCard
    groups: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


def stored_form(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are stored: half precision, contiguous, on the CPU.

    Rounding to half precision changes weights by at most 2^-11 of their value. Tensors that hold values
    beyond its range stay in single precision.
    """
    return {name: _stored(tensor.detach().cpu()) for name, tensor in state.items()}


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_model(path: Path, tensors: Mapping[str, Tensor], card: ModelCard) -> None:
    """Writes ``path`` and the card beside it; each appears whole or not at all.

    Args:
        path: ends in ``.safetensors``.
        tensors: from `stored_form`.
        card: whose ``weights_sha256`` is theirs.
    """
    content = save(dict(tensors), metadata={CARD_KEY: card.to_json(indent=None)})
    write_whole(path, content)
    write_whole(path.with_suffix(".json"), card.to_json().encode() + b"\n")


def read_network(path: Path) -> tuple[nn.Module, ModelCard]:
    """Builds a model's network and fills it.

    Raises:
        ModelError: as `read_model` does.
    """
    stored = read_model(path)
    return stored.network, stored.card


def read_model(path: Path) -> StoredModel:
    """Builds a model's network, fills it, and reads what was fitted to it.

    Raises:
        ModelError: as `read_card` does, or the tensors do not fit the card.
    """
    path = Path(path)
    card = read_card(path)
    tensors = _read_tensors(path, card)
    network = build_network(card.architecture, len(card.classes))
    try:
        network.load_state_dict({name: value for name, value in tensors.items() if _GROUP not in name})
    except RuntimeError as error:
        raise ModelError(
            f"{path}: the weights do not fit the {card.architecture.encoder} U-Net of their model card"
        ) from error
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, separator, own_name = name.partition(_GROUP)
        if separator:
            groups.setdefault(group, {})[own_name] = value
    return StoredModel(network.eval(), card, groups)


def add_group(path: Path, group: str, tensors: Mapping[str, Tensor], **card_fields: Any) -> ModelCard:
    """Stores what was fitted to a trained network in its file, in place of what the group held before.

    Args:
        path: the model's file.
        group: name of the group, such as ``"posterior"``.
        tensors: as they are to be stored, by name; none to store only in the card.
        card_fields: fields of the card to replace.

    Returns:
        The new card, whose hashes are new too: the model is another one from now on.

    Raises:
        ModelError: as `read_card` does, or the tensors do not fit the card.
    """
    path = Path(path)
    card = read_card(path)
    kept = _read_tensors(path, card)
    kept = {name: value for name, value in kept.items() if not name.startswith(group + _GROUP)}
    kept |= {f"{group}{_GROUP}{name}": value.detach().cpu().contiguous() for name, value in tensors.items()}
    values = {name: getattr(card, name) for name in type(card).model_fields} | card_fields
    values["weights_sha256"] = tensors_sha256(kept)
    new = ModelCard.model_validate(values)
    write_model(path, kept, new)
    return new


def _read_tensors(path: Path, card: ModelCard) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the model file is damaged or cut short ({error}): copy it again"
        ) from error
    if tensors_sha256(tensors) != card.weights_sha256:
        raise ModelError(f"{path}: the weights are not those that the model card describes: copy it again")
    return tensors


def _stored(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return tensor.contiguous()
    fits = bool(tensor.abs().max() < _LARGEST_HALF)
    return tensor.to(torch.float16 if fits else torch.float32).contiguous()
