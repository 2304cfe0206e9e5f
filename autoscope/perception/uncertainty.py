"""How unsure a calibrated network is about every pixel, and why.

The predictive distribution averages the softmax over draws of the last layer's weights. Its entropy is what
is unsure in total; the mean entropy of the draws is what stays unsure however much one learns (aleatoric);
the difference is the mutual information between class and weights (epistemic; Depeweg et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoscope.perception.calibration_card import Calibration, ErrorChances
from autoscope.perception.entropy import entropy_nats, softmax_and_entropy
from autoscope.perception.error_chances import error_probability
from autoscope.perception.error_signs import tile_signs


@dataclass(frozen=True, slots=True)
class PixelUncertainty:
    """Of a tile.

    Attributes:
        probability: ``classes x height x width``.
        total: ``height x width`` entropy of the predictive distribution, nats.
        aleatoric: mean entropy of the draws, nats.
    """

    probability: Tensor
    total: Tensor
    aleatoric: Tensor


class CalibratedHead:
    """Turns scores and features of a network into calibrated probabilities and their uncertainty.

    Args:
        calibration: None gives the plain softmax.
        deviations: ``pairs x classes x features`` draws of the last layer's weights; None without a
            posterior.
        layer: the convolution of the draws; None where the network has none.
    """

    def __init__(
        self, calibration: Calibration | None, deviations: Tensor | None, layer: nn.Conv2d | None
    ) -> None:
        self._temperature = 1.0 if calibration is None else calibration.temperature
        self._scale = 0.0 if calibration is None else calibration.posterior_scale
        self._offsets = None if calibration is None else torch.tensor(calibration.offsets)
        self._errors: ErrorChances | None = None if calibration is None else calibration.errors
        self._kernels: tuple[Tensor, Tensor] | None = None
        if self._scale and deviations is not None and layer is not None:
            self._kernels = self._kernels_of(deviations * self._scale, layer)

    @property
    def tells_errors(self) -> bool:
        """Whether it was fitted how probably labels are wrong."""
        return self._errors is not None

    def error(self, scores: Tensor, origin: tuple[int, int], shape: tuple[int, ...]) -> Tensor:
        """Probability that the label is wrong, of the pixels of a tile that lie in the frame.

        Args:
            scores: ``classes x height x width`` of the whole tile.
            origin: row and column of the tile's first pixel in the frame.
            shape: of the frame, px.

        Raises:
            ValueError: nothing was fitted that tells.
        """
        if self._errors is None:
            raise ValueError("it was not fitted how probably labels are wrong")
        labels = self.shifted(scores).argmax(dim=0)
        doubt, cells = tile_signs(scores, labels, origin, shape)
        return error_probability(self._errors, doubt, labels[: doubt.shape[0], : doubt.shape[1]], cells)

    @property
    def needs_features(self) -> bool:
        """Whether there are draws to apply to features."""
        return self._kernels is not None

    def shifted(self, scores: Tensor) -> Tensor:
        """Scores plus offsets, ``classes x height x width``: their largest names the class."""
        if self._offsets is None or not bool(self._offsets.any()):
            return scores
        return scores + self._offsets.to(scores.device, scores.dtype)[:, None, None]

    def probability(self, scores: Tensor) -> Tensor:
        """Softmax of calibrated scores without draws."""
        return torch.softmax(self.shifted(scores).float() / self._temperature, dim=0)

    def uncertainty(self, scores: Tensor, features: Tensor | None) -> PixelUncertainty:
        """Of ``classes x height x width`` scores and ``channels x ...`` features of the same tile."""
        scaled = self.shifted(scores).float() / self._temperature
        if self._kernels is None or features is None:
            probability, entropy = softmax_and_entropy(scaled)
            return PixelUncertainty(probability, entropy, entropy)
        probability, aleatoric = torch.zeros_like(scaled), torch.zeros_like(scaled[0])
        for change in self._changes(features, self._kernels):
            for sign in (1.0, -1.0):
                drawn, entropy = softmax_and_entropy(torch.add(scaled, change, alpha=sign))
                probability += drawn
                aleatoric += entropy
        draws = 2 * len(self._kernels[0])
        probability /= draws
        return PixelUncertainty(probability, entropy_nats(probability), aleatoric.div_(draws))

    def _changes(self, features: Tensor, kernels: tuple[Tensor, Tensor]) -> Tensor:
        """``pairs x classes x height x width`` changes of the scaled scores under each draw."""
        weights, biases = (tensor.to(features.device) for tensor in kernels)
        changes = functional.conv2d(
            features[None].float(), weights.flatten(0, 1), biases.flatten(), padding=weights.shape[-1] // 2
        )
        return changes.reshape(*biases.shape, *changes.shape[-2:])

    def _kernels_of(self, deviations: Tensor, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
        scaled = deviations.float() / self._temperature
        return scaled[..., :-1].reshape(len(scaled), *layer.weight.shape), scaled[..., -1]
