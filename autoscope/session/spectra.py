"""Taking the spectra of a field while the stage stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.core import BudgetError, Frame, InstrumentError, Spectrum
from autoscope.eds import UNKNOWN
from autoscope.microscope import Microscope
from autoscope.records import CandidateRecord
from autoscope.session.journal import Journal
from autoscope.session.recovery import Recovery
from autoscope.session.second_look import Seen
from autoscope.session.spectroscopy import Sight, Spectroscopy, Verdict
from autoscope.survey import Decision, Outcome
from autoscope.xray import EnergyAxis

STRAYED_UM = 0.01
"""From this distance on the stage is no longer where a field's frame was taken."""

CLOCK_DECIMALS = 6
"""To the microsecond: a clock that was set back after an interruption differs in its last binary digits, and
what spectra cost decides which are taken next."""


@dataclass(frozen=True, slots=True)
class KnownSpectrum:
    """A spectrum that an interrupted session had stored.

    Attributes:
        counts: ``channels``.
        live_s: live time.
        took_s: seconds of the microscope's clock that it took.
        ev_per_channel: width of a channel.
        offset_ev: energy of the centre of channel 0.
    """

    counts: NDArray[np.int64]
    live_s: float
    took_s: float
    ev_per_channel: float
    offset_ev: float


@dataclass(frozen=True, slots=True)
class FieldSpectra:
    """What was taken on a field.

    Attributes:
        sight: what was fixed before.
        seen: feature to what its spectrum showed and its live time.
        extra_s: seconds that all of it took, the reading of the frame included.
    """

    sight: Sight
    seen: Mapping[int, tuple[Verdict, float]]
    extra_s: float


class SpectrumCollector:
    """Draws the features of a field that get a spectrum, and takes the spectra.

    The stage waits for the computer here, unlike without EDS: the beam cannot come back to a feature once
    the stage has left. What that costs is part of what fields are predicted to cost.

    Args:
        microscope: the instrument.
        recovery: tries again what failed.
        journal: the session's records.
        spectroscopy: decides and reads spectra.
        on_failure: whether a spectrum that failed for good ends the session, or leaves its feature unknown.
    """

    def __init__(
        self,
        microscope: Microscope,
        recovery: Recovery,
        journal: Journal,
        spectroscopy: Spectroscopy,
        on_failure: Literal["stop", "skip"],
    ) -> None:
        self._microscope, self._recovery, self._journal = microscope, recovery, journal
        self._eds, self._on_failure = spectroscopy, on_failure

    def wait(self) -> None:
        """Lets the time pass that reading a frame takes, on a clock that does not pass by itself."""
        if self._eds.plan.charged:
            self._microscope.clock.sleep(self._eds.plan.reading_s)

    def collect(
        self, decision: Decision, looked: Seen, looks: int, known: Mapping[int, KnownSpectrum]
    ) -> FieldSpectra:
        """Takes the spectra of a field, but those that are known already.

        Args:
            decision: whose field it is.
            looked: its frame and what was read from it.
            looks: how many frames of it were read.
            known: feature to the spectrum that is stored of it.

        Raises:
            BudgetError: a budget does not allow the next one.
            InstrumentError: one failed for good and failures end the session.
        """
        eds, frame, read = self._eds, looked.frame, looked.measurement
        sight = eds.look(read.seen, decision, read.notes)
        extra_s = looks * eds.plan.reading_s
        seen: dict[int, tuple[Verdict, float]] = {}
        for feature in np.flatnonzero(sight.taken).tolist():
            if feature in known:
                stored = known[feature]
                axis = EnergyAxis(len(stored.counts), stored.ev_per_channel, stored.offset_ev)
                seen[feature] = eds.verdict(stored.counts, axis), stored.live_s
                extra_s += stored.took_s
            else:
                verdict, live_s, took_s = self._taken(decision, frame, sight, feature)
                seen[feature] = verdict, live_s
                extra_s += took_s
        return FieldSpectra(sight, seen, extra_s)

    def _taken(
        self, decision: Decision, frame: Frame, sight: Sight, feature: int
    ) -> tuple[Verdict, float, float]:
        """One spectrum: what it showed, its live time, and the seconds that it took."""
        eds, began_s, looks = self._eds, self._microscope.clock.now_s(), 0

        def enough(so_far: Spectrum) -> bool:
            nonlocal looks
            looks += 1
            return eds.enough(so_far)

        def take() -> Spectrum:
            if self._microscope.position().distance_um(frame.position) > STRAYED_UM:
                self._microscope.move_to(frame.position)
            spot_um = sight.candidates[feature].spot_um
            return self._microscope.watch_spectrum(eds.plan.rule.looks_s(), enough, spot_um)

        what = f"spectrum of feature {feature} on field {decision.field}"
        try:
            spectrum = self._recovery.attempt(what, take, take)
        except BudgetError:
            raise
        except InstrumentError as error:
            if self._on_failure == "stop":
                raise
            self._journal.warn(f"{what}: {error}; its class is unknown")
            return Verdict(UNKNOWN, 1.0, {UNKNOWN: 1.0}, {}), 0.0, self._since(began_s)
        verdict, took_s = eds.verdict(spectrum.counts, EnergyAxis.of(spectrum)), self._since(began_s)
        self._journal.spectrum(
            decision, feature, spectrum, took_s=took_s, looks=looks + 1,
            propensity=float(sight.propensity[feature]), class_name=verdict.class_name,
            class_probability=verdict.probability, state=self._microscope.state(),
        )  # fmt: skip
        return verdict, spectrum.live_s, took_s

    def _since(self, began_s: float) -> float:
        return round(self._microscope.clock.now_s() - began_s, CLOCK_DECIMALS)

    def close(
        self, decision: Decision, spectra: FieldSpectra, note: str
    ) -> tuple[Outcome, tuple[CandidateRecord, ...]]:
        """The field's values, from which the next decisions on spectra learn."""
        measured = self._eds.measured(spectra.sight, spectra.seen)
        self._eds.learn(decision, decision.predicted, spectra.sight.field.area_um2, measured.candidates)
        for message in spectra.sight.notes:
            self._journal.warn_once(message)
        return Outcome(measured.value, note, measured.variance, spectra.extra_s), measured.candidates
