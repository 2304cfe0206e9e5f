"""Policy files: safetensors with the card inside, and the card again as JSON beside it. Never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from autoscope.core import ModelError
from autoscope.perception.card import refuse_what_is_no_model
from autoscope.perception.output_files import write_whole
from autoscope_policies.learned.card import CARD_KEY, PolicyCard
from autoscope_policies.learned.deference import Deference
from autoscope_policies.learned.layout import Layout, differences
from autoscope_policies.learned.network import Masks, Network, Normalisation, chances


@dataclass(frozen=True, slots=True)
class LearnedNetwork:
    """A policy's network with all that is known of it.

    Attributes:
        network: what chooses.
        card: what it is.
        sha256: of its file; names the policy in records.
    """

    network: Network
    card: PolicyCard
    sha256: str

    def choose(
        self,
        observation: NDArray[np.floating],
        masks: Masks | None = None,
        usual: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """The best option of each choice; where the policy defers to the rule, that of the rule.

        Args:
            observation: ``n`` numbers, as the environment gives them.
            masks: which options are allowed; None: all.
            usual: what the rule chooses; None: the network alone chooses.

        Returns:
            One index for each choice.

        Raises:
            ConfigurationError: observation or masks do not fit the network.
        """
        yields = self.card.deference
        if usual is None or yields is None:
            return self.network.choose(observation, masks)
        trusted = tuple(choice.name in yields.trusted for choice in self.card.choices)
        return Deference(yields.margin, trusted).choose(self.network(observation, masks), usual)

    def probabilities(
        self, observation: NDArray[np.floating], masks: Masks | None = None
    ) -> list[NDArray[np.float64]]:
        """How probable each option of each choice is; those that are not allowed have 0.

        Raises:
            ConfigurationError: as `choose` does.
        """
        return [chances(block, self.network.head) for block in self.network(observation, masks)]


def tensors_sha256(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Hash of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape};".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def stored_tensors(network: Network) -> dict[str, NDArray[np.float32]]:
    """The tensors as they are stored, and as the card's hash is taken of."""
    tensors = {}
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"layers.{number}.weight"] = np.ascontiguousarray(weight, np.float32)
        tensors[f"layers.{number}.bias"] = np.ascontiguousarray(bias, np.float32)
    return tensors


def write_policy(path: Path, network: Network, card: PolicyCard) -> LearnedNetwork:
    """Writes ``path`` and the card beside it; each appears whole or not at all.

    Args:
        path: ends in ``.safetensors``.
        network: trained.
        card: of it; its hash of the weights is filled in here.

    Returns:
        What `read_policy` would read.

    Raises:
        ModelError: a weight is not a number, or the network is not the card's.
    """
    tensors = stored_tensors(network)
    card = card.model_copy(update={"weights_sha256": tensors_sha256(tensors)})
    read = _filled(tensors, card, path)
    content = save(tensors, metadata={CARD_KEY: card.to_json(indent=None)})
    write_whole(path, content)
    write_whole(path.with_suffix(".json"), card.to_json().encode() + b"\n")
    return LearnedNetwork(read, card, hashlib.sha256(content).hexdigest())


def read_policy(path: Path, layout: Layout | None = None) -> LearnedNetwork:
    """Reads a policy and checks that it was made for what it is to be used for.

    Args:
        path: what `write_policy` wrote.
        layout: what it will see and choose; None: whatever it was trained for.

    Raises:
        ModelError: the file is missing, is a pickle, is damaged or cut short, has no valid card or one of
            another version, holds weights that are not finite or do not fit the card; or the policy was
            trained with another layout, and then every difference is listed.
    """
    path = Path(path)
    refuse_what_is_no_model(path)
    content = path.read_bytes()
    try:
        tensors = load(content)
        text = _metadata(content).get(CARD_KEY)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: the policy file is damaged or cut short ({error}): copy it again"
        ) from error
    if text is None:
        raise ModelError(f"{path}: the file has no card of a policy: it was not written by 'autoscope train'")
    card = _card(text, path)
    if tensors_sha256(tensors) != card.weights_sha256:
        raise ModelError(f"{path}: the weights are not those that the card describes: copy it again")
    network = _filled(tensors, card, path)
    if layout is not None:
        require_layout(card, layout, path)
    return LearnedNetwork(network, card, hashlib.sha256(content).hexdigest())


def require_layout(card: PolicyCard, layout: Layout, path: Path) -> None:
    """Checks that a policy was trained with a layout.

    Raises:
        ModelError: it was not; lists every difference.
    """
    found = differences(card.layout, layout)
    if found:
        raise ModelError(
            f"{path}: the policy was trained in {card.environment.id!r} with another layout and cannot be"
            f" used here: {'; '.join(found)}; train it again"
        )


def _metadata(content: bytes) -> dict[str, str]:
    """The free text of a safetensors file: its header is JSON behind eight bytes of length."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return found


def _card(text: str, path: Path) -> PolicyCard:
    try:
        return PolicyCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(f"{path}: the policy's card is not valid: {where}: {first['msg']}") from error


def _filled(tensors: Mapping[str, NDArray[Any]], card: PolicyCard, path: Path) -> Network:
    layers = card.network.layers
    wanted: dict[str, tuple[int, ...]] = {}
    for number, (enter, leave) in enumerate(pairwise(layers)):
        wanted[f"layers.{number}.weight"], wanted[f"layers.{number}.bias"] = (leave, enter), (leave,)
    if {name: tensor.shape for name, tensor in tensors.items()} != wanted:
        raise ModelError(f"{path}: the weights do not fit the layers {list(layers)} of their card")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ModelError(
                f"{path}: {name} holds a weight that is not a finite single-precision number: the training"
                " diverged, or the file was altered"
            )
    scaling = card.normalisation
    return Network(
        tuple(tensors[f"layers.{number}.weight"] for number in range(len(layers) - 1)),
        tuple(tensors[f"layers.{number}.bias"] for number in range(len(layers) - 1)),
        card.layout.sizes,
        Normalisation(np.array(scaling.mean), np.array(scaling.variance), scaling.epsilon, scaling.clip),
        card.network.activation,
        card.network.head,
    )
