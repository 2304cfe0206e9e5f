"""JSON files of other programs, read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autoscope.core import LabelError


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        LabelError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabelError(f"{path}: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: not valid JSON: {error}") from error


def write_json(path: Path, document: Any) -> None:
    """Writes a JSON file.

    Raises:
        LabelError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise LabelError(f"{path}: {error.strerror or error}") from error


def damaged(path: Path, error: Exception) -> LabelError:
    """The error for a file that is JSON but lacks or misuses something."""
    return LabelError(f"{path}: not what this format has: {type(error).__name__} {error}")
