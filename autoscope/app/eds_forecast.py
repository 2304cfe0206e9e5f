"""What spectra will probably take, before anything was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscope.app.build import imaging, targets_of
from autoscope.app.config import Config
from autoscope.app.eds import expected_live_s, overhead_s, trade_of, typical_sizes
from autoscope.app.targets import expected_density_per_mm2
from autoscope.eds import MEMBERS_SHARE
from autoscope.estimation import UM2_PER_MM2
from autoscope.microscope import Microscope
from autoscope.survey import FieldGrid

UNSURE = 0.5
"""Probability of its class of a feature of which the image says nothing."""


@dataclass(frozen=True, slots=True)
class SpectraForecast:
    """Spectra of a session.

    Attributes:
        spectra_p50: of one field, where the image is right as often as is thought beforehand.
        spectra_p90: of one field, where the image says nothing.
        live_s: live time of one.
        overhead_s: time of one beside that.
        reading_s: time that each field waits while its frame is read.
    """

    spectra_p50: float = 0.0
    spectra_p90: float = 0.0
    live_s: float = 0.0
    overhead_s: float = 0.0
    reading_s: float = 0.0

    @property
    def field_p50_s(self) -> float:
        """Seconds that a field takes beyond travel and frame."""
        return self.reading_s + self.spectra_p50 * (self.overhead_s + self.live_s)

    @property
    def field_p90_s(self) -> float:
        """The same where the image says nothing."""
        return self.reading_s + self.spectra_p90 * (self.overhead_s + self.live_s)


def spectra_forecast(config: Config, grid: FieldGrid, microscope: Microscope) -> SpectraForecast:
    """Spectra by the trigger's own rule, at the densities that the plan assumes; none without EDS.

    Each target that counts adds its inclusions; where none does, one on a field is expected.
    """
    if not config.eds.enabled:
        return SpectraForecast()
    measures, scan = targets_of(config), imaging(config.imaging.reference)
    trade, field_mm2 = trade_of(config, grid, microscope, measures), grid.hfw_um * grid.vfw_um / UM2_PER_MM2
    counting = [t for t in config.targets if t.quantity == "inclusions_per_mm2"]
    features = sum(expected_density_per_mm2(t, scan) * field_mm2 for t in counting) or 1.0
    sizes = typical_sizes(grid, measures)[:, None]
    chance = [
        float(trade.probabilities(sizes, np.full_like(sizes, p), 1.0)[0]) for p in (MEMBERS_SHARE, UNSURE)
    ]
    return SpectraForecast(
        spectra_p50=features * chance[0],
        spectra_p90=features * chance[1],
        live_s=expected_live_s(config),
        overhead_s=overhead_s(microscope),
        reading_s=config.eds.reading_s,
    )
