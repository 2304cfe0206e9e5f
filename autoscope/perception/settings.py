"""How a segmentation model is built and trained: what a model card repeats, checked on the way in."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]
DecoderKind = Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "segformer"]
_USUAL_CHANNELS = {"fpn": (128, 64), "deeplabv3plus": (128,), "segformer": (128,)}
"""Channels of the decoders that have not one stage for each halving."""


class Settings(BaseModel):
    """Base of the settings: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(Settings):
    """Base of the cards: what a model is, in a form that travels in its file and names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def sha256(self) -> str:
        """Names the model: hash of this card, which holds the hash of the weights."""
        return hashlib.sha256(self.to_json(indent=None).encode()).hexdigest()

    def to_json(self, *, indent: int | None = 2) -> str:
        """The card as JSON text."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=indent, sort_keys=True)


class Preprocessing(Settings):
    """What is done to grey levels before the network sees them.

    ``percentile`` stretches each image between two of its own percentiles: right for images of unlike
    contrast. ``full_range`` only divides by the largest value that the pixel type holds: right where the
    detector's settings stay the same, because a frame that shows a single phase keeps its grey level.
    ``clahe`` is contrast-limited adaptive histogram equalisation (Zuiderveld 1994) after the stretch.

    Attributes:
        kind: which of the three.
        low_percent: percentile that becomes 0.
        high_percent: percentile that becomes 1.
        clip_limit: contrast limit of CLAHE, share of a tile's pixels.
        mean: subtracted from the grey levels in [0, 1].
        deviation: what they are divided by then.
    """

    kind: Literal["percentile", "full_range", "clahe"] = "percentile"
    low_percent: Percent = 0.5
    high_percent: Percent = 99.5
    clip_limit: Share = 0.01
    mean: float = 0.5
    deviation: Annotated[float, Field(gt=0.0)] = 0.25

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_percent >= self.high_percent:
            raise ValueError(
                f"low_percent = {self.low_percent:g} must be below high_percent = {self.high_percent:g}"
            )
        return self


class Architecture(Settings):
    """An encoder of segmentation-models-pytorch and a decoder.

    Decoders: ``unet`` (Ronneberger et al. 2015), ``unetplusplus`` (Zhou et al. 2018), ``fpn`` (Kirillov et
    al. 2019), ``deeplabv3plus`` (Chen et al. 2018) and ``segformer`` (Xie et al. 2021).

    Attributes:
        kind: the decoder's family.
        encoder: the encoder's name in segmentation-models-pytorch; ``tu-...`` are timm's.
        depth: how many times the encoder halves the image.
        decoder_channels: ``unet`` and ``unetplusplus``: channels of the decoder's stages, coarse to fine,
            ``depth`` numbers; ``fpn``: of its pyramid and of its branches, two numbers; ``deeplabv3plus`` and
            ``segformer``: one number.
        reduction: the network sees means over squares of so many px, in training too, and its scores are
            enlarged back: for features whose surroundings decide.
    """

    kind: DecoderKind = "unet"
    encoder: str = "resnet18"
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    decoder_channels: tuple[Annotated[int, Field(ge=1)], ...] = (256, 128, 64, 32, 16)
    reduction: Annotated[int, Field(ge=1, le=8)] = 1

    @model_validator(mode="before")
    @classmethod
    def _usual_channels(cls, data: Any) -> Any:
        if isinstance(data, dict) and "decoder_channels" not in data and data.get("kind") in _USUAL_CHANNELS:
            return data | {"decoder_channels": _USUAL_CHANNELS[data["kind"]]}
        return data

    @model_validator(mode="after")
    def _one_width_per_stage(self) -> Self:
        usual = _USUAL_CHANNELS.get(self.kind)
        wanted = self.depth if usual is None else len(usual)
        if len(self.decoder_channels) != wanted:
            reason = (
                f"one for each of the {self.depth} halvings" if usual is None else f"{wanted}: {self.kind}"
            )
            raise ValueError(f"decoder_channels has {len(self.decoder_channels)} numbers, it needs {reason}")
        return self

    def describe(self) -> str:
        """One line for messages."""
        channels = ", ".join(map(str, self.decoder_channels))
        reduced = f", reduced {self.reduction} times" if self.reduction > 1 else ""
        return f"{self.kind} ({channels}) on {self.encoder}, depth {self.depth}{reduced}"

    @property
    def stride_px(self) -> int:
        """Images must be a multiple of this in height and width."""
        return int(2**self.depth) * self.reduction


class Loss(Settings):
    """What training minimises: a loss of pixels, plus ``region_weight`` times a loss of regions.

    With p_k the probability of class k at a pixel, t its true class and w the class weights:

    - ``cross_entropy``: mean of -w_t log p_t; ``focal``: of -w_t (1 - p_t)^gamma log p_t (Lin et al. 2017);
      both divided by the mean of w_t.
    - ``dice``, ``jaccard``, ``tversky``: 1 - TP / (TP + a FP + b FN), mean over the classes (0 where one is
      absent), with TP, FP and FN sums of probabilities over the batch; a = b = 1/2, a = b = 1, and a = 1 - b
      (Salehi et al. 2017).
    - ``lovasz``: the Lovasz extension of the Jaccard loss (Berman et al. 2018).

    Attributes:
        pixels: the loss of pixels.
        focal_gamma: exponent gamma; 0 is the cross-entropy.
        balance: exponent of the class weights: w_k is the share of the training pixels that are of class k,
            to the power of minus this; 0 weighs all alike, 1 gives every class the same sum.
        regions: the loss of regions.
        region_weight: its weight; 0 leaves it out.
        miss_weight: b of ``tversky``; above 0.5 misses cost more than false finds.
    """

    pixels: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: Annotated[float, Field(ge=0.0, le=5.0)] = 2.0
    balance: Share = 0.0
    regions: Literal["dice", "jaccard", "tversky", "lovasz"] = "dice"
    region_weight: Annotated[float, Field(ge=0.0)] = 1.0
    miss_weight: Share = 0.7


class Augmentation(Settings):
    """How crops are varied. Every number is an amplitude; 0 switches its variation off.

    Lengths in px are those of the image as the network sees it.

    Attributes:
        rotation_deg: largest free rotation; 180 also allows plain quarter turns.
        flip_horizontal: left-right mirroring of half the crops.
        flip_vertical: top-bottom mirroring of half the crops.
        free_share: share of the crops that are rotated freely, scaled and bent; the others keep their
            pixels as they are, apart from quarter turns and mirroring.
        scale: largest natural logarithm of the magnification.
        elastic_px: standard deviation of the smooth displacement, px (Simard et al. 2003).
        brightness: largest shift of grey levels, of the full range.
        contrast: largest natural logarithm of the factor on contrast.
        gamma: largest natural logarithm of the exponent.
        blur_px: largest standard deviation of the blur, px; half the crops are blurred.
        noise: largest standard deviation of the noise, of the full range.
        histogram_share: share of the crops whose histogram is moved towards that of another in the batch.
        fourier_share: share of the crops whose slow Fourier amplitudes are (Yang & Soatto 2020).
    """

    rotation_deg: Annotated[float, Field(ge=0.0, le=180.0)] = 180.0
    flip_horizontal: bool = True
    flip_vertical: bool = True
    free_share: Share = 0.6
    scale: Annotated[float, Field(ge=0.0, le=1.5)] = 0.3
    elastic_px: Annotated[float, Field(ge=0.0)] = 3.0
    brightness: Share = 0.15
    contrast: Annotated[float, Field(ge=0.0, le=2.0)] = 0.35
    gamma: Annotated[float, Field(ge=0.0, le=2.0)] = 0.35
    blur_px: Annotated[float, Field(ge=0.0)] = 1.2
    noise: Share = 0.06
    histogram_share: Share = 0.0
    fourier_share: Share = 0.0


class TrainingSettings(Settings):
    """Everything that decides what a training run gives, besides the data.

    Attributes:
        architecture: the network.
        preprocessing: of the grey levels.
        augmentation: of the crops.
        steps: optimiser steps, at most.
        batch: crops per step.
        crop_px: edge of the square crops, px; a multiple of the network's stride.
        balanced_share: share of the crops that are centred on a pixel of a class drawn at random, each
            class alike, so that rare classes are seen.
        unsure_rim_px: width of the rim of every training image whose labels are not learned from, px: for
            masks that leave out the features which the image's edge cuts.
        learning_rate: peak of the one-cycle schedule (Smith & Topin 2019).
        encoder_rate: factor on the learning rate for the encoder; below 1 for pretrained weights.
        weight_decay: of AdamW.
        loss: what is minimised.
        average_decay: of the exponential moving average of the weights, which is the result.
        validation_share: share of the images that are held out, where none are named.
        validation_images: names (without ending) of the images that are held out.
        validate_every: steps between validations.
        patience: validations without improvement before training ends early.
        pixel_nm: pixel size of the training images, nm, where the files do not say.
        seed: of everything that is random.
    """

    architecture: Architecture = Architecture()
    preprocessing: Preprocessing = Preprocessing()
    augmentation: Augmentation = Augmentation()
    steps: Annotated[int, Field(ge=1)] = 600
    batch: Annotated[int, Field(ge=2)] = 8
    crop_px: Annotated[int, Field(ge=32)] = 256
    balanced_share: Share = 0.5
    unsure_rim_px: Annotated[int, Field(ge=0)] = 0
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    encoder_rate: Annotated[float, Field(ge=0.0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-3
    loss: Loss = Loss()
    average_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    validation_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    validation_images: tuple[str, ...] = ()
    validate_every: Annotated[int, Field(ge=1)] = 100
    patience: Annotated[int, Field(ge=1)] = 5
    pixel_nm: Annotated[float, Field(gt=0.0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _dice_weight_of_older_cards(cls, data: Any) -> Any:
        if isinstance(data, dict) and "dice_weight" in data:
            rest = {name: value for name, value in data.items() if name != "dice_weight"}
            return rest | {"loss": Loss(region_weight=data["dice_weight"])}
        return data

    @model_validator(mode="after")
    def _crops_fit_the_stride(self) -> Self:
        if self.crop_px % self.architecture.stride_px:
            raise ValueError(
                f"crop_px = {self.crop_px} px must be a multiple of {self.architecture.stride_px} px"
            )
        return self
