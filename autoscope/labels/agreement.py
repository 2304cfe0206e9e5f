"""How far two experts agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.labels.values import Disagreement


def disagreement(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    class_names: Sequence[str],
    experts: tuple[str, str],
) -> Disagreement:
    """Compares two masks of one frame, ``height x width`` each; see :class:`Disagreement`."""
    n = len(class_names)
    pairs = np.bincount(first.ravel().astype(np.intp) * n + second.ravel(), minlength=n * n)
    table = pairs.reshape(n, n).astype(float)
    mine, theirs, both = table.sum(1), table.sum(0), np.diag(table)
    dice = {
        name: float(2 * both[i] / (mine[i] + theirs[i]))
        for i, name in enumerate(class_names)
        if mine[i] + theirs[i] > 0
    }
    total = table.sum()
    observed, by_chance = both.sum() / total, float(mine @ theirs) / total**2
    kappa = 1.0 if by_chance == 1 else float((observed - by_chance) / (1 - by_chance))
    return Disagreement(experts, dice, float(np.mean(list(dice.values()))), kappa)
