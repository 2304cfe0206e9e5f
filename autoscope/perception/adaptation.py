"""A model for a new imaging condition, from unlabelled frames alone: batch normalisation looked up anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from autoscope.core import ConfigurationError, ModelError
from autoscope.images import read_micrograph
from autoscope.perception.card import Adaptation, ModelCard
from autoscope.perception.devices import Device, choose_device
from autoscope.perception.inference import padded
from autoscope.perception.pairs import file_sha256, find_images
from autoscope.perception.preprocessing import network_input
from autoscope.perception.weights import read_model, stored_form, tensors_sha256, write_model

PRIOR_FRAMES = 4.0
"""How many frames the statistics of training count for beside those of the new condition."""


def adapt(
    model: Path,
    images: Path,
    output: Path,
    *,
    prior_frames: float = PRIOR_FRAMES,
    device: Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> ModelCard:
    """Writes a model whose batch normalisation has seen frames of a new condition.

    No label is used. The old model's scores, its calibration and whatever else was fitted to it are not
    carried over.

    Args:
        model: the ``.safetensors`` file to begin with.
        images: folder of frames of the new condition.
        output: the ``.safetensors`` file to write.
        prior_frames: how many frames the old statistics count for.
        device: where it runs.
        progress: hears how many frames are done, and of how many.

    Raises:
        ModelError: the model cannot be used, or has no batch normalisation.
        ConfigurationError: the folder has no images, or the output does not end in ``.safetensors``.
        ImageError: an image is damaged.
    """
    if output.suffix != ".safetensors":
        raise ConfigurationError(f"{output}: a model file must end in .safetensors")
    if prior_frames < 0:
        raise ConfigurationError(f"prior_frames = {prior_frames:g} must be at least 0")
    stored, files = read_model(model), find_images(images)
    network = stored.network.to(choose_device(device))

    def read() -> Iterator[NDArray[np.float32]]:
        for done, path in enumerate(files):
            frame = network_input(read_micrograph(path).pixels, stored.card.preprocessing)
            yield padded(frame, stored.card.architecture.stride_px)
            if progress is not None:
                progress(done + 1, len(files))

    try:
        renew_statistics(network, read(), prior_frames=prior_frames)
    except ValueError as error:
        raise ModelError(f"{model}: {error}") from error
    return _write(output, network, stored.card, files, prior_frames)


def renew_statistics(
    network: nn.Module, frames: Iterable[NDArray[np.float32]], *, prior_frames: float
) -> None:
    """Sets the means and variances of batch normalisation to a mixture of old and new ones.

    With n new frames the old mean counts with n0/(n0 + n), the new with n/(n0 + n), and the variances are
    mixed alike (Schneider et al. 2020, equation 3). The network looks at each frame through the statistics
    of that frame; the mean over the frames is what is new.

    Args:
        network: changed in place, and left in evaluation mode.
        frames: normalised, ``height x width`` each, multiples of the network's stride.
        prior_frames: n0.

    Raises:
        ValueError: the network has no batch normalisation, or there is no frame.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        raise ValueError("the network has no batch normalisation to adapt")
    old = [_statistics(layer) for layer in layers]
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the frames
        layer.train()
    device = next(network.parameters()).device
    count = 0
    with torch.no_grad():
        for frame in frames:
            network(torch.from_numpy(np.ascontiguousarray(frame)).to(device)[None, None])
            count += 1
    if count == 0:
        raise ValueError("there is no frame to adapt to")
    share = count / (prior_frames + count)
    for layer, (mean, variance), momentum in zip(layers, old, momenta, strict=True):
        new_mean, new_variance = _statistics(layer)
        layer.running_mean, layer.running_var = (
            torch.lerp(mean, new_mean, share),
            torch.lerp(variance, new_variance, share),
        )
        layer.momentum = momentum
    network.eval()


def _statistics(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    mean, variance = layer.running_mean, layer.running_var
    if mean is None or variance is None:
        raise ValueError("a batch normalisation keeps no statistics")
    return mean.clone(), variance.clone()


def _write(
    output: Path, network: nn.Module, card: ModelCard, files: Sequence[Path], prior_frames: float
) -> ModelCard:
    tensors = stored_form(network.state_dict())
    adaptation = Adaptation(
        from_sha256=card.sha256,
        images_sha256=tuple(file_sha256(path) for path in files),
        prior_frames=prior_frames,
    )
    changed = {"adaptation": adaptation, "weights_sha256": tensors_sha256(tensors)}
    new = card.without_fits().model_copy(update=changed)
    write_model(output, tensors, new)
    return new
