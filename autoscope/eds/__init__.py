"""Energy-dispersive spectra: elements, compositions, classes, and how long to look."""

from autoscope.eds.calibration import Calibration, calibrate, corrected_axis
from autoscope.eds.classes import InclusionClass, load_classes, shipped_classes
from autoscope.eds.feature_classes import FeatureClasses, Traits
from autoscope.eds.identification import ElementSignal, Identification, Identifier
from autoscope.eds.image_classes import MEMBERS_SHARE, ImageClasses
from autoscope.eds.posterior import STEEL, UNKNOWN, ClassModel, Posterior
from autoscope.eds.quantification import Quantified, quantify
from autoscope.eds.sequential import SequentialRule, SequentialVerdict, measure_sequentially
from autoscope.eds.surprise import Looked, Surprise
from autoscope.eds.trade import Trade, scarcity_price
from autoscope.eds.trigger import (
    LEAST_PROBABILITY,
    TriggerCosts,
    allocate,
    trigger_probabilities,
    visit_value,
)

__all__ = [
    "LEAST_PROBABILITY",
    "MEMBERS_SHARE",
    "STEEL",
    "UNKNOWN",
    "Calibration",
    "ClassModel",
    "ElementSignal",
    "FeatureClasses",
    "Identification",
    "Identifier",
    "ImageClasses",
    "InclusionClass",
    "Looked",
    "Posterior",
    "Quantified",
    "SequentialRule",
    "SequentialVerdict",
    "Surprise",
    "Trade",
    "Traits",
    "TriggerCosts",
    "allocate",
    "calibrate",
    "corrected_axis",
    "load_classes",
    "measure_sequentially",
    "quantify",
    "scarcity_price",
    "shipped_classes",
    "trigger_probabilities",
    "visit_value",
]
