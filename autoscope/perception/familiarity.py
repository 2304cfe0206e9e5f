"""Whether a frame resembles what a model was made for: densities of its features, its sharpness, its streaks.

A window of a frame is described by the mean and the spread of the encoder's channels at a middle and a coarse
stage, which the segmentation computes anyway, by a few statistics of its grey levels and by its spectrum. Six
signs are read from that: a density of each of the four descriptions, the steepest drop of the spectrum, which
tells defocus, and the largest jump between rows, which tells charging. Each sign is put on one scale by how
it scatters on images that were left out; the largest one counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ModelError
from autoscope.perception.frame_spectrum import SMALLEST_SLOPE_SPREAD
from autoscope.perception.frame_statistics import SMALLEST_SPREAD, STATISTICS
from autoscope.perception.look import FamiliarityCard, Guess, Level, Look
from autoscope.perception.signs import Density, Direction, Features

GROUP = "familiarity"
"""Name of the group of tensors in the model's file."""

DESCRIPTIONS = ("middle", "coarse", "statistics", "spectrum")
MEASURED = ("steepness", "streaks")
"""Signs: a density for each description, and numbers that are signs as they are."""

_SMALLEST: Mapping[str, Features | float] = {
    "statistics": np.asarray(SMALLEST_SPREAD),
    "spectrum": SMALLEST_SLOPE_SPREAD,
}
_EARLIER = ("fine", "coarse", "statistics"), ("defocus", "charging")
"""Densities and directions of models that were fitted before a spectrum was looked at."""

_TROUBLES: Mapping[str, Guess] = {
    "steepness": "defocus", "streaks": "charging", "defocus": "defocus", "charging": "charging"
}  # fmt: skip
"""What a sign beyond suspicion says is wrong; another material where a density alone is."""

EMPTY_BELOW = 0.12
"""A frame with less of its variance beyond the two finest octaves holds noise and no structure (1/16 would
be white noise)."""

_BLACK = STATISTICS.index("black")
_OCTAVES = [STATISTICS.index("octave_0"), STATISTICS.index("octave_1")]


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a frame.

    Attributes:
        fine: ``windows x features`` of an early stage of the encoder.
        middle: likewise of the next one.
        coarse: likewise of a late one.
        statistics: ``windows x statistics`` of the grey levels.
        spectrum: ``windows x slopes`` of the power over spatial frequency.
        streaks: ``windows x 1``, how much more rows jump than columns.
    """

    fine: Features
    middle: Features
    coarse: Features
    statistics: Features
    spectrum: Features
    streaks: Features

    @classmethod
    def joined(cls, parts: Sequence[Windows]) -> Windows:
        """The windows of several frames."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def __len__(self) -> int:
        return len(self.fine)

    def chosen(self, which: NDArray[np.bool_]) -> Windows:
        """Some of the windows."""
        return Windows(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def steepness(self) -> Features:
        """``windows x 1``, the steepest drop of the spectrum."""
        return np.asarray(self.spectrum.max(axis=1, keepdims=True))

    @property
    def for_directions(self) -> Features:
        """What directions of troubles are read from; no trouble that is known makes black pixels."""
        return np.concatenate([self.fine, np.delete(self.statistics, _BLACK, axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class Signs:
    """What is fitted to windows, before it is calibrated.

    Attributes:
        densities: of the descriptions that are looked at, by name.
        directions: of troubles, by name; models that are fitted now have none.
        measured: names of the numbers that are signs as they are.
    """

    densities: Mapping[str, Density]
    directions: Mapping[str, Direction]
    measured: tuple[str, ...]

    @classmethod
    def fit(cls, clean: Windows) -> Self:
        """Fits to windows of what is familiar."""
        densities = {n: Density.fit(getattr(clean, n), _SMALLEST.get(n, 0.0)) for n in DESCRIPTIONS}
        return cls(densities, {}, MEASURED)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the signs, in the order in which they are read."""
        return *self.densities, *self.directions, *self.measured

    def read(self, windows: Windows) -> Features:
        """``windows x signs``, raw."""
        densities = [density.score(getattr(windows, name)) for name, density in self.densities.items()]
        directions = [direction.score(windows.for_directions) for direction in self.directions.values()]
        measured = [getattr(windows, name)[:, 0] for name in self.measured]
        return np.stack([*densities, *directions, *measured], axis=1)


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The calibrated signs of one model.

    Attributes:
        signs: as fitted.
        middle: ``signs``, subtracted from what is read.
        unit: ``signs``, what the rest is divided by, such that 1 is the edge of suspicion.
        card: what the levels promise.
    """

    signs: Signs
    middle: Features
    unit: Features
    card: FamiliarityCard

    def scores(self, windows: Windows) -> Features:
        """``signs`` of a whole frame: the mean over the worse half of its windows, for each sign."""
        read = (self.signs.read(windows) - self.middle) / self.unit
        worse = -(-len(read) // 2)
        return np.asarray(np.sort(read, axis=0)[-worse:].mean(axis=0))

    def judge(self, windows: Windows) -> Look:
        """Judges a frame by its windows."""
        scores = self.scores(windows)
        score = float(scores.max())
        level: Level = "familiar"
        if score > 1:
            level = "foreign" if score > self.card.foreign_score else "suspicious"
        guess: Guess = (
            "" if level == "familiar" else _guess(dict(zip(self.signs.names, scores, strict=True)), windows)
        )
        return Look(level, score, guess)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What to store in the model's file, by name."""
        stored = {"middle": self.middle.astype(np.float32), "unit": self.unit.astype(np.float32)}
        parts = {name: density.arrays() for name, density in self.signs.densities.items()}
        parts |= {name: direction.arrays() for name, direction in self.signs.directions.items()}
        for name, arrays in parts.items():
            stored |= {f"{name}.{part}": array for part, array in arrays.items()}
        return stored

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]], card: FamiliarityCard) -> Self:
        """From what was stored, with the signs of the time when it was fitted.

        Raises:
            ModelError: something is missing.
        """

        def part(name: str) -> dict[str, NDArray[np.float32]]:
            start = f"{name}."
            return {key.removeprefix(start): v for key, v in arrays.items() if key.startswith(start)}

        earlier = any(key.startswith(f"{_EARLIER[1][0]}.") for key in arrays)
        densities, directions = _EARLIER if earlier else (DESCRIPTIONS, ())
        try:
            signs = Signs(
                {name: Density.of(part(name)) for name in densities},
                {name: Direction.of(part(name)) for name in directions},
                () if earlier else MEASURED,
            )
            middle, unit = (np.asarray(arrays[name], np.float64) for name in ("middle", "unit"))
        except KeyError as error:
            raise ModelError(
                f"the model's familiarity lacks {error.args[0]!r}: fit it again with 'autoscope segment"
                " familiarity'"
            ) from None
        return cls(signs, middle, unit, card)


def _guess(scores: Mapping[str, float], windows: Windows) -> Guess:
    """No structure is empty; else the known trouble whose sign is beyond suspicion; else another material."""
    finest = np.exp(windows.statistics[:, _OCTAVES]).sum(axis=1)
    if float(1 - finest.mean()) < EMPTY_BELOW:
        return "empty"
    worst = max((name for name in scores if name in _TROUBLES), key=lambda name: scores[name])
    return _TROUBLES[worst] if scores[worst] > 1 else "other material"
