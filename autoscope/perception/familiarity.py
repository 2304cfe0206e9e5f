"""Whether a frame resembles what a model was made for: densities of its features and signs of known troubles.

A window of a frame is described by the mean and the spread of the encoder's channels at a fine and a coarse
stage, which the segmentation computes anyway, and by a few statistics of its grey levels. Five signs are read
from that: a density of each of the three descriptions, and the directions in which defocus and charging move
them. Each sign is put on one scale by how it scatters on images that were left out; the largest one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ModelError
from autoscope.perception.frame_statistics import SMALLEST_SPREAD, STATISTICS
from autoscope.perception.look import FamiliarityCard, Guess, Level, Look
from autoscope.perception.signs import Density, Direction, Features
from autoscope.perception.troubles import TROUBLES, Trouble

GROUP = "familiarity"
"""Name of the group of tensors in the model's file."""

DESCRIPTIONS = ("fine", "coarse", "statistics")
SIGNS = (*DESCRIPTIONS, *TROUBLES)
"""All signs: one density for each description, one direction for each trouble."""

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
        coarse: likewise of a late one.
        statistics: ``windows x statistics`` of the grey levels.
    """

    fine: Features
    coarse: Features
    statistics: Features

    @classmethod
    def joined(cls, parts: list[Windows]) -> Windows:
        """The windows of several frames."""
        return cls(
            np.concatenate([part.fine for part in parts]),
            np.concatenate([part.coarse for part in parts]),
            np.concatenate([part.statistics for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.fine)

    def chosen(self, which: NDArray[np.bool_]) -> Windows:
        """Some of the windows."""
        return Windows(self.fine[which], self.coarse[which], self.statistics[which])

    @property
    def for_troubles(self) -> Features:
        """What the directions of troubles are read from; no trouble that is known makes black pixels."""
        return np.concatenate([self.fine, np.delete(self.statistics, _BLACK, axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class Signs:
    """What is fitted to windows, before it is calibrated."""

    densities: Mapping[str, Density]
    directions: Mapping[Trouble, Direction]

    @classmethod
    def fit(cls, clean: Windows, troubled: Mapping[Trouble, Windows]) -> Self:
        """Fits to windows without trouble, and to windows with each."""
        return cls(
            {
                "fine": Density.fit(clean.fine),
                "coarse": Density.fit(clean.coarse),
                "statistics": Density.fit(clean.statistics, np.asarray(SMALLEST_SPREAD)),
            },
            {t: Direction.fit(clean.for_troubles, w.for_troubles) for t, w in troubled.items()},
        )

    def read(self, windows: Windows) -> Features:
        """``windows x signs``, raw."""
        densities = [self.densities[name].score(getattr(windows, name)) for name in DESCRIPTIONS]
        directions = [self.directions[trouble].score(windows.for_troubles) for trouble in TROUBLES]
        return np.stack([*densities, *directions], axis=1)


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
        return Look(level, score, "" if level == "familiar" else _guess(scores, windows))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What to store in the model's file, by name."""
        stored = {"middle": self.middle.astype(np.float32), "unit": self.unit.astype(np.float32)}
        parts = {name: density.arrays() for name, density in self.signs.densities.items()}
        parts |= {trouble: direction.arrays() for trouble, direction in self.signs.directions.items()}
        for name, arrays in parts.items():
            stored |= {f"{name}.{part}": array for part, array in arrays.items()}
        return stored

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]], card: FamiliarityCard) -> Self:
        """From what was stored.

        Raises:
            ModelError: something is missing.
        """

        def part(name: str) -> dict[str, NDArray[np.float32]]:
            start = f"{name}."
            return {key.removeprefix(start): v for key, v in arrays.items() if key.startswith(start)}

        try:
            signs = Signs(
                {name: Density.of(part(name)) for name in DESCRIPTIONS},
                {trouble: Direction.of(part(trouble)) for trouble in TROUBLES},
            )
            middle, unit = (np.asarray(arrays[name], np.float64) for name in ("middle", "unit"))
        except KeyError as error:
            raise ModelError(
                f"the model's familiarity lacks {error.args[0]!r}: fit it again with 'autoscope segment"
                " familiarity'"
            ) from None
        return cls(signs, middle, unit, card)


def _guess(scores: Features, windows: Windows) -> Guess:
    """No structure is empty; else the known trouble whose sign is beyond suspicion; else another material."""
    finest = np.exp(windows.statistics[:, _OCTAVES]).sum(axis=1)
    if float(1 - finest.mean()) < EMPTY_BELOW:
        return "empty"
    of_troubles = scores[len(DESCRIPTIONS) :]
    worst = int(of_troubles.argmax())
    return TROUBLES[worst] if of_troubles[worst] > 1 else "other material"
