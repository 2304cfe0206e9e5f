"""The runner around the survey: states, records, recovery, the operator's wishes."""

from autoscope.session.commands import CommandListener
from autoscope.session.control import SessionControl
from autoscope.session.journal import UNITS, Journal
from autoscope.session.labelling import Labelling, LabelSettings
from autoscope.session.learning import (
    Failed,
    Judged,
    Learner,
    Learning,
    LearnSettings,
    Renewal,
    Renewed,
    Task,
    Trainer,
)
from autoscope.session.measurer import (
    MaskReader,
    Measurement,
    Measurer,
    SegmentingMeasurer,
    ValidSource,
    measured,
)
from autoscope.session.notifications import ALERTS, Alert, Notice, NotificationSettings, Notifier
from autoscope.session.overview import overview_tiles
from autoscope.session.parts import Prepared, SessionParts
from autoscope.session.past import Past
from autoscope.session.progress import Listener, Progress, TimeLeft, half_width, time_left, wanted_half_width
from autoscope.session.quantities import FieldMap, Inclusion, TargetMeasure, Value
from autoscope.session.remeasuring import LooksOf
from autoscope.session.runner import SessionRunner
from autoscope.session.settings import FaultPolicy, FocusPolicy, RecoveryPolicy, SessionSettings
from autoscope.session.spectroscopy import Spectroscopy, SpectrumPlan
from autoscope.session.watchdog import Watchdog

__all__ = [
    "ALERTS",
    "UNITS",
    "Alert",
    "CommandListener",
    "Failed",
    "FaultPolicy",
    "FieldMap",
    "FocusPolicy",
    "Inclusion",
    "Journal",
    "Judged",
    "LabelSettings",
    "Labelling",
    "LearnSettings",
    "Learner",
    "Learning",
    "Listener",
    "LooksOf",
    "MaskReader",
    "Measurement",
    "Measurer",
    "Notice",
    "NotificationSettings",
    "Notifier",
    "Past",
    "Prepared",
    "Progress",
    "RecoveryPolicy",
    "Renewal",
    "Renewed",
    "SegmentingMeasurer",
    "SessionControl",
    "SessionParts",
    "SessionRunner",
    "SessionSettings",
    "Spectroscopy",
    "SpectrumPlan",
    "TargetMeasure",
    "Task",
    "TimeLeft",
    "Trainer",
    "ValidSource",
    "Value",
    "Watchdog",
    "half_width",
    "measured",
    "overview_tiles",
    "time_left",
    "wanted_half_width",
]
