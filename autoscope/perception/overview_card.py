"""The card of an overview reader: what it was trained on, and how it is told apart. Imports no torch."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open

from autoscope.core import ModelError
from autoscope.perception.card import refuse_what_is_no_model
from autoscope.perception.settings import Card, Settings

READER_CARD_KEY = "autoscope.overview-card"


def shipped_reader() -> Path:
    """The weights of the overview reader that comes with autoscope."""
    return Path(str(resources.files("autoscope.perception"))) / "readers" / "overview.safetensors"


class TrainedOn(Settings):
    """A specimen that the reader has seen.

    Attributes:
        name: of the specimen.
        sha256: of its file.
    """

    name: str
    sha256: str


class ReaderCard(Card):
    """All that is known of an overview reader.

    Attributes:
        schema_: names this form of card.
        heads: classes that the heads were trained on, ``kind.class``.
        features: feature maps that describe a field.
        width: channels at full resolution.
        trained_on: specimens it has seen; no result may be shown on them.
        seeds: of the synthetic specimens among them, by kind.
        steps: optimiser steps.
        software: versions of what it was trained with.
        weights_sha256: hash of the stored tensors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["autoscope.overview-reader/1"] = Field("autoscope.overview-reader/1", alias="schema")
    heads: tuple[str, ...]
    features: int
    width: int
    trained_on: tuple[TrainedOn, ...]
    seeds: dict[str, tuple[int, ...]]
    steps: int
    software: dict[str, str]
    weights_sha256: str

    def saw(self, name: str, sha256: str) -> bool:
        """Whether a specimen was trained on, so that a benchmark must refuse it.

        Args:
            name: of the specimen; a file that was written again has another hash and the same name.
            sha256: of its file.
        """
        return any(specimen.name == name or specimen.sha256 == sha256 for specimen in self.trained_on)


def read_reader_card(path: Path) -> ReaderCard:
    """Reads the card of an overview reader without its weights.

    Raises:
        ModelError: the file is missing, is a pickle, is damaged or cut short, or has no valid card.
    """
    path = Path(path)
    refuse_what_is_no_model(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(READER_CARD_KEY)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the overview reader is damaged or cut short ({error}): copy it again"
        ) from error
    if text is None:
        raise ModelError(f"{path}: the file has no card of an overview reader: it is another kind of model")
    try:
        return ReaderCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"{path}: the overview reader's card is not valid: {where}: {first['msg']}"
        ) from error
