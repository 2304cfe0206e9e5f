"""Training that was interrupted goes on: its state on disk, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from autoscope.core import ConfigurationError, ModelError


def checkpoint_path(output: Path) -> Path:
    """Where the state of the training that will write ``output`` is kept."""
    return output.with_name(f"{output.name}.checkpoint")


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain numbers and text, atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, fingerprint: str, device: torch.device) -> dict[str, Any] | None:
    """Reads the state of an interrupted training; None where there is none.

    Args:
        path: of the checkpoint.
        fingerprint: of the settings and data that training is about to go on with.
        device: where the tensors go.

    Raises:
        ModelError: the checkpoint is damaged.
        ConfigurationError: it belongs to other settings or other data.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        found = state["fingerprint"]
    except (
        UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise ModelError(
            f"{path}: the checkpoint of the interrupted training is damaged: delete it to start afresh"
        ) from error
    if found != fingerprint:
        raise ConfigurationError(
            f"{path}: an interrupted training with other settings or other data is kept here: repeat its"
            " settings to go on, delete the file to start afresh, or choose another output"
        )
    return state
