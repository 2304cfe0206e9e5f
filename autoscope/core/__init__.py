"""Values, units, errors and seeds that every room shares. Imports nothing but numpy."""

from autoscope.core.errors import (
    AutoscopeError,
    BudgetError,
    ClosedError,
    ConfigurationError,
    EstimationError,
    ImageError,
    InstrumentError,
    KeepOutError,
    LimitError,
    ModelError,
    MoveStoppedError,
    RecordError,
    SpecimenError,
    nearest,
)
from autoscope.core.region import Polygon, Rectangle, Region, bounds
from autoscope.core.seeding import component_rng
from autoscope.core.values import (
    ELECTRONS_PER_PA_US,
    BeamSettings,
    Estimate,
    Frame,
    ImagingSettings,
    Spectrum,
    StagePosition,
)

__all__ = [
    "ELECTRONS_PER_PA_US",
    "AutoscopeError",
    "BeamSettings",
    "BudgetError",
    "ClosedError",
    "ConfigurationError",
    "Estimate",
    "EstimationError",
    "Frame",
    "ImageError",
    "ImagingSettings",
    "InstrumentError",
    "KeepOutError",
    "LimitError",
    "ModelError",
    "MoveStoppedError",
    "Polygon",
    "RecordError",
    "Rectangle",
    "Region",
    "SpecimenError",
    "Spectrum",
    "StagePosition",
    "bounds",
    "component_rng",
    "nearest",
]
