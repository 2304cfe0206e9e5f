"""Fitting a calibration: offsets, temperature, the posterior's scale, and the spread of area fractions.

Everything is fitted on images that the network was not trained on. Images, not pixels, are what is counted:
pixels of one image are wrong together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.area_fitting import KnownFrame, fit_area_spread
from autoscope.perception.calibration_card import Calibration
from autoscope.perception.card import ModelCard
from autoscope.perception.devices import Device
from autoscope.perception.entropy import entropy_nats
from autoscope.perception.error_fitting import fit_error_chances
from autoscope.perception.head_posterior import (
    INDEPENDENT_PX,
    MOST_WEIGHTS,
    draw_deviations,
    laplace_covariance,
)
from autoscope.perception.held_out import HeldOutImage, observe
from autoscope.perception.last_layer import flat_weights, last_layer
from autoscope.perception.library import load_segmenter
from autoscope.perception.network import DEVIATIONS, POSTERIOR, NetworkSegmenter
from autoscope.perception.offsets import balanced_offsets
from autoscope.perception.pairs import LabelledImage, find_pairs, read_pair
from autoscope.perception.weights import add_group

TEMPERATURES = tuple(float(value) for value in np.exp(np.linspace(-0.7, 1.6, 24)))
SCALES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
PRIOR_LOG_TEMPERATURE = 0.7
"""Standard deviation of the logarithm of the temperature before any image was seen."""
_IMAGE_WORTH = 50.0
"""Independent observations that one image counts for against the prior."""


def calibrate(
    model: Path,
    images: Path,
    masks: Path,
    *,
    device: Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> ModelCard:
    """Fits a stored model's calibration on labelled images, in place of what it had, and stores it.

    Args:
        model: its ``.safetensors`` file; it becomes another model, with another hash.
        images: folder of images that it was not trained on.
        masks: folder of masks of the same names.
        device: where it runs.
        progress: hears how many images are done, and of how many.

    Returns:
        The new card.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: the folders do not pair up, or the model was trained on one of the images.
        ImageError: a file is damaged, or a mask does not fit.
    """
    pairs = find_pairs(images, masks)
    segmenter = uncalibrated(model, device)
    trained = {entry.name for entry in segmenter.card.training_data if entry.role == "training"}
    if seen := sorted(pair.name for pair in pairs if pair.name in trained):
        raise ConfigurationError(
            f"{model}: the model was trained on {len(seen)} of these images, such as {seen[0]}: what it is"
            " sure of there says nothing about others; calibrate on images that it has not seen"
        )

    def read() -> Iterable[LabelledImage]:
        for done, pair in enumerate(pairs):
            yield read_pair(pair, segmenter.class_names)
            if progress is not None:
                progress(done + 1, len(pairs))

    return calibrate_on(model, read(), device=device)


def calibrate_on(
    model: Path, images: Iterable[LabelledImage], *, device: Device = "auto", keep_labels: bool = False
) -> ModelCard:
    """As `calibrate`, on images that were read.

    Args:
        model: its file.
        images: that it was not trained on.
        device: where it runs.
        keep_labels: whether class maps must stay as they are: no offsets.
    """
    segmenter = uncalibrated(model, device)
    held_out = [observe(segmenter, image, number) for number, image in enumerate(images)]
    deviations = fit_deviations(segmenter, held_out)
    draws = [deviations] * len(held_out)
    calibration = fit_calibration(segmenter.class_names, held_out, draws, keep_labels=keep_labels)
    return store_calibration(model, calibration, deviations)


def store_calibration(model: Path, calibration: Calibration, deviations: Tensor | None) -> ModelCard:
    """Writes a calibration and its draws into a model's file; returns the new card."""
    tensors = {} if deviations is None else {DEVIATIONS: deviations}
    return add_group(model, POSTERIOR, tensors, calibration=calibration)


def uncalibrated(model: Path, device: Device = "auto") -> NetworkSegmenter:
    """A stored model as if it had not been calibrated."""
    return load_segmenter(model, device=device, engine="torch").plain()


def fit_deviations(segmenter: NetworkSegmenter, images: Sequence[HeldOutImage]) -> Tensor | None:
    """Draws of the last layer's weights from their posterior; None where it can have none.

    Args:
        segmenter: whose last layer it is.
        images: whose features say in which directions the weights are known.
    """
    layer = last_layer(segmenter.network)
    inputs = [image.inputs for image in images if image.inputs is not None]
    if layer is None or not inputs:
        return None
    trained = flat_weights(layer)
    if trained.numel() > MOST_WEIGHTS:
        return None
    labels = torch.cat([image.site_labels for image in images])
    observations = sum(image.pixels for image in images) / INDEPENDENT_PX
    try:
        covariance = laplace_covariance(
            torch.cat(inputs), labels, trained, power=min(1.0, observations / len(labels))
        )
        return draw_deviations(covariance, len(trained))
    except RuntimeError as error:  # of torch.linalg, where a matrix has no inverse
        raise ModelError(
            f"the posterior of the last layer cannot be computed ({error}): its features are not finite"
        ) from error


def fit_calibration(
    classes: Sequence[str],
    images: Sequence[HeldOutImage],
    deviations: Sequence[Tensor | None],
    *,
    keep_labels: bool = False,
) -> Calibration:
    """Fits everything that a card holds.

    Args:
        classes: names.
        images: at least one, seen by networks that were not trained on them.
        deviations: draws of the last layer of each image's network.
        keep_labels: whether class maps must stay as they are: no offsets.

    Raises:
        ConfigurationError: there are no images.
    """
    if not images:
        raise ConfigurationError("there are no images to calibrate on")
    offsets = np.zeros(len(classes)) if keep_labels else balanced_offsets(images)
    tables = np.stack(
        [likelihood_table(image, draws, offsets) for image, draws in zip(images, deviations, strict=True)]
    )
    temperature, scale = _best(tables)
    after = [tables[(number, *_indices(np.delete(tables, number, axis=0)))] for number in range(len(images))]
    frames = [
        _known_frame(image, draws, offsets, temperature, scale)
        for image, draws in zip(images, deviations, strict=True)
    ]
    plain = [
        torch.nn.functional.cross_entropy(image.site_scores, image.site_labels).item() for image in images
    ]
    return Calibration(
        images=tuple(image.name for image in images),
        temperature=temperature,
        offsets=tuple(float(value) for value in offsets),
        posterior_scale=scale,
        nll_before=float(np.mean(plain)),
        nll_after=float(np.mean(after)) if len(images) > 1 else None,
        area=fit_area_spread(frames, classes),
        errors=fit_error_chances(images, offsets, classes),
    )


def likelihood_table(
    image: HeldOutImage, deviations: Tensor | None, offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean negative log-likelihood, nats, ``temperatures x scales``; infinite where there are no draws."""
    table = np.full((len(TEMPERATURES), len(SCALES)), np.inf)
    rows = torch.arange(len(image.site_labels))
    for column, scale in enumerate(SCALES):
        if scale and (deviations is None or image.inputs is None):
            continue
        drawn = _drawn_scores(image, deviations, offsets, scale)
        for row, temperature in enumerate(TEMPERATURES):
            chances = torch.log_softmax(drawn / temperature, dim=-1)[:, rows, image.site_labels]
            table[row, column] = -float((torch.logsumexp(chances, 0) - np.log(len(drawn))).mean())
    return table


def _drawn_scores(
    image: HeldOutImage, deviations: Tensor | None, offsets: NDArray[np.float64], scale: float
) -> Tensor:
    """``draws x n x classes`` scores at the image's sites."""
    scores = image.site_scores + torch.from_numpy(offsets).float()
    if not scale or deviations is None or image.inputs is None:
        return scores[None]
    changes = scale * torch.einsum("nf,pcf->pnc", image.inputs, deviations)
    return torch.cat([scores + changes, scores - changes])


def _indices(tables: NDArray[np.float64]) -> tuple[int, int]:
    """Row and column that are most probable, given ``images x temperatures x scales``."""
    prior = 0.5 * (np.log(TEMPERATURES) / PRIOR_LOG_TEMPERATURE) ** 2
    costs = _IMAGE_WORTH * tables.sum(axis=0) + prior[:, None]
    row, column = np.unravel_index(int(np.argmin(costs)), costs.shape)
    return int(row), int(column)


def _best(tables: NDArray[np.float64]) -> tuple[float, float]:
    row, column = _indices(tables)
    return TEMPERATURES[row], SCALES[column]


def _known_frame(
    image: HeldOutImage,
    deviations: Tensor | None,
    offsets: NDArray[np.float64],
    temperature: float,
    scale: float,
) -> KnownFrame:
    drawn = _drawn_scores(image, deviations, offsets, scale)
    predictive = torch.softmax(drawn / temperature, dim=-1).mean(dim=0)
    found = (image.scores.float() + torch.from_numpy(offsets).float()[:, None, None]).argmax(dim=0).numpy()
    classes = len(offsets)
    return KnownFrame(
        found=_fractions(found, classes),
        truth=_fractions(image.labels, classes),
        entropy_nats=float(entropy_nats(predictive.T).mean()),
        pixels=image.pixels,
    )


def _fractions(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """``5 x classes`` area fractions of the whole and of its quarters."""
    middle = [max(1, length // 2) for length in labels.shape]
    halves = [(slice(0, m), slice(m, None)) for m in middle]
    parts = [labels, *(labels[rows, columns] for rows in halves[0] for columns in halves[1])]
    whole = [part if part.size else labels for part in parts]
    return np.stack([np.bincount(part.ravel(), minlength=classes) / part.size for part in whole])
