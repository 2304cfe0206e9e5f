"""The loop of training: crops, losses, averaged weights, validation, early stopping, checkpoints."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from autoscope.core import ModelError, component_rng
from autoscope.perception.architecture import build_network
from autoscope.perception.batches import Batches
from autoscope.perception.card import EncoderWeights
from autoscope.perception.checkpoint import save_checkpoint
from autoscope.perception.devices import choose_precision
from autoscope.perception.encoder_weights import load_encoder_weights
from autoscope.perception.evaluation import class_scores, confusion_matrix, mean_iou
from autoscope.perception.inference import NetworkRunner
from autoscope.perception.losses import SegmentationLoss
from autoscope.perception.pairs import LabelledImage
from autoscope.perception.preprocessing import network_input
from autoscope.perception.randomness import seeded
from autoscope.perception.settings import TrainingSettings
from autoscope.perception.starting import start_from

_CHECKPOINT_EVERY_S = 20.0
_SETTLING_BATCHES = 16
"""Batches from which the averaged weights' normalisation statistics are computed before they are used."""
_WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What is trained and validated on.

    Attributes:
        training: images with labels.
        validation: images with labels, held out.
        hashes: of the image and mask files, training first.
    """

    training: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    hashes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where training stands after a step.

    Attributes:
        step: counted from 1.
        steps: at most so many.
        loss: of this step.
        learning_rate: of this step.
        validation_iou: mean intersection over union of the latest validation; None before the first.
        best_iou: the best so far.
        elapsed_s: since this process began to train.
        remaining_s: at the pace so far, if training does not end early.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    validation_iou: float | None
    best_iou: float | None
    elapsed_s: float
    remaining_s: float


@dataclass(slots=True)
class _Best:
    """The best weights so far and how validation went."""

    step: int = 0
    iou: float | None = None
    latest_iou: float | None = None
    stale: int = 0
    state: dict[str, Tensor] | None = None


class Trainer:
    """One training run.

    Args:
        settings: how to train.
        classes: names of the classes.
        data: what to train on.
        encoder_weights: local checkpoint that the encoder begins with.
        device: where to train.
        start: model whose weights to begin with.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        classes: tuple[str, ...],
        data: TrainingSet,
        encoder_weights: Path | None,
        device: torch.device,
        start: Path | None = None,
    ) -> None:
        self.settings, self.classes = settings, classes
        self._data, self._device = data, device
        self._dtype = choose_precision(device)
        self.encoder_weights: EncoderWeights | None = None
        network = build_network(settings.architecture, len(classes), seed=settings.seed)
        if encoder_weights is not None:
            self.encoder_weights = load_encoder_weights(network, encoder_weights)
        self.started_from = (
            None if start is None else start_from(network, settings.architecture, classes, start)
        )
        self._network = network.to(device).to(memory_format=torch.channels_last)
        decay: Any = get_ema_multi_avg_fn(settings.average_decay)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(self._network, multi_avg_fn=decay)
        self._optimiser = self._make_optimiser()
        self._batches = Batches(data.training, len(classes), settings, device)
        self._loss = SegmentationLoss(settings.loss, self._batches.class_weights)
        self._step, self._best = 0, _Best()

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the result: settings, classes, files, encoder weights."""
        weights, start = self.encoder_weights, self.started_from
        content = {
            "settings": self.settings.model_dump(mode="json"),
            "classes": self.classes,
            "files": self._data.hashes,
            "encoder_weights": None if weights is None else weights.sha256,
            "start": None if start is None else start.sha256,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def best_step(self) -> int:
        """How many steps lie behind the weights that were returned."""
        return self._best.step

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to the state of a checkpoint."""
        self._step = state["step"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._best = _Best(**state["best"])

    def run(
        self, checkpoint: Path, progress: Callable[[TrainingProgress], None] | None = None
    ) -> dict[str, Tensor]:
        """Trains to the end and returns the best averaged weights.

        Raises:
            ModelError: the loss is not a number any more.
        """
        settings, began, first = self.settings, time.monotonic(), self._step
        saved = began
        while self._step < settings.steps and self._best.stale < settings.patience:
            loss = self._advance()
            self._step += 1
            if self._data.validation and self._is_validation_step():
                self._settle()
                self._validate()
            now = time.monotonic()
            if now - saved >= _CHECKPOINT_EVERY_S:
                self.save(checkpoint)
                saved = now
            if progress is not None:
                pace = (now - began) / (self._step - first)
                progress(self._report(loss, now - began, pace))
        if self._best.state is None:
            self._settle()
            self._best.step, self._best.state = self._step, _copied(self._average.module)
        return self._best.state

    def save(self, checkpoint: Path) -> None:
        """Writes the state of the training."""
        best = self._best
        save_checkpoint(
            checkpoint,
            {
                "fingerprint": self.fingerprint,
                "step": self._step,
                "network": self._network.state_dict(),
                "average": self._average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "best": {
                    "step": best.step,
                    "iou": best.iou,
                    "latest_iou": best.latest_iou,
                    "stale": best.stale,
                    "state": best.state,
                },
            },
        )

    def _make_optimiser(self) -> torch.optim.Optimizer:
        settings = self.settings
        encoder = list(self._network.get_submodule("encoder").parameters())
        inside = {id(parameter) for parameter in encoder}
        rest = [parameter for parameter in self._network.parameters() if id(parameter) not in inside]
        groups = [
            {"params": encoder, "lr": settings.learning_rate * settings.encoder_rate},
            {"params": rest, "lr": settings.learning_rate},
        ]
        return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def _set_rates(self) -> None:
        """One cycle: a linear rise from a 25th of the rate, then half a cosine down to zero."""
        done = (self._step + 0.5) / self.settings.steps
        if done < _WARM_UP:
            factor = 0.04 + 0.96 * done / _WARM_UP
        else:
            factor = 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))
        rate = self.settings.learning_rate * factor
        for group, share in zip(self._optimiser.param_groups, (self.settings.encoder_rate, 1.0), strict=True):
            group["lr"] = rate * share

    def _settle(self) -> None:
        """Computes the batch normalisation's statistics anew for the averaged weights (Izmailov et al. 2018).

        Those of the weights in training lag behind and belong to other weights.
        """
        seed = self.settings.seed
        batches = (
            self._batches.draw(component_rng(seed, "settling", number))[0]
            for number in range(_SETTLING_BATCHES)
        )
        with seeded(seed):
            update_bn(batches, self._average.module)

    def _advance(self) -> float:
        settings = self.settings
        rng = component_rng(settings.seed, "training step", self._step)
        normalised, labels = self._batches.draw(rng)
        self._network.train()
        reduced = self._dtype is not torch.float32
        with (
            seeded(int(rng.integers(2**63 - 1))),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=reduced),
        ):
            scores = self._network(normalised)
        loss = self._loss(scores.float(), labels)
        self._set_rates()
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._network.parameters(), max_norm=1.0)
        self._optimiser.step()
        self._average.update_parameters(self._network)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(
                f"training diverged at step {self._step + 1}: the loss is {value}; lower the learning rate"
                f" ({settings.learning_rate:g})"
            )
        return value

    def _is_validation_step(self) -> bool:
        return self._step % self.settings.validate_every == 0 or self._step == self.settings.steps

    def _validate(self) -> None:
        runner = NetworkRunner(
            self._average.module,
            self.settings.architecture.stride_px,
            len(self.classes),
            self._device,
            self._dtype,
        )
        n_classes = len(self.classes)
        pooled = np.zeros((n_classes, n_classes), dtype=np.int64)
        for one in self._data.validation:
            image = network_input(one.micrograph.pixels, self.settings.preprocessing)
            pooled += confusion_matrix(one.labels, runner.labels(image), n_classes)
        score = mean_iou(class_scores(pooled, self.classes)) or 0.0
        best = self._best
        best.latest_iou = score
        if best.iou is None or score > best.iou:
            best.iou, best.step, best.stale = score, self._step, 0
            best.state = _copied(self._average.module)
        else:
            best.stale += 1

    def _report(self, loss: float, elapsed_s: float, pace_s: float) -> TrainingProgress:
        return TrainingProgress(
            self._step,
            self.settings.steps,
            loss,
            float(self._optimiser.param_groups[1]["lr"]),
            self._best.latest_iou,
            self._best.iou,
            elapsed_s,
            pace_s * (self.settings.steps - self._step),
        )


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
