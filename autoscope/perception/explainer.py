"""Explanations one after the other, by whichever model made the prediction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from autoscope.core import ModelError
from autoscope.perception.card import ModelCard
from autoscope.perception.explaining import Explanation, ExplanationSettings, explain_frame
from autoscope.perception.segmentation import Pixels
from autoscope.perception.weights import read_network


class Explainer:
    """Explains frames and keeps the last model loaded. For one thread at a time, always the same one.

    Args:
        threads: for the arithmetic; None leaves what torch chooses.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads, self._loaded = threads, dict[str, tuple[nn.Module, ModelCard]]()

    def explain(
        self,
        weights: Path,
        sha256: str,
        pixels: Pixels,
        class_name: str,
        settings: ExplanationSettings,
        progress: Callable[[int, int], None],
    ) -> Explanation:
        """Explains one class of one frame.

        Args:
            weights: file of the model.
            sha256: of the model that it must be.
            pixels: ``height x width``.
            class_name: the class.
            settings: how.
            progress: hears how many cells were hidden, and of how many; whatever it raises ends the work.

        Raises:
            ModelError: the file cannot be used, or holds another model by now.
            ConfigurationError: the model has no such class, or captum is not installed.
            ImageError: no grey image, or one that is too large.
        """
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        network, card = self._model(weights, sha256)
        return explain_frame(network, card, pixels, class_name, settings, progress=progress)

    def _model(self, weights: Path, sha256: str) -> tuple[nn.Module, ModelCard]:
        if sha256 not in self._loaded:
            self._loaded.clear()  # the old one goes before the new one comes
            network, card = read_network(weights)
            if card.sha256 != sha256:
                raise ModelError(
                    f"{weights.name}: the file holds another model by now ({card.sha256[:12]}) than the one"
                    f" that was asked for ({sha256[:12]})"
                )
            self._loaded[sha256] = network, card
        return self._loaded[sha256]
