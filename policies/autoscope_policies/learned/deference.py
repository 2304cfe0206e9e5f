"""Deference: a network departs from the rule only in what it is trusted with, and only if it is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope_policies.learned.network import Floats


@dataclass(frozen=True, slots=True)
class Deference:
    """How far a network yields to the hand-written rule.

    Attributes:
        margin: by how much an output must exceed that of the rule's option; 0 or more.
        trusted: for each choice, whether the network may depart from the rule in it at all.
    """

    margin: float
    trusted: tuple[bool, ...]

    def choose(self, outputs: Sequence[Floats], usual: NDArray[np.int64]) -> NDArray[np.int64]:
        """The network's best option where it is trusted and sure, otherwise the rule's.

        Args:
            outputs: of each choice; minus infinity for options that are not allowed.
            usual: what the rule chooses.
        """
        chosen = []
        for block, rule, trusted in zip(outputs, usual.tolist(), self.trusted, strict=True):
            best = int(np.argmax(block))
            departs = trusted and float(block[best]) > float(block[rule]) + self.margin
            chosen.append(best if departs else rule)
        return np.array(chosen, np.int64)
