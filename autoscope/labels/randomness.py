"""Libraries that draw from NumPy's global generator, kept from being moved by it or moving it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def global_generator(rng: np.random.Generator) -> Iterator[None]:
    """Seeds NumPy's global generator from ``rng`` and gives its state back afterwards."""
    before = np.random.get_state()  # noqa: NPY002 (the one that modAL draws from)
    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
