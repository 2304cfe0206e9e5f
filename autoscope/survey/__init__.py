"""The stepping core, one decision in and one observation out."""

from autoscope.core import Prediction
from autoscope.survey.grid import FieldGrid, lay_grid
from autoscope.survey.protocols import (
    Batch,
    Decision,
    FieldSource,
    Outcome,
    Past,
    Policy,
    Predictor,
    Proposal,
    QuantityState,
    SurveyView,
    Target,
)
from autoscope.survey.spending import ExtraCost
from autoscope.survey.statistics import Statistics
from autoscope.survey.stepping import run, step
from autoscope.survey.survey import Survey
from autoscope.survey.table import TableSource

__all__ = [
    "Batch",
    "Decision",
    "ExtraCost",
    "FieldGrid",
    "FieldSource",
    "Outcome",
    "Past",
    "Policy",
    "Prediction",
    "Predictor",
    "Proposal",
    "QuantityState",
    "Statistics",
    "Survey",
    "SurveyView",
    "TableSource",
    "Target",
    "lay_grid",
    "run",
    "step",
]
