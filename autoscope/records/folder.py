"""The session folder: which files it has, and how it comes into being whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from autoscope.core import ConfigurationError, RecordError

EVENTS = "events.jsonl"
PIXELS = "session.h5"
CONFIG = "config.toml"
RESULT = "result.json"
REPORT = "report.html"


def create_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder with its contents in one step: it is filled elsewhere and renamed into place.

    Args:
        folder: where it shall be; must not exist, or be an empty folder.
        fill: writes the contents into the folder that it is given.

    Raises:
        ConfigurationError: the folder exists and is not empty, or cannot be made.
    """
    _refuse_existing(folder)
    draft = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        fill(draft)
        for file in draft.iterdir():
            sync(file)
        sync(draft)
        draft.rename(folder)
        sync(folder.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        _refuse_existing(folder)
        raise ConfigurationError(
            f"the session folder {folder} cannot be made: {error.strerror or error}; choose another --out"
        ) from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _refuse_existing(folder: Path) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} exists and is not a folder: choose another --out")
    if (folder / EVENTS).exists():
        raise ConfigurationError(
            f"{folder} holds a session: use --resume {folder} to go on with it, or choose another --out"
        )
    if any(folder.iterdir()):
        raise ConfigurationError(
            f"{folder} exists and is not a session: choose an --out that is empty or does not exist"
        )


def require_session(folder: Path) -> None:
    """Checks that a folder holds a session.

    Raises:
        RecordError: it does not exist, or a file of the session is missing.
    """
    if not folder.is_dir():
        raise RecordError(f"there is no session folder {folder}")
    missing = [name for name in (EVENTS, PIXELS, CONFIG) if not (folder / name).is_file()]
    if len(missing) == 3:
        raise RecordError(f"{folder} is not a session: it has neither {EVENTS} nor {PIXELS} nor {CONFIG}")
    if missing:
        raise RecordError(f"the session in {folder} is damaged: {' and '.join(missing)} missing")


def replace_file(path: Path, text: str) -> None:
    """Writes a text file atomically: readers see the old one or the new one, whole.

    Raises:
        RecordError: it cannot be written; the old one is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise cannot_write(path.parent, error) from error


def sync(path: Path) -> None:
    """Waits until a file's contents, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(folder: Path, error: Exception) -> RecordError:
    """The error to raise when the disk refuses: what it said, and that nothing acknowledged is lost."""
    reason = getattr(error, "strerror", None) or str(error)
    return RecordError(
        f"cannot write to {folder}: {reason}; every step that was acknowledged is on disk. Make room, then"
        f" go on with --resume {folder}"
    )
