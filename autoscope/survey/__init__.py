"""The stepping core, one decision in and one observation out."""

from autoscope.core import Prediction
from autoscope.survey.correcting import ExpertCorrection, Lessons
from autoscope.survey.grid import FieldGrid, lay_grid
from autoscope.survey.protocols import (
    Batch,
    Correction,
    Decision,
    FieldSource,
    Offer,
    Outcome,
    Past,
    Policy,
    Predictor,
    Proposal,
    QuantityState,
    Slots,
    SurveyView,
    Target,
)
from autoscope.survey.spending import ExtraCost
from autoscope.survey.statistics import Statistics
from autoscope.survey.stepping import run, step
from autoscope.survey.survey import Survey
from autoscope.survey.table import FixedPredictor, TableSource

__all__ = [
    "Batch",
    "Correction",
    "Decision",
    "ExpertCorrection",
    "ExtraCost",
    "FieldGrid",
    "FieldSource",
    "FixedPredictor",
    "Lessons",
    "Offer",
    "Outcome",
    "Past",
    "Policy",
    "Prediction",
    "Predictor",
    "Proposal",
    "QuantityState",
    "Slots",
    "Statistics",
    "Survey",
    "SurveyView",
    "TableSource",
    "Target",
    "lay_grid",
    "run",
    "step",
]
