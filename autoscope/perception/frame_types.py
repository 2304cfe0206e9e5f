"""The type of a frame: a multinomial logistic regression on the pooled features of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from autoscope.core import ModelError
from autoscope.perception.architecture import build_network
from autoscope.perception.frame_description import FrameDescriber
from autoscope.perception.frame_types_card import FrameTypesCard, read_frame_types_card
from autoscope.perception.segmentation import Pixels
from autoscope.perception.weights import tensors_sha256

_ENCODER, _HEAD = "encoder.", "head."
Description = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Head:
    """A multinomial logistic regression on standardised features.

    Attributes:
        mean: of every feature.
        deviation: of every feature.
        coefficients: ``types x features``.
        intercept: one for each type.
    """

    mean: Description
    deviation: Description
    coefficients: Description
    intercept: Description

    def probability(self, windows: Description) -> Description:
        """``types``: mean over the windows of a frame of their probabilities."""
        scores = (windows - self.mean) / self.deviation @ self.coefficients.T + self.intercept
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: Description = (grown / grown.sum(axis=1, keepdims=True)).mean(axis=0)
        return found

    def tensors(self) -> dict[str, Tensor]:
        """As they are stored."""
        names = ("mean", "deviation", "coefficients", "intercept")
        return {f"{_HEAD}{name}": torch.from_numpy(getattr(self, name).astype(np.float32)) for name in names}


def fit_head(frames: Sequence[Description], types: Sequence[int], n_types: int, penalty: float) -> Head:
    """Fits a head; every type counts alike, and every frame of a type.

    Args:
        frames: ``windows x features`` of each frame.
        types: index of each frame's type; every one of them occurs.
        n_types: number of types.
        penalty: inverse strength of the regularisation.
    """
    from sklearn.linear_model import LogisticRegression

    windows = np.concatenate(list(frames))
    owner = np.repeat(np.asarray(types), [len(frame) for frame in frames])
    per_type = np.bincount(types, minlength=n_types)
    weight = np.concatenate(
        [np.full(len(f), 1 / (len(f) * per_type[t])) for f, t in zip(frames, types, strict=True)]
    )
    weight *= len(windows) / weight.sum()
    mean = np.average(windows, axis=0, weights=weight)
    deviation = np.sqrt(np.average((windows - mean) ** 2, axis=0, weights=weight)) + 1e-6
    fitted = LogisticRegression(C=penalty, max_iter=2000)
    fitted.fit((windows - mean) / deviation, owner, sample_weight=weight)
    coefficients, intercept = fitted.coef_, fitted.intercept_
    if n_types == 2:  # scikit-learn keeps one row for two classes
        coefficients, intercept = (
            np.vstack([-coefficients, coefficients]) / 2,
            np.array([-1, 1]) * intercept / 2,
        )
    return Head(mean, deviation, coefficients, intercept)


class FrameClassifier:
    """Tells the type of frames.

    Args:
        encoder: of the network.
        head: on its pooled features.
        card: what the model is.
    """

    def __init__(self, encoder: nn.Module, head: Head, card: FrameTypesCard) -> None:
        self._head, self.card = head, card
        self._describer = describer(encoder, card)

    def probability(self, pixels: Pixels) -> dict[str, float]:
        """Probability of each type.

        Raises:
            ImageError: the pixels are no grey image.
        """
        found = self._head.probability(self._describer.describe(pixels))
        return dict(zip(self.card.types, found.tolist(), strict=True))


def describer(encoder: nn.Module, card: FrameTypesCard) -> FrameDescriber:
    """What describes frames for a model."""
    return FrameDescriber(
        encoder, card.preprocessing, stride_px=card.architecture.stride_px,
        window_px=card.window_px, most_windows=card.most_windows,
    )  # fmt: skip


def stored_tensors(encoder: nn.Module, head: Head) -> dict[str, Tensor]:
    """Encoder and head as they are stored."""
    state = {f"{_ENCODER}{name}": t.detach().cpu().contiguous() for name, t in encoder.state_dict().items()}
    return state | head.tensors()


def load_frame_classifier(path: Path) -> FrameClassifier:
    """Loads a model of frame types.

    Raises:
        ModelError: as `read_frame_types_card` does, or the tensors do not fit the card.
    """
    path = Path(path)
    card = read_frame_types_card(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the model file is damaged or cut short ({error}): copy it again"
        ) from error
    if tensors_sha256(tensors) != card.weights_sha256:
        raise ModelError(f"{path}: the weights are not those that the model card describes: copy it again")
    encoder = build_network(card.architecture, 2).get_submodule("encoder")
    try:
        encoder.load_state_dict(_part(tensors, _ENCODER))
        head = Head(**{name: t.double().numpy() for name, t in _part(tensors, _HEAD).items()})
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"{path}: the weights do not fit the {card.architecture.encoder} of their card"
        ) from error
    return FrameClassifier(encoder, head, card)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
