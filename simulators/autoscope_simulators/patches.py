"""Round places of a specimen where something is not as elsewhere, a function of the seed."""

from __future__ import annotations

import numpy as np

from autoscope.core import Rectangle, component_rng


class Patches:
    """Circles of one radius, a Poisson process over a specimen (Diggle 2013).

    Args:
        seed: the session's seed.
        name: what they are, such as ``"relief"``; patches of two names lie independently.
        extent: of the specimen.
        per_mm2: how many are expected.
        radius_um: of each.
    """

    def __init__(self, seed: int, name: str, extent: Rectangle, per_mm2: float, radius_um: float) -> None:
        self._radius_um = radius_um
        self._centres_um = np.empty((0, 2))
        if per_mm2 > 0:
            rng = component_rng(seed, f"patches {name}")
            count = int(rng.poisson(per_mm2 * extent.width_um * extent.height_um / 1e6))
            low, high = (extent.x0_um, extent.y0_um), (extent.x1_um, extent.y1_um)
            self._centres_um = rng.uniform(low, high, (count, 2))

    def __len__(self) -> int:
        return len(self._centres_um)

    def hold(self, x_um: float, y_um: float) -> bool:
        """Whether a point lies in one of them."""
        if not len(self._centres_um):
            return False
        off = self._centres_um - (x_um, y_um)
        return bool((np.square(off).sum(axis=1) <= self._radius_um**2).any())
