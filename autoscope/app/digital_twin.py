"""The simulated microscope as it is served over EPICS: its clock runs by itself, as an instrument's does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from autoscope.app.config import MicroscopeConfig
from autoscope.app.specimens import Announce, open_specimen
from autoscope.microscope import Envelope, SimulatedClock
from autoscope_simulators import Imperfections, SimulatedMicroscope


class RunningClock(SimulatedClock):
    """Simulated time that passes by itself.

    Args:
        scale: real seconds for each simulated one.
    """

    def __init__(self, scale: float) -> None:
        super().__init__(scale)
        self._real_s_per_s = scale
        self._offset_s = -time.monotonic() / scale

    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return self._offset_s + time.monotonic() / self._real_s_per_s

    def sleep(self, seconds: float) -> None:
        """Waits until this much simulated time has passed."""
        time.sleep(max(0.0, seconds * self._real_s_per_s))

    def set(self, now_s: float) -> None:
        """Takes up a time."""
        self._offset_s += now_s - self.now_s()


@contextmanager
def digital_twin(
    config: MicroscopeConfig, *, seed: int, ideal: bool, announce: Announce
) -> Iterator[tuple[SimulatedMicroscope, int]]:
    """A simulated microscope on a clock that runs by itself, and the bits of its pixels.

    Args:
        config: names the specimen, what things cost, and how fast time passes.
        seed: of noise and drift.
        ideal: no noise, no drift, always in focus.
        announce: told when something takes a while.

    Raises:
        ConfigurationError: there is no such specimen.
        SpecimenError: it cannot be read.
    """
    from autoscope.app.build import timing_from

    with open_specimen(config, announce) as specimen:
        if specimen.has_eds:
            import scipy.signal  # noqa: F401 - seconds that an instrument's first spectrum does not take
        extent = specimen.extent
        envelope = Envelope(x_um=(extent.x0_um, extent.x1_um), y_um=(extent.y0_um, extent.y1_um))
        with SimulatedMicroscope(
            specimen,
            envelope=envelope,
            seed=seed,
            timing=timing_from(config.timing),
            imperfections=Imperfections.ideal() if ideal else Imperfections(),
            clock=RunningClock(config.time_scale),
            time_scale=config.time_scale,
        ) as microscope:
            bits = max(8 * specimen.levels(name)[0].dtype.itemsize for name in specimen.detectors)
            yield microscope, bits
