"""The abstraction of a microscope, its envelope, its budget and its clock."""

from autoscope.microscope.activity import Activity
from autoscope.microscope.budget import Account, Budget, DoseMap, Spent
from autoscope.microscope.clock import Clock, SimulatedClock, WallClock
from autoscope.microscope.driver import SpectrumTest
from autoscope.microscope.envelope import Envelope
from autoscope.microscope.microscope import Microscope
from autoscope.microscope.state import DriverState, FocusResult, Health, MicroscopeInfo

__all__ = [
    "Account",
    "Activity",
    "Budget",
    "Clock",
    "DoseMap",
    "DriverState",
    "Envelope",
    "FocusResult",
    "Health",
    "Microscope",
    "MicroscopeInfo",
    "SimulatedClock",
    "SpectrumTest",
    "Spent",
    "WallClock",
]
