"""Gymnasium environments around the survey; importing this package registers them.

``autoscope/Survey-v0``: how is the next draw made (:class:`SurveyEnv`).
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
from autoscope_envs.survey_env import SurveyEnv
from autoscope_envs.survey_features import Features
from autoscope_envs.survey_instrument import INSTRUMENTS, InstrumentFamily, SurveyInstrument
from autoscope_envs.survey_visits import TableVisits
from autoscope_envs.worlds import SPECIMENS, SurveyWorld, TableWorld, random_world

__all__ = [
    "INSTRUMENTS",
    "SPECIMENS",
    "EDSTriggerEnv",
    "FeatureTable",
    "Features",
    "FieldSelectionEnv",
    "InstrumentCosts",
    "InstrumentFamily",
    "Population",
    "SpectrumCosts",
    "SurveyEnv",
    "SurveyInstrument",
    "SurveyWorld",
    "TableVisits",
    "TableWorld",
    "embedded_features",
    "embedded_population",
    "random_instrument",
    "random_spectrum_costs",
    "random_world",
]

gym.register(id="autoscope/Survey-v0", entry_point="autoscope_envs:SurveyEnv")
gym.register(id="autoscope/FieldSelection-v0", entry_point="autoscope_envs:FieldSelectionEnv")
gym.register(id="autoscope/EDSTrigger-v0", entry_point="autoscope_envs:EDSTriggerEnv")
