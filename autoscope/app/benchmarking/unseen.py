"""A specimen that a learned part saw in training is refused for scoring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.overview_card import read_reader_card


@dataclass(frozen=True, slots=True)
class Card:
    """What the card of a learned part says about its training.

    Attributes:
        name: file name of the card.
        trained_on: SHA-256 of each specimen file that it was trained on.
        names: of these specimens: a file that was written again has another hash and the same name.
    """

    name: str
    trained_on: frozenset[str]
    names: frozenset[str] = frozenset()


def reader_card(path: Path) -> Card:
    """The card of an overview reader.

    Raises:
        ModelError: the reader is missing or damaged.
    """
    seen = read_reader_card(path).trained_on
    return Card(path.name, frozenset(one.sha256 for one in seen), frozenset(one.name for one in seen))


def read_cards(paths: Iterable[Path]) -> tuple[Card, ...]:
    """Reads the cards of learned parts: JSON with a list ``trained_on``.

    Raises:
        ModelError: a card is missing or has no such list.
    """
    return tuple(_read(path) for path in paths)


def check_unseen(name: str, sha256: str, cards: Sequence[Card], own_name: str = "") -> None:
    """Refuses a specimen that was seen in training: its score would say nothing.

    Args:
        name: of the specimen, as the benchmark calls it.
        sha256: of its file.
        cards: of every learned part that takes part.
        own_name: what the file calls it.

    Raises:
        ConfigurationError: a card names the specimen.
    """
    seen_by = [card.name for card in cards if sha256 in card.trained_on or own_name in card.names]
    if seen_by:
        raise ConfigurationError(
            f"specimens: {name} (sha256 {sha256[:12]}...) was used to train {', '.join(seen_by)};"
            " a score on it would say nothing: take another specimen"
        )


def _read(path: Path) -> Card:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path}: not valid JSON: {error}") from error
    trained_on = document.get("trained_on") if isinstance(document, dict) else None
    if not isinstance(trained_on, list) or not all(isinstance(item, str) for item in trained_on):
        raise ModelError(
            f"{path}: a card needs trained_on = [...], the sha256 of every specimen it was trained on"
        )
    return Card(path.name, frozenset(item.lower() for item in trained_on))
