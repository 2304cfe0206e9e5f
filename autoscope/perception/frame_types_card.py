"""The card of a model that tells the type of a frame. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open

from autoscope.core import ModelError
from autoscope.perception.card import EncoderWeights, refuse_what_is_no_model
from autoscope.perception.settings import Architecture, Card, Preprocessing, Settings

FRAME_TYPES_KEY = "autoscope.frame-types"


class TypedFile(Settings):
    """An image that the model was fitted to.

    Attributes:
        name: of the file.
        type: the folder it lay in.
        sha256: of the file.
    """

    name: str
    type: str
    sha256: str


class FrameTypesCard(Card):
    """All that is known of a model of frame types.

    Attributes:
        schema_: names this form of card.
        types: names, by index.
        architecture: whose encoder describes the frames.
        encoder_weights: what the encoder began with; None where it is a segmentation model's.
        backbone_sha256: names the segmentation model whose encoder it is; None where it is of a checkpoint.
        preprocessing: of the grey levels.
        window_px: frames are looked at in square windows of this edge.
        most_windows: of one frame, at most.
        penalty: inverse strength of the regularisation of the logistic regression.
        training_data: the images.
        software: versions of what it was fitted with.
        weights_sha256: hash of the stored tensors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["autoscope.frame-types/1"] = Field("autoscope.frame-types/1", alias="schema")
    types: Annotated[tuple[str, ...], Field(min_length=2)]
    architecture: Architecture
    encoder_weights: EncoderWeights | None
    backbone_sha256: str | None
    preprocessing: Preprocessing
    window_px: Annotated[int, Field(ge=64)]
    most_windows: Annotated[int, Field(ge=1)]
    penalty: float
    training_data: tuple[TypedFile, ...]
    software: dict[str, str]
    weights_sha256: str


def read_frame_types_card(path: Path) -> FrameTypesCard:
    """Reads the card of a model of frame types.

    Raises:
        ModelError: the file is missing, a pickle, damaged, or of another kind.
    """
    path = Path(path)
    refuse_what_is_no_model(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(FRAME_TYPES_KEY)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the model file is damaged or cut short ({error}): copy it again"
        ) from error
    if text is None:
        raise ModelError(
            f"{path}: the file is no model of frame types: it was not written by 'autoscope classify train'"
        )
    try:
        return FrameTypesCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(f"{path}: the model card is not valid: {where}: {first['msg']}") from error
