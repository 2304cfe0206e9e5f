"""What a model looks at when it finds a class in a frame: Grad-CAM, and an occlusion map.

Sources: Selvaraju et al., ICCV 2017, 618 (Grad-CAM); Vinogradova et al., AAAI 2020, arXiv:2002.11434 (for
segmentation: the score is summed over the pixels of the class); Zeiler & Fergus, ECCV 2014, 818 (occlusion).
Computed by captum.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from autoscope.core import ConfigurationError, ImageError, nearest
from autoscope.perception.calibration_card import Calibration
from autoscope.perception.card import ModelCard
from autoscope.perception.inference import padded
from autoscope.perception.preprocessing import check_pixels, network_input
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_EXPLAINED_PX = 2**22
"""Pixels of the largest frame: it goes through the network in one piece, and gradients need memory."""

Map = NDArray[np.float32]


class ExplanationSettings(Settings):
    """How a frame is explained.

    Attributes:
        occlusion_cells: the frame's longer edge is hidden in so many pieces, one after the other; 0: no
            occlusion map. The cost is one pass of the network for each cell.
    """

    occlusion_cells: Annotated[int, Field(ge=0, le=64)] = 8


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a model finds a class in a frame.

    Attributes:
        class_name: the class.
        share: of the frame that the model gives to the class.
        probability: mean probability of the class over these pixels; over the frame where there are none.
        grad_cam: ``height x width`` in [0, 1]: where the deepest features speak for the class, relative to
            the strongest place; all 0 where nothing does.
        occlusion: ``height x width``: by how much that probability falls when the place is hidden under the
            frame's mean grey level; below 0 where it rises. None unless asked for.
    """

    class_name: str
    share: float
    probability: float
    grad_cam: Map
    occlusion: Map | None


def explain_frame(
    network: nn.Module,
    card: ModelCard,
    pixels: Pixels,
    class_name: str,
    settings: ExplanationSettings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Explains one class of one frame.

    Args:
        network: of the model.
        card: of the model.
        pixels: ``height x width``.
        class_name: the class.
        settings: how.
        progress: hears how many cells were hidden, and of how many.

    Raises:
        ConfigurationError: the model has no such class, or captum is not installed.
        ImageError: no grey image, or one that is too large.
    """
    settings, index = settings or ExplanationSettings(), _class_index(card, class_name)
    frame, shape = _normalised(pixels, card), pixels.shape
    target = _Target(network.eval(), card.calibration, index, shape)
    with torch.no_grad():
        labelled = target.labelled(frame)
    target.region = labelled if bool(labelled.any()) else torch.ones_like(labelled)
    with torch.no_grad():
        probability = float(target.probability(frame))
    cam = _grad_cam(target, frame)[: shape[0], : shape[1]]
    occlusion = None
    if settings.occlusion_cells:
        occlusion = _occlusion(target, frame, settings.occlusion_cells, progress)[: shape[0], : shape[1]]
    return Explanation(class_name, float(labelled.float().mean()), probability, cam, occlusion)


class _Target(nn.Module):
    """One number for a frame: how much of the class there is in the region, and how surely.

    Labels and probabilities are the calibrated ones, without draws of a posterior.
    """

    def __init__(
        self, network: nn.Module, calibration: Calibration | None, index: int, shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.network, self.index, self.shape = network, index, shape
        self.offsets = torch.zeros(1) if calibration is None else torch.tensor(calibration.offsets)
        self.temperature = 1.0 if calibration is None else calibration.temperature
        self.region = torch.ones(shape, dtype=torch.bool)

    def labelled(self, frame: Tensor) -> Tensor:
        return self._scores(frame)[0].argmax(dim=0) == self.index

    def forward(self, frame: Tensor) -> Tensor:
        """Mean class score over the region, one for each frame."""
        return self._scores(frame)[:, self.index][:, self.region].mean(dim=1)

    def probability(self, frame: Tensor) -> Tensor:
        """Mean class probability over the region, one for each frame."""
        return self._scores(frame).softmax(dim=1)[:, self.index][:, self.region].mean(dim=1)

    def _scores(self, frame: Tensor) -> Tensor:
        scores: Tensor = self.network(frame)
        inside = scores[..., : self.shape[0], : self.shape[1]]
        return (inside + self.offsets[:, None, None]) / self.temperature


def _grad_cam(target: _Target, frame: Tensor) -> Map:
    attr = _captum()
    with _watched(target.network.get_submodule("encoder")) as deepest:
        found: Tensor = attr.LayerGradCam(target, deepest).attribute(frame.clone(), relu_attributions=True)
    wide = functional.interpolate(found.detach(), frame.shape[-2:], mode="bilinear", align_corners=False)
    strongest = float(wide.max())
    scaled: Map = (wide[0, 0] / strongest if strongest > 0 else wide[0, 0]).numpy().astype(np.float32)
    return scaled


@contextmanager
def _watched(encoder: nn.Module) -> Iterator[nn.Module]:
    """A module through which the deepest features go, and nothing else, in any encoder."""
    passage = nn.Identity()
    hook = encoder.register_forward_hook(lambda _module, _given, out: [*out[:-1], passage(out[-1])])
    try:
        yield passage
    finally:
        hook.remove()


def _occlusion(
    target: _Target, frame: Tensor, cells: int, progress: Callable[[int, int], None] | None
) -> Map:
    attr = _captum()
    height, width = frame.shape[-2:]
    edge = -(-max(height, width) // cells)
    window = (1, min(edge, height), min(edge, width))
    passes = 1 + -(-height // window[1]) * -(-width // window[2])
    done = 0

    def score(hidden: Tensor) -> Tensor:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, passes), passes)
        return target.probability(hidden)

    with torch.no_grad():
        found: Tensor = attr.Occlusion(score).attribute(
            frame, sliding_window_shapes=window, strides=window, baselines=float(frame.mean())
        )
    fall: Map = found[0, 0].numpy().astype(np.float32)
    return fall


def _normalised(pixels: Pixels, card: ModelCard) -> Tensor:
    """``1 x 1 x height x width``, padded to the network's stride."""
    check_pixels(pixels)
    if pixels.size > LARGEST_EXPLAINED_PX:
        raise ImageError(
            f"frame: {pixels.shape[1]} x {pixels.shape[0]} px are {pixels.size} px, the limit for an"
            f" explanation is {LARGEST_EXPLAINED_PX} px: cut the frame into pieces"
        )
    whole = padded(network_input(pixels, card.preprocessing), card.architecture.stride_px)
    return torch.from_numpy(np.ascontiguousarray(whole))[None, None]


def _class_index(card: ModelCard, class_name: str) -> int:
    if class_name not in card.classes:
        raise ConfigurationError(
            f"the model has no class {class_name!r}{nearest(class_name, card.classes)}; it has:"
            f" {', '.join(card.classes)}"
        )
    return card.classes.index(class_name)


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise ConfigurationError(
            f"explanations need captum, which cannot be imported ({error}): pip install 'autoscope[explain]'"
        ) from error
    return attr
