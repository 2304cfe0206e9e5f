"""One seed in the configuration, one independent generator for each named component and step."""

from __future__ import annotations

import zlib

import numpy as np


def component_rng(seed: int, component: str, *keys: int) -> np.random.Generator:
    """The generator of a component, independent of every other component's.

    The same arguments give the same stream in every process, so a step that is repeated after an
    interruption draws what it drew before; nothing about generators has to be stored.

    Args:
        seed: the session's seed, not negative.
        component: name of the component, such as ``"draw"``.
        keys: further non-negative numbers, such as the step, counted from 1 or 0.
    """
    # As entropy, [7, name] and [7, name, 0] would be the same stream: numpy pads entropy with zeros, but
    # not a spawn key.
    children = (zlib.crc32(component.encode()), *keys)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=children)))
