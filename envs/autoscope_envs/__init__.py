"""Gymnasium environments around the survey; importing this package registers them.

``autoscope/FieldSelection-v0``: which field next (:class:`FieldSelectionEnv`).
"""

import gymnasium as gym

from autoscope_envs.field_selection import FieldSelectionEnv
from autoscope_envs.instrument import InstrumentCosts, random_instrument
from autoscope_envs.population import Population, embedded_population

__all__ = ["FieldSelectionEnv", "InstrumentCosts", "Population", "embedded_population", "random_instrument"]

gym.register(id="autoscope/FieldSelection-v0", entry_point="autoscope_envs:FieldSelectionEnv")
