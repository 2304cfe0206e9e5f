"""Which parts of the training images are looked at: rare classes as often as common ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PLACES = 2_000_000
"""Places of each class that are remembered, over all images."""


class CropSampler:
    """Draws the centres of crops.

    Args:
        labels: class maps of the images, ``height x width`` each.
        n_classes: how many classes there are.
        crop_px: edge of the crops.
        balanced_share: share of the crops that are centred near a pixel of a class drawn at random.
        rng: chooses the places that are remembered.
    """

    def __init__(
        self,
        labels: Sequence[NDArray[np.uint8]],
        n_classes: int,
        crop_px: int,
        balanced_share: float,
        rng: np.random.Generator,
    ) -> None:
        self._shapes = [(label.shape[0], label.shape[1]) for label in labels]
        self._crop_px, self._balanced_share = crop_px, balanced_share
        self._places = [_places_of(labels, value, rng) for value in range(n_classes)]
        self._present = [value for value, places in enumerate(self._places) if len(places)]

    def draw(self, rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
        """Draws ``count`` crops: number of the image, and row and column of the centre."""
        return [self._draw_one(rng) for _ in range(count)]

    def _draw_one(self, rng: np.random.Generator) -> tuple[int, int, int]:
        if rng.random() < self._balanced_share:
            places = self._places[self._present[rng.integers(len(self._present))]]
            image, row, column = (int(value) for value in places[rng.integers(len(places))])
            reach = self._crop_px // 4
            row, column = (int(v + rng.integers(-reach, reach + 1)) for v in (row, column))
        else:
            image = int(rng.integers(len(self._shapes)))
            row, column = (int(rng.integers(length)) for length in self._shapes[image])
        height, width = self._shapes[image]
        return image, self._inside(row, height), self._inside(column, width)

    def _inside(self, centre: int, length: int) -> int:
        """Moves a centre so that its crop lies inside the image where it fits."""
        half = self._crop_px // 2
        return length // 2 if length <= self._crop_px else min(max(centre, half), length - half - 1)


def _places_of(
    labels: Sequence[NDArray[np.uint8]], value: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """``places x 3``: image, row and column of pixels of a class."""
    limit = max(_PLACES // len(labels), 1)
    parts = []
    for image, label in enumerate(labels):
        flat = np.flatnonzero(label == value)
        if len(flat) > limit:
            flat = flat[rng.choice(len(flat), limit, replace=False)]
        rows, columns = np.divmod(flat, label.shape[1])
        parts.append(np.stack([np.full(len(flat), image), rows, columns], axis=1, dtype=np.int32))
    return np.concatenate(parts)
