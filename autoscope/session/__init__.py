"""The runner around the survey: states, records, recovery, the operator's wishes."""

from autoscope.session.control import SessionControl
from autoscope.session.journal import UNITS, Journal
from autoscope.session.measurer import Measurement, Measurer, SegmentingMeasurer, ValidSource, measured
from autoscope.session.overview import overview_tiles
from autoscope.session.parts import Prepared, SessionParts
from autoscope.session.past import Past
from autoscope.session.progress import Listener, Progress, TimeLeft, half_width, time_left, wanted_half_width
from autoscope.session.quantities import FieldMap, Inclusion, TargetMeasure, Value
from autoscope.session.runner import SessionRunner
from autoscope.session.settings import RecoveryPolicy, SessionSettings
from autoscope.session.spectroscopy import Spectroscopy, SpectrumPlan
from autoscope.session.trade import Trade

__all__ = [
    "UNITS",
    "FieldMap",
    "Inclusion",
    "Journal",
    "Listener",
    "Measurement",
    "Measurer",
    "Past",
    "Prepared",
    "Progress",
    "RecoveryPolicy",
    "SegmentingMeasurer",
    "SessionControl",
    "SessionParts",
    "SessionRunner",
    "SessionSettings",
    "Spectroscopy",
    "SpectrumPlan",
    "TargetMeasure",
    "TimeLeft",
    "Trade",
    "ValidSource",
    "Value",
    "half_width",
    "measured",
    "overview_tiles",
    "time_left",
    "wanted_half_width",
]
