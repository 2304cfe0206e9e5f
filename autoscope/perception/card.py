"""The model card: what a segmentation model is, what it was trained on, and how good it was found to be.

The card travels inside the weights file (safetensors metadata), so that a lone file works; the JSON file
beside it is a copy for people. Nothing here imports torch, and no code from a file is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open

from autoscope.core import ModelError, nearest
from autoscope.perception.calibration_card import Calibration
from autoscope.perception.look import FamiliarityCard
from autoscope.perception.settings import Architecture, Card, Preprocessing, Settings, TrainingSettings

SCHEMA = "autoscope.segmentation-model/1"
CARD_KEY = "autoscope.card"
_ZIP_MAGIC, _PICKLE_MAGIC = b"PK\x03\x04", b"\x80"
_HEADER_BEGINS = b"\0\0\0\0{"
"""Bytes 5 to 9 of safetensors: the upper half of the header's length, then its first character."""
_PIXEL_TOLERANCE = 1.05
"""Factor by which a frame's pixel size may leave the range of training before it is worth a warning."""


class DataFile(Settings):
    """An image that the model was trained or validated on.

    Attributes:
        name: of the image, without its ending.
        role: what it was used for.
        image_sha256: of the image file.
        mask_sha256: of the mask file.
    """

    name: str
    role: Literal["training", "validation"]
    image_sha256: str
    mask_sha256: str


class ClassScore(Settings):
    """How well one class is found; null where the class occurs neither in truth nor in prediction.

    Attributes:
        class_name: the class.
        iou: intersection over union.
        precision: share of what was predicted that is true.
        recall: share of what is true that was predicted.
        f1: harmonic mean of the two, which is the Dice coefficient.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    class_name: str = Field(alias="class")
    iou: float | None
    precision: float | None
    recall: float | None
    f1: float | None


class HeldOutMetrics(Settings):
    """What the stored weights reach on the images that were held out.

    Attributes:
        mean_iou: mean of the classes' intersections over unions, pixels of all images pooled.
        accuracy: share of the pixels that are right.
        per_class: one entry for each class.
    """

    mean_iou: float | None
    accuracy: float
    per_class: tuple[ClassScore, ...]


class EncoderWeights(Settings):
    """The checkpoint that the encoder began with.

    Attributes:
        file: its name.
        sha256: its hash.
        matched: tensors of the encoder that were taken from it.
        total: tensors of the encoder.
    """

    file: str
    sha256: str
    matched: int
    total: int


class StartingModel(Settings):
    """The model whose weights training began with.

    Attributes:
        file: its name.
        sha256: of its card.
        head: whether its last layer was taken over too, because its classes are the same.
    """

    file: str
    sha256: str
    head: bool


class Adaptation(Settings):
    """What batch normalisation was adapted to without labels.

    Attributes:
        from_sha256: of the card of the model before.
        images_sha256: of the frames.
        prior_frames: how many frames the statistics of training counted for.
    """

    from_sha256: str
    images_sha256: tuple[str, ...]
    prior_frames: float


class ModelCard(Card):
    """All that is known of a model.

    Attributes:
        schema_: names this form of card.
        classes: names of the classes, by label value.
        architecture: of the network.
        preprocessing: of the grey levels.
        pixel_nm: smallest and largest pixel size of the training images, nm; None where unknown.
        training_data: the images.
        encoder_weights: what the encoder began with; None when from scratch.
        started_from: the model that training began with; None for none.
        adaptation: to a new imaging condition, after training; None for none.
        held_out: scores on the validation images; None without any.
        steps: optimiser steps behind the stored weights.
        hyperparameters: of the training run.
        software: versions of what it ran on.
        weights_sha256: hash of the stored tensors.
        calibration: what was fitted on images that it was not trained on; None where nothing was.
        familiarity: how it was fitted; None where the model cannot tell what it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["autoscope.segmentation-model/1"] = Field(
        "autoscope.segmentation-model/1", alias="schema"
    )
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=255)]
    architecture: Architecture
    preprocessing: Preprocessing
    pixel_nm: tuple[float, float] | None
    training_data: tuple[DataFile, ...]
    encoder_weights: EncoderWeights | None
    started_from: StartingModel | None = None
    adaptation: Adaptation | None = None
    held_out: HeldOutMetrics | None
    steps: int
    hyperparameters: TrainingSettings
    software: dict[str, str]
    weights_sha256: str
    calibration: Calibration | None = None
    familiarity: FamiliarityCard | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_schema(cls, data: Any) -> Any:
        found = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
        if found != SCHEMA:
            raise ValueError(f"schema {found!r} is not {SCHEMA!r}: it was written by another version")
        return data

    def without_fits(self) -> Self:
        """The card of the bare network: no scores, and nothing that was fitted to its weights."""
        return self.model_copy(update={"held_out": None, "calibration": None, "familiarity": None})

    def to_json(self, *, indent: int | None = 2) -> str:
        """The card as JSON text."""
        values = self.model_dump(mode="json", by_alias=True)
        # a model from before has the same name as ever
        if self.familiarity is None:
            del values["familiarity"]
        if self.calibration is not None and self.calibration.errors is None:
            del values["calibration"]["errors"]
        return json.dumps(values, indent=indent, sort_keys=True)


def read_card(path: Path) -> ModelCard:
    """Reads the card of a model without reading its weights.

    Raises:
        ModelError: the file is missing, is a pickle, is damaged or cut short, or has no valid card.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        from autoscope.perception.onnx_card import open_onnx

        return open_onnx(path)[1]
    refuse_what_is_no_model(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the model file is damaged or cut short ({error}): copy it again"
        ) from error
    text = metadata.get(CARD_KEY)
    if text is None:
        raise ModelError(
            f"{path}: the file holds tensors but no autoscope model card: it was not written by"
            " 'autoscope segment train'"
        )
    return parse_card(text, path)


def refuse_what_is_no_model(path: Path) -> None:
    """Tells a missing file, a folder and a pickle from a weights file by its first bytes.

    Raises:
        ModelError: it is one of these.
    """
    try:
        with path.open("rb") as file:
            first = file.read(9)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read: {error.strerror or error}") from error
    if first.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)) and not first.endswith(_HEADER_BEGINS):
        raise ModelError(
            f"{path}: this is a pickle (a PyTorch checkpoint), which could execute code when it is loaded:"
            " autoscope reads models only as safetensors"
        )


def require_classes(card: ModelCard, classes: Sequence[str], path: Path) -> None:
    """Checks that a model was made for some classes.

    Raises:
        ModelError: it was not; names the first missing class and the classes that there are.
    """
    for name in classes:
        if name not in card.classes:
            raise ModelError(
                f"{path}: the model was made for the classes {', '.join(card.classes)}; it does not know"
                f" {name!r}{nearest(name, card.classes)}"
            )


def pixel_size_notes(card: ModelCard, pixel_nm: float | None) -> tuple[str, ...]:
    """What is to be said of frames of another pixel size than the model was trained at.

    Args:
        card: of the model.
        pixel_nm: edge of a pixel of the frames, nm; None where it is not known.
    """
    if card.pixel_nm is None or pixel_nm is None:
        return ()
    low, high = card.pixel_nm
    if low / _PIXEL_TOLERANCE <= pixel_nm <= high * _PIXEL_TOLERANCE:
        return ()
    trained = f"{low:g} nm" if low == high else f"{low:g} to {high:g} nm"
    return (
        f"the model was trained at a pixel size of {trained} and is used at {pixel_nm:g} nm:"
        " its class maps may be wrong",
    )


def parse_card(text: str, path: Path) -> ModelCard:
    """A card from its text.

    Raises:
        ModelError: it is not valid.
    """
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(f"{path}: the model card is not valid: {where}: {first['msg']}") from error
