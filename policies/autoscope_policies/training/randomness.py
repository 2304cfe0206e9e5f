"""The global generators that Stable-Baselines3 draws from, borrowed and given back as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from autoscope.perception.randomness import seeded


@contextmanager
def borrowed_generators(seed: int) -> Iterator[None]:
    """Seeds the generators of Python, numpy and torch, lets torch use one thread, and restores all on exit.

    Args:
        seed: below 2^32.
    """
    python, legacy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with seeded(seed):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_num_threads(threads)
