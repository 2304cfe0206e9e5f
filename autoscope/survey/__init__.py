"""The stepping core, one decision in and one observation out."""

from autoscope.core import Prediction
from autoscope.survey.conditions import Conditions, Prices
from autoscope.survey.correcting import ExpertCorrection, Lessons
from autoscope.survey.design import DESIGN_OPTIONS, RULE, Controller, Design, Designed, proposal_of
from autoscope.survey.design_view import (
    DESIGN_OBSERVATION,
    design_masks,
    design_observation,
    possible,
    rule_action,
)
from autoscope.survey.focus import FocusKeeper
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
from autoscope.survey.rule import rule_design
from autoscope.survey.spending import ExtraCost
from autoscope.survey.statistics import Statistics
from autoscope.survey.stepping import run, step
from autoscope.survey.survey import Survey
from autoscope.survey.table import FixedPredictor, TableSource

__all__ = [
    "DESIGN_OBSERVATION",
    "DESIGN_OPTIONS",
    "RULE",
    "Batch",
    "Conditions",
    "Controller",
    "Correction",
    "Decision",
    "Design",
    "Designed",
    "ExpertCorrection",
    "ExtraCost",
    "FieldGrid",
    "FieldSource",
    "FixedPredictor",
    "FocusKeeper",
    "Lessons",
    "Offer",
    "Outcome",
    "Past",
    "Policy",
    "Prediction",
    "Predictor",
    "Prices",
    "Proposal",
    "QuantityState",
    "Slots",
    "Statistics",
    "Survey",
    "SurveyView",
    "TableSource",
    "Target",
    "design_masks",
    "design_observation",
    "lay_grid",
    "possible",
    "proposal_of",
    "rule_action",
    "rule_design",
    "run",
    "step",
]
