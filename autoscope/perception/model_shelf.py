"""Finding weights files by the hash that names their model; nothing here imports torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.card import read_card
from autoscope.perception.library import shipped_model, shipped_models

_ENDING = ".safetensors"


class ModelShelf:
    """The models that are at hand: those that come with autoscope, and those that somebody named.

    Folders are looked through again whenever a model is not found: one that was trained meanwhile is there.
    A model is known by the card in its file, never by a name or a place that somebody else wrote down.

    Args:
        named: weights files, and folders of them.
        further: more files, asked for whenever a model is looked for.

    Raises:
        ConfigurationError: a named place is not there, is an exported model, or is a folder without models.
        ModelError: a named file is no model.
    """

    def __init__(
        self, named: Sequence[Path] = (), further: Callable[[], Iterable[Path]] = lambda: ()
    ) -> None:
        self._named, self._further = tuple(Path(place) for place in named), further
        self._hashes: dict[Path, tuple[tuple[int, int, int], str | None]] = {}
        self._lock = threading.Lock()
        for place in self._named:
            self._check(place)

    def find(self, sha256: str) -> Path | None:
        """The weights file of a model; None where it is not at hand.

        Args:
            sha256: of the model's card, which covers its weights.
        """
        with self._lock:
            return next((path for path in self._files() if self._hash(path) == sha256), None)

    def _files(self) -> Iterator[Path]:
        yield from (shipped_model(name) for name in shipped_models())
        for place in self._named:
            yield from _inside(place) if place.is_dir() else (place,)
        yield from self._further()

    def _hash(self, path: Path) -> str | None:
        """Hash of the model in a file, read again when the file changes; None where there is no model."""
        try:
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            known = self._hashes.get(path)
            if known is None or known[0] != stamp:
                self._hashes[path] = known = (stamp, read_card(path).sha256)
        except OSError:
            return None
        except ModelError:  # another kind of weights, or not whole yet
            self._hashes[path] = known = (stamp, None)
        return known[1]

    def _check(self, place: Path) -> None:
        if place.is_dir():
            if not any(self._hash(path) for path in _inside(place)):
                raise ConfigurationError(f"{place}: this folder holds no segmentation model ({_ENDING})")
        elif place.suffix == ".onnx":
            raise ConfigurationError(
                f"{place}: an exported model cannot be looked into: name the {_ENDING} file that it was"
                " exported from"
            )
        else:
            read_card(place)


def _inside(folder: Path) -> list[Path]:
    """The weights files of a folder, by name; none where it cannot be read."""
    return sorted(folder.glob(f"*{_ENDING}"))
