"""The abstraction of a scanning electron microscope.

Public methods are final: they check the envelope and the budget, and only then call the driver's
``_do_*``. A request that is refused has moved nothing, exposed nothing and spent nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self, final

import numpy as np

from autoscope.core import (
    BeamSettings,
    ClosedError,
    Frame,
    ImagingSettings,
    InstrumentError,
    LimitError,
    Rectangle,
    Spectrum,
    StagePosition,
)
from autoscope.microscope.acquisition import checked_looks, footprint, own
from autoscope.microscope.activity import Activity, ActivityLog
from autoscope.microscope.budget import Account, Budget, Spent
from autoscope.microscope.driver import Driver, SpectrumTest
from autoscope.microscope.envelope import Envelope
from autoscope.microscope.state import DriverState, FocusResult, Health


class Microscope(Driver):
    """A scanning electron microscope: stage, beam, image, spectrum, focus, health.

    One thread owns a microscope; only :meth:`stop_stage` and :meth:`make_safe` may be called from
    another. Drivers inherit from this class and implement what `Driver` names, and nothing else. It is a
    context manager, and leaving it always makes the instrument safe.

    Args:
        envelope: what the instrument may do.
        budget: what a session may spend; no limits by default.
    """

    def __init__(self, *, envelope: Envelope, budget: Budget | None = None) -> None:
        self._envelope = envelope
        self._account = Account(budget or Budget())
        self._closed = False
        self._started_s: float | None = None
        self._frame_id = 0
        self._activity = ActivityLog()
        self._move_s = 0.0

    # -- identity and bookkeeping ---------------------------------------------------------------

    @property
    def envelope(self) -> Envelope:
        """What this microscope may do."""
        return self._envelope

    @property
    def budget(self) -> Budget:
        """What may be spent."""
        return self._account.budget

    @property
    def spent(self) -> Spent:
        """What has been spent since the first action."""
        return self._account.spent

    @property
    def activity(self) -> Activity:
        """What it is doing now; may be read from any thread."""
        return self._activity.now

    @final
    def state(self) -> DriverState:
        """What :meth:`restore` needs to go on from here."""
        self._check_open()
        return DriverState(
            self.spent, self._do_read_position(), self._do_read_beam(), self.clock.now_s(), self._frame_id
        )

    @final
    def restore(self, state: DriverState, exposures: list[tuple[Rectangle, float]]) -> None:
        """Takes up the account of an interrupted session before its first new action.

        Args:
            state: as :meth:`state` returned it when the last acknowledged step was done.
            exposures: every rectangle that has been exposed, with its dose, in order.
        """
        self._check_open()
        for exposed, dose in exposures:
            self._account.doses.add(exposed, dose)
        self._account.spent = state.spent
        self._frame_id = state.frame_id
        self._do_restore(state)
        self._started_s = self.clock.now_s() - state.spent.beam_time_s

    # -- stage ----------------------------------------------------------------------------------

    @final
    def position(self) -> StagePosition:
        """Where the stage reads that it is."""
        self._check_open()
        return self._do_read_position()

    @final
    def begin_move(self, target: StagePosition) -> None:
        """Starts a straight move and returns at once; :meth:`wait_for_stage` waits for its end.

        Raises:
            LimitError: the target lies outside the envelope; nothing has moved.
            KeepOutError: the path touches a keep-out zone; nothing has moved.
            BudgetError: the move would overspend the beam time; nothing has moved.
            InstrumentError: the stage is moving already.
        """
        self._check_open()
        if self._do_is_moving():
            raise InstrumentError("the stage is already moving: wait for it or stop it first")
        start = self._do_read_position()
        self._envelope.check_move(start, target)
        self._move_s = self.predict_move_s(start, target)
        self._account.check(time_s=self._unbooked_s() + self._move_s)
        self._start_time()
        self._do_begin_move(target)
        self._account.travel(start.distance_um(target))

    @final
    def wait_for_stage(self) -> StagePosition:
        """Waits until the stage has arrived and settled; returns the position that it reads back.

        Raises:
            MoveStoppedError: the move was stopped before its end.
        """
        self._check_open()
        try:
            with self._activity.doing("a move", self._move_s):
                self._do_wait_for_stage()
        finally:
            self._book_time()
        return self._do_read_position()

    @final
    def move_to(self, target: StagePosition) -> StagePosition:
        """Moves in a straight line and waits; see :meth:`begin_move` and :meth:`wait_for_stage`."""
        self.begin_move(target)
        return self.wait_for_stage()

    @final
    def is_moving(self) -> bool:
        """Whether the stage is moving."""
        self._check_open()
        return self._do_is_moving()

    @final
    def stop_stage(self) -> None:
        """Stops the stage where it is. May be called from any thread and at any time."""
        self._check_open()
        self._do_stop_stage()
        self._book_time()

    # -- beam -----------------------------------------------------------------------------------

    @final
    def beam(self) -> BeamSettings:
        """The beam's settings."""
        self._check_open()
        return self._do_read_beam()

    @final
    def set_beam(self, beam: BeamSettings) -> None:
        """Sets voltage, current, detector and working distance.

        Raises:
            LimitError: a value lies outside the envelope; nothing has changed.
            InstrumentError: there is no such detector; nothing has changed.
        """
        self._check_open()
        self._envelope.check_beam(beam)
        if beam.detector not in self.detectors:
            raise InstrumentError(
                f"detector {beam.detector!r} is not on this microscope, which has {', '.join(self.detectors)}"
            )
        self._start_time()
        self._do_set_beam(beam)
        self._book_time()

    @final
    def is_blanked(self) -> bool:
        """Whether the beam is kept off the specimen."""
        self._check_open()
        return self._do_is_blanked()

    # -- acquisition ----------------------------------------------------------------------------

    @final
    def acquire_image(self, imaging: ImagingSettings) -> Frame:
        """Scans one frame centred on the stage's position. The beam is blanked before and after.

        A scan that fails is booked as if it had been done, since nobody knows how much of it was.

        Raises:
            LimitError: a scan setting lies outside the envelope.
            BudgetError: the frame would overspend time, dose or frames. Nothing was exposed.
            InstrumentError: the stage is moving.
        """
        self._check_open()
        self._envelope.check_imaging(imaging)
        self._refuse_moving("a frame")
        position, beam = self._do_read_position(), self._do_read_beam()
        exposed = footprint(position, imaging)
        dose = imaging.dose_e_per_nm2(beam.current_pa)
        self._account.check(
            time_s=self._unbooked_s() + self.predict_image_s(imaging),
            frames=1,
            exposed=exposed,
            dose_e_per_nm2=dose,
        )
        self._start_time()
        began_s = self.clock.now_s()
        self._account.frame(exposed, dose)
        lasts_s = self.predict_image_s(imaging)
        with self._activity.doing("a frame", lasts_s), self._blanked_on_failure():
            pixels = self._do_acquire_image(imaging)
        self._frame_id += 1
        owned = own(pixels, imaging)
        return Frame(owned, position, imaging, beam, began_s, self._frame_id, dose, self.info.name)

    @final
    def acquire_spectrum(self, live_s: float) -> Spectrum:
        """Collects EDS counts at the stage's position for a live time.

        Raises:
            LimitError: the live time is not positive.
            BudgetError: it would overspend beam time or EDS live time. Nothing was exposed.
            InstrumentError: the stage is moving, or there is no EDS detector.
        """
        self._check_open()
        if not (np.isfinite(live_s) and live_s > 0):
            raise LimitError("live_s", live_s, 0.0, None, "s", above_low=True)
        self._refuse_moving("a spectrum")
        self._account.check(
            time_s=self._unbooked_s() + self.predict_spectrum_s(live_s),
            eds_live_s=live_s,
        )
        self._start_time()
        lasts_s = self.predict_spectrum_s(live_s)
        with self._activity.doing("a spectrum", lasts_s), self._blanked_on_failure():
            spectrum = self._do_acquire_spectrum(live_s)
        return self._booked(spectrum)

    @final
    def watch_spectrum(
        self, looks_s: Sequence[float], enough: SpectrumTest, spot_um: tuple[float, float] = (0.0, 0.0)
    ) -> Spectrum:
        """Collects EDS counts at a spot of the field, and looks at them while they come in.

        It is one acquisition, with one overhead, however often it is looked at.

        Args:
            looks_s: live times at which to look, ascending; the last one ends it.
            enough: asked at every look but the last, with all counts so far; True ends it.
            spot_um: where the beam rests, from the stage's position.

        Returns:
            All counts; its position is the spot.

        Raises:
            LimitError: the live times are not positive and ascending, or the spot is not finite.
            BudgetError: the whole live time would overspend beam time or EDS live time. Nothing was exposed.
            InstrumentError: the stage is moving, there is no EDS detector, or it cannot be placed.
        """
        self._check_open()
        longest_s = checked_looks(looks_s, spot_um)
        self._refuse_moving("a spectrum")
        time_s = self._unbooked_s() + self.predict_spectrum_s(longest_s)
        self._account.check(time_s=time_s, eds_live_s=longest_s)
        self._start_time()
        with self._blanked_on_failure():
            spectrum = self._do_watch_spectrum(tuple(looks_s), enough, spot_um)
        return self._booked(spectrum)

    @final
    def autofocus(self) -> FocusResult:
        """Finds focus and stigmation at the stage's position and leaves them set.

        Raises:
            BudgetError: it would overspend the beam time. Nothing was exposed.
            InstrumentError: the stage is moving, or no focus was found.
        """
        self._check_open()
        self._refuse_moving("an autofocus")
        self._account.check(time_s=self._unbooked_s() + self.predict_autofocus_s())
        self._start_time()
        lasts_s = self.predict_autofocus_s()
        with self._activity.doing("an autofocus", lasts_s), self._blanked_on_failure():
            return self._do_autofocus()

    @final
    def health(self) -> Health:
        """Whether the instrument can go on."""
        self._check_open()
        return self._do_read_health()

    # -- endings --------------------------------------------------------------------------------

    @final
    def make_safe(self) -> None:
        """Beam blanked, stage still. Called at every ending; safe to call twice and from any thread."""
        if not self._closed:
            try:
                self._do_blank(True)
            finally:
                self._do_stop_stage()

    @final
    def close(self) -> None:
        """Makes the instrument safe and lets it go; a second call does nothing."""
        if not self._closed:
            try:
                self.make_safe()
            finally:
                self._closed = True
                self._do_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- what things cost; touches nothing --------------------------------------------------------

    @final
    def predict_move_s(self, start: StagePosition, target: StagePosition) -> float:
        """Seconds that one straight move takes, settling included."""
        return float(self.predict_travel_s(np.array([start.distance_um(target)]))[0])

    # -- private ---------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the microscope {self.info.name!r} is closed")

    def _refuse_moving(self, what: str) -> None:
        if self._do_is_moving():
            raise InstrumentError(f"the stage is moving: {what} needs it to stand still")

    @contextmanager
    def _blanked_on_failure(self) -> Iterator[None]:
        """Around every exposure: blanks the beam when it fails, Ctrl-C included; books the time always."""
        try:
            yield
        except BaseException:
            self._do_blank(True)
            raise
        finally:
            self._book_time()

    def _booked(self, spectrum: Spectrum) -> Spectrum:
        """Books a spectrum and makes its counts its own."""
        self._account.spectrum(spectrum.live_s)
        counts = spectrum.counts.copy()
        counts.flags.writeable = False
        return replace(spectrum, counts=counts)

    def _start_time(self) -> None:
        if self._started_s is None:
            self._started_s = self.clock.now_s()

    def _elapsed_s(self) -> float:
        return 0.0 if self._started_s is None else self.clock.now_s() - self._started_s

    def _unbooked_s(self) -> float:
        return self._elapsed_s() - self.spent.beam_time_s

    def _book_time(self) -> None:
        self._account.time(self._elapsed_s())
