"""Gymnasium environments around the survey; importing this package registers them.

``autoscope/FieldSelection-v0``: which field next (:class:`FieldSelectionEnv`).
``autoscope/EDSTrigger-v0``: a spectrum of this inclusion, or not (:class:`EDSTriggerEnv`).
"""

import gymnasium as gym

from autoscope_envs.eds_trigger import EDSTriggerEnv
from autoscope_envs.features import FeatureTable, embedded_features
from autoscope_envs.field_selection import FieldSelectionEnv
from autoscope_envs.instrument import (
    InstrumentCosts,
    SpectrumCosts,
    random_instrument,
    random_spectrum_costs,
)
from autoscope_envs.population import Population, embedded_population

__all__ = [
    "EDSTriggerEnv",
    "FeatureTable",
    "FieldSelectionEnv",
    "InstrumentCosts",
    "Population",
    "SpectrumCosts",
    "embedded_features",
    "embedded_population",
    "random_instrument",
    "random_spectrum_costs",
]

gym.register(id="autoscope/FieldSelection-v0", entry_point="autoscope_envs:FieldSelectionEnv")
gym.register(id="autoscope/EDSTrigger-v0", entry_point="autoscope_envs:EDSTriggerEnv")
