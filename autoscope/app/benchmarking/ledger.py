"""The finished episodes of a benchmark, one JSON document a line, so that a second call goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from autoscope.app.benchmarking.episode import Answer, Episode
from autoscope.core import RecordError

EPISODES = "episodes.jsonl"


class Ledger:
    """Episodes on disk.

    A last line that was torn when the process was killed is dropped; its episode runs again. Episodes of
    other cells (an older configuration, or older code) stay in the file and do not count.

    Args:
        folder: of the benchmark; made where it is missing.

    Raises:
        RecordError: the file cannot be read or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EPISODES
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._drop_torn_line()
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        except OSError as error:
            raise RecordError(f"{self._path}: {error.strerror or error}") from error
        self._episodes = {
            (episode.cell, episode.number): episode
            for episode in (self._read(line, number) for number, line in enumerate(lines, start=1))
        }

    def of(self, cell: str, count: int) -> dict[int, Episode]:
        """The finished ones of a cell's first ``count`` episodes, by number."""
        found = ((number, self._episodes.get((cell, number))) for number in range(count))
        return {number: episode for number, episode in found if episode is not None}

    def add(self, episodes: Iterable[Episode]) -> None:
        """Appends episodes; they are on disk when this returns.

        Raises:
            RecordError: they cannot be written.
        """
        new = tuple(episodes)
        text = "".join(json.dumps(asdict(episode)) + "\n" for episode in new)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RecordError(f"{self._path} cannot be written: {error.strerror or error}") from error
        self._episodes.update({(episode.cell, episode.number): episode for episode in new})

    def _drop_torn_line(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb+") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                file.truncate(whole)

    def _read(self, line: str, number: int) -> Episode:
        try:
            document = json.loads(line)
            document["answers"] = tuple(Answer(**answer) for answer in document["answers"])
            return Episode(**document)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{self._path}, line {number} is not an episode: delete the file and run again"
            ) from error
