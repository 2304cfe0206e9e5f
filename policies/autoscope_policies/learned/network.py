"""The network that chooses, in numpy: what was trained runs without torch, in microseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError

Activation = Literal["tanh", "relu"]
Head = Literal["logits", "values"]
Floats = NDArray[np.float32]
Masks = Sequence[NDArray[np.bool_]] | NDArray[np.bool_]
"""Which options are allowed: an array for each choice, or one array with all of them one after the other."""
_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0)),
}


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How observations are scaled: ``(x - mean) / sqrt(variance + epsilon)``, cut to plus or minus ``clip``.

    Attributes:
        mean: ``n``.
        variance: ``n``, not negative.
        epsilon: keeps constants from dividing by zero.
        clip: largest magnitude after scaling.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    epsilon: float = 1e-8
    clip: float = 10.0

    def __call__(self, observation: NDArray[np.floating]) -> Floats:
        """Scales ``n`` numbers, or rows of them."""
        scaled = (observation - self.mean) / np.sqrt(self.variance + self.epsilon)
        return np.asarray(np.clip(scaled, -self.clip, self.clip), np.float32)


@dataclass(frozen=True, slots=True)
class Network:
    """A multilayer perceptron with one block of outputs for each choice.

    Attributes:
        weights: of each layer, ``outputs x inputs``.
        biases: of each layer, ``outputs``.
        sizes: how many options each choice has; they sum to the last layer's outputs.
        normalisation: of the observation.
        activation: after each layer but the last.
        head: what the outputs are: ``"logits"`` of a distribution, or ``"values"`` of the options.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    sizes: tuple[int, ...]
    normalisation: Normalisation
    activation: Activation = "tanh"
    head: Head = "logits"

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers that enter, those between the layers, and those that leave."""
        return (self.weights[0].shape[1], *(len(bias) for bias in self.biases))

    def __call__(self, observation: NDArray[np.floating], masks: Masks | None = None) -> list[Floats]:
        """The outputs of each choice; minus infinity for options that are not allowed.

        Args:
            observation: ``n`` numbers, as the environment gives them.
            masks: which options are allowed; None: all.

        Raises:
            ConfigurationError: the observation has another length or is not finite, a mask has another
                length, or a choice is left without an option.
        """
        here = self.normalisation(self._checked(observation))
        activate = _ACTIVATIONS[self.activation]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            here = activate(weight @ here + bias)
        outputs = np.asarray(self.weights[-1] @ here + self.biases[-1], np.float32)
        blocks = np.split(outputs, np.cumsum(self.sizes)[:-1])
        if masks is None:
            return blocks
        allowed = split_masks(masks, self.sizes)
        return [
            np.where(mask, block, np.float32(-np.inf)) for mask, block in zip(allowed, blocks, strict=True)
        ]

    def choose(self, observation: NDArray[np.floating], masks: Masks | None = None) -> NDArray[np.int64]:
        """The best allowed option of each choice, one index each.

        Raises:
            ConfigurationError: as calling the network does.
        """
        return np.array([int(np.argmax(block)) for block in self(observation, masks)], np.int64)

    def _checked(self, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        wanted = self.layers[0]
        if observation.shape != (wanted,):
            raise ConfigurationError(
                f"the observation has the shape {observation.shape}; the policy was trained on {wanted}"
                " numbers"
            )
        bad = np.flatnonzero(~np.isfinite(observation))
        if len(bad):
            raise ConfigurationError(
                f"observation {bad[0]} is {observation[bad[0]]}: a policy chooses on finite numbers only"
            )
        return observation


def split_masks(masks: Masks, sizes: Sequence[int]) -> list[NDArray[np.bool_]]:
    """A mask for each choice.

    Raises:
        ConfigurationError: the lengths are others, or a choice is left without an option.
    """
    total = sum(sizes)
    if isinstance(masks, np.ndarray):
        if masks.shape != (total,):
            raise ConfigurationError(f"the masks have the shape {masks.shape}; there are {total} options")
        parts = np.split(masks, np.cumsum(sizes)[:-1])
    else:
        parts = [np.asarray(mask) for mask in masks]
        if [len(part) for part in parts] != list(sizes):
            raise ConfigurationError(
                f"the masks have {[len(part) for part in parts]} entries; the choices have {list(sizes)}"
                " options"
            )
    for number, part in enumerate(parts):
        if not part.any():
            raise ConfigurationError(f"choice {number}: the masks leave none of its {len(part)} options")
    return [part.astype(bool) for part in parts]


def chances(outputs: Floats, head: Head) -> NDArray[np.float64]:
    """The probability of each option: softmax of logits, or all of it on the largest value.

    Args:
        outputs: of one choice; minus infinity for options that are not allowed.
        head: what they are.
    """
    if head == "values":
        return np.asarray(np.arange(len(outputs)) == int(np.argmax(outputs)), np.float64)
    shifted = np.exp(outputs.astype(np.float64) - float(outputs.max()))
    return np.asarray(shifted / shifted.sum())
