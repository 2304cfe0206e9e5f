"""What a driver implements, and nothing else: how one instrument does what `Microscope` allowed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoscope.core import BeamSettings, ImagingSettings, InstrumentError, Spectrum, StagePosition
from autoscope.microscope.clock import Clock
from autoscope.microscope.state import DriverState, FocusResult, Health, MicroscopeInfo

SpectrumTest = Callable[[Spectrum], bool]
"""Looks at the counts so far and says whether they are enough."""


class Driver(ABC):
    """The instrument's side of a microscope.

    Only `Microscope` calls the ``_do_*`` methods, after the envelope and the budget have allowed them. A
    driver inherits from `Microscope`, moves the stage in a straight line, blanks the beam before and after
    every exposure, and lets exceptions out.
    """

    @property
    @abstractmethod
    def info(self) -> MicroscopeInfo:
        """Kind and name."""

    @property
    @abstractmethod
    def clock(self) -> Clock:
        """The microscope's own time."""

    @property
    @abstractmethod
    def detectors(self) -> tuple[str, ...]:
        """Names of the detectors that can be read."""

    # -- what things cost; touches nothing --------------------------------------------------------

    @abstractmethod
    def predict_travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds that straight moves of ``n`` distances take, settling included; 0 where nothing moves."""

    @abstractmethod
    def predict_image_s(self, imaging: ImagingSettings) -> float:
        """Seconds that a frame takes, overhead included."""

    @abstractmethod
    def predict_spectrum_s(self, live_s: float) -> float:
        """Seconds that a spectrum takes, dead time and overhead included."""

    @abstractmethod
    def predict_autofocus_s(self) -> float:
        """Seconds that an autofocus takes."""

    # -- the driver's part -----------------------------------------------------------------------

    @abstractmethod
    def _do_read_position(self) -> StagePosition: ...

    @abstractmethod
    def _do_begin_move(self, target: StagePosition) -> None: ...

    @abstractmethod
    def _do_wait_for_stage(self) -> None: ...

    @abstractmethod
    def _do_is_moving(self) -> bool: ...

    @abstractmethod
    def _do_stop_stage(self) -> None: ...

    @abstractmethod
    def _do_read_beam(self) -> BeamSettings: ...

    @abstractmethod
    def _do_set_beam(self, beam: BeamSettings) -> None: ...

    @abstractmethod
    def _do_blank(self, blanked: bool) -> None: ...

    @abstractmethod
    def _do_is_blanked(self) -> bool: ...

    @abstractmethod
    def _do_acquire_image(self, imaging: ImagingSettings) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Unblanks, scans, blanks; returns ``height x width`` pixels."""

    @abstractmethod
    def _do_acquire_spectrum(self, live_s: float) -> Spectrum: ...

    def _do_watch_spectrum(
        self, looks_s: tuple[float, ...], enough: SpectrumTest, spot_um: tuple[float, float]
    ) -> Spectrum:
        """Collects at a spot and asks ``enough`` at every look but the last.

        This one suits a detector that cannot be read while it counts: every look is a spectrum of its own,
        with an overhead of its own, where the stage stands.

        Raises:
            InstrumentError: another spot than the stage's position was asked for.
        """
        if spot_um != (0.0, 0.0):
            raise InstrumentError(
                f"the driver of {self.info.name!r} cannot place the beam on a spot of the field:"
                " set eds.enabled = false"
            )
        spectrum = self._do_acquire_spectrum(looks_s[0])
        for before_s, look_s in pairwise(looks_s):
            if enough(spectrum):
                break
            more = self._do_acquire_spectrum(look_s - before_s)
            spectrum = replace(
                spectrum,
                counts=spectrum.counts + more.counts,
                live_s=spectrum.live_s + more.live_s,
                real_s=spectrum.real_s + more.real_s,
            )
        return spectrum

    @abstractmethod
    def _do_autofocus(self) -> FocusResult: ...

    @abstractmethod
    def _do_read_health(self) -> Health: ...

    @abstractmethod
    def _do_restore(self, state: DriverState) -> None:
        """Takes up the clock, position and beam of an interrupted session where the driver can."""

    @abstractmethod
    def _do_close(self) -> None: ...
