"""The overview reader on disk: safetensors with its card inside, and the card again as JSON beside it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from autoscope.core import ModelError
from autoscope.perception.overview_card import READER_CARD_KEY, ReaderCard, read_reader_card
from autoscope.perception.overview_network import OverviewReader, ReaderShape
from autoscope.perception.weights import tensors_sha256


def stored_tensors(reader: OverviewReader) -> dict[str, torch.Tensor]:
    """The tensors as they are stored, and as the card's hash is taken of."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in reader.state_dict().items()}


def write_reader(path: Path, reader: OverviewReader, card: ReaderCard) -> None:
    """Writes ``path`` and the card beside it.

    Args:
        path: ends in ``.safetensors``.
        reader: trained.
        card: whose ``weights_sha256`` is that of `stored_tensors`.
    """
    path.write_bytes(save(stored_tensors(reader), metadata={READER_CARD_KEY: card.to_json(indent=None)}))
    path.with_suffix(".json").write_text(card.to_json() + "\n", encoding="utf-8")


def load_reader(path: Path) -> tuple[OverviewReader, ReaderCard]:
    """Builds a reader and fills it.

    Raises:
        ModelError: as `read_reader_card` does, or the tensors do not fit the card.
    """
    path = Path(path)
    card = read_reader_card(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: the overview reader is damaged or cut short ({error}): copy it again"
        ) from error
    if tensors_sha256(tensors) != card.weights_sha256:
        raise ModelError(f"{path}: the weights are not those that the card describes: copy it again")
    reader = OverviewReader(len(card.heads), ReaderShape(card.features, card.width))
    try:
        reader.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(f"{path}: the weights do not fit the network of their card") from error
    return reader.eval(), card
