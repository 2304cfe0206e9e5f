"""Writing a session down, and taking an interrupted one up again from what was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, Spectrum, StagePosition
from autoscope.microscope import DriverState, FocusResult, Spent
from autoscope.records import (
    CandidateRecord,
    CandidatesDocument,
    Command,
    CommandDocument,
    DecisionDocument,
    DriverRecord,
    EstimateDocument,
    FinishedDocument,
    FinishReason,
    FocusDocument,
    FrameDocument,
    InclusionResult,
    InclusionsDocument,
    LookDocument,
    ObservationDocument,
    QuantityResult,
    SessionWriter,
    SpectrumDocument,
    SpentRecord,
    StateDocument,
    Tier,
    WarningDocument,
)
from autoscope.session.quantities import Inclusion
from autoscope.survey import Decision, FieldGrid, Outcome, QuantityState, Survey, Target

Purpose = Literal["overview", "field"]
"""What a frame is taken for."""
UNITS = {"area_fraction": "1", "inclusions_per_mm2": "1/mm2", "grain_size": "um"}


class Journal:
    """The documents and frames of a running session.

    Args:
        writer: the session's folder.
        targets: what is asked, in the survey's order.
        policy_sha256: hash of the policy, logged with each decision.
        tier: statistics tier of the intervals.
        fields_in_region: size of the population.
    """

    def __init__(
        self,
        writer: SessionWriter,
        targets: Sequence[Target],
        *,
        policy_sha256: str,
        tier: Tier,
        fields_in_region: int,
    ) -> None:
        self._writer, self._targets = writer, tuple(targets)
        self._policy_sha256, self._tier, self._fields = policy_sha256, tier, fields_in_region
        self._estimated = 0
        self._warned: set[str] = set()
        self._state = "idle"

    @property
    def writer(self) -> SessionWriter:
        """The session's folder."""
        return self._writer

    def state(self, state: str) -> None:
        """Enters a state; entering the present one again writes nothing."""
        if state != self._state:
            self._state = state
            self._writer.append(StateDocument.model_validate({"state": state}))

    def command(self, command: Command) -> None:
        """An operator's command that came by the session's folder was taken up."""
        self._writer.append(CommandDocument(command=command.command, id=command.id, by=command.by))

    def warn(self, message: str) -> None:
        """Something that a reader of the result must know."""
        self._writer.append(WarningDocument(message=message))

    def warn_once(self, message: str) -> None:
        """Something that a reader must know, and that may be noticed on many fields."""
        if message not in self._warned:
            self._warned.add(message)
            self.warn(message)

    def frame(self, frame: Frame, purpose: Purpose, field: int | None, state: DriverState) -> int:
        """Stores a frame, then acknowledges it; returns its index."""
        index = self._writer.add_frame(frame, purpose=purpose, field=field)
        document = {
            "frame": index,
            "purpose": purpose,
            "field": field,
            "x_um": frame.position.x_um,
            "y_um": frame.position.y_um,
            "z_um": frame.position.z_um,
            "working_distance_mm": frame.beam.working_distance_mm,
            "hfw_um": frame.imaging.hfw_um,
            "dwell_us": frame.imaging.dwell_us,
            "dose_e_per_nm2": frame.dose_e_per_nm2,
            "driver": driver_record(state),
        }
        self._writer.append(FrameDocument.model_validate(document))
        return index

    def labels(self, index: int, labels: NDArray[np.uint8]) -> None:
        """Stores the class map of a frame."""
        self._writer.add_labels(index, labels)

    def focus(
        self, position: StagePosition, result: FocusResult | None, state: DriverState, *, again: bool = False
    ) -> None:
        """An autofocus run; without a result it found no focus and its sharpness is null."""
        distance_mm = state.beam.working_distance_mm if result is None else result.working_distance_mm
        self._writer.append(
            FocusDocument(
                x_um=position.x_um,
                y_um=position.y_um,
                working_distance_mm=distance_mm,
                sharpness=None if result is None else result.sharpness,
                again=again,
                driver=driver_record(state),
            )
        )

    def decision(self, decision: Decision, grid: FieldGrid) -> None:
        """A choice, before the stage moves."""
        self._writer.append(
            DecisionDocument(
                step=decision.step,
                draw=decision.draw,
                field=decision.field,
                x_um=float(grid.x_um[decision.field]),
                y_um=float(grid.y_um[decision.field]),
                propensity=decision.propensity,
                candidates=decision.candidates,
                reason=decision.reason,
                predicted=tuple(float(value) for value in decision.predicted),
                predicted_cost_s=decision.predicted_cost_s,
                policy_sha256=self._policy_sha256,
                visit_s=decision.visit_s,
                refocus=decision.refocus,
                eds_price=decision.eds_price,
                draw_weight=decision.draw_weight,
                error_weight=decision.error_weight,
            )
        )

    def spectrum(
        self, decision: Decision, feature: int, spectrum: Spectrum, *, took_s: float, looks: int,
        propensity: float, class_name: str, class_probability: float, state: DriverState, note: str = "",
    ) -> None:  # fmt: skip
        """Stores a spectrum, then acknowledges it."""
        index = self._writer.add_spectrum(spectrum.counts)
        self._writer.append(
            SpectrumDocument(
                spectrum=index, step=decision.step, field=decision.field, feature=feature,
                x_um=spectrum.position.x_um, y_um=spectrum.position.y_um, live_s=spectrum.live_s,
                real_s=spectrum.real_s, took_s=took_s, looks=looks, counts=int(spectrum.counts.sum()),
                propensity=propensity, class_name=class_name, class_probability=class_probability,
                ev_per_channel=spectrum.ev_per_channel, offset_ev=spectrum.offset_ev, note=note,
                driver=driver_record(state),
            )
        )  # fmt: skip

    def observation(
        self,
        decision: Decision,
        outcome: Outcome,
        inclusions: Sequence[Inclusion] = (),
        looks: Sequence[LookDocument] = (),
        candidates: tuple[CandidateRecord, ...] | None = None,
        area_um2: float = 0.0,
    ) -> None:
        """The values of a field, all targets in one write: a step is done when this is on disk.

        Args:
            decision: why the field was visited.
            outcome: what came of it.
            inclusions: that were counted, where no spectra are taken.
            looks: what was thought of frames that the model does not know.
            candidates: the features that could get a spectrum, where spectra are taken.
            area_um2: specimen area in the field, with ``candidates``.
        """
        documents: list[LookDocument | ObservationDocument | InclusionsDocument | CandidatesDocument] = [
            *looks
        ]
        for number, target in enumerate(self._targets):
            value = None if outcome.value is None else float(outcome.value[number])
            documents.append(
                ObservationDocument(
                    step=decision.step,
                    field=decision.field,
                    quantity=target.quantity,
                    class_name=target.class_name,
                    value=value,
                    predicted=float(decision.predicted[number]),
                    note=outcome.note,
                    variance=None if outcome.variance is None else float(outcome.variance[number]),
                    extra_s=outcome.extra_s,
                    sharpness=outcome.sharpness,
                    focus_age_s=outcome.focus_age_s,
                )
            )
        if candidates is not None:
            documents.append(
                CandidatesDocument(
                    step=decision.step, field=decision.field, area_um2=area_um2, candidates=candidates
                )
            )
        if inclusions:
            found = tuple(InclusionResult.model_validate(inclusion) for inclusion in inclusions)
            documents.append(InclusionsDocument(step=decision.step, field=decision.field, inclusions=found))
        self._writer.append(*documents)

    def estimate(self, survey: Survey) -> None:
        """The running result, once for each field that was observed."""
        if survey.observed > self._estimated:
            self._estimated = survey.observed
            self._writer.append(
                EstimateDocument(step=survey.observed, quantities=self.quantities(survey.states()))
            )

    def corrected(self, survey: Survey) -> None:
        """The running result again: answers of experts have changed it since the last field."""
        self._writer.append(
            EstimateDocument(step=survey.observed, quantities=self.quantities(survey.states()))
        )

    def resumed_at(self, estimated: int) -> None:
        """Takes up the count of running results of an interrupted session."""
        self._estimated = estimated

    def finish(
        self, reason: FinishReason, states: Sequence[QuantityState], spent: Spent, wall_time_s: float
    ) -> None:
        """The last document."""
        self._writer.append(
            FinishedDocument(
                finish_reason=reason,
                spent=SpentRecord.model_validate(spent),
                wall_time_s=wall_time_s,
                quantities=self.quantities(states),
            )
        )

    def quantities(self, states: Sequence[QuantityState]) -> tuple[QuantityResult, ...]:
        """The states of the targets as the result prints them; targets without a state are unknown yet."""
        if not states:
            states = [QuantityState(t, float("nan"), None, None, False, 0, 0, "") for t in self._targets]
        return tuple(self._quantity(state) for state in states)

    def _quantity(self, state: QuantityState) -> QuantityResult:
        relative = None
        if state.ci_low is not None and state.ci_high is not None and state.estimate != 0:
            relative = 100.0 * (state.ci_high - state.ci_low) / 2 / abs(state.estimate)
        return QuantityResult(
            quantity=state.target.quantity,
            class_name=state.target.class_name,
            unit=UNITS[state.target.quantity],
            estimate=state.estimate,
            ci_low=state.ci_low,
            ci_high=state.ci_high,
            confidence=state.target.confidence,
            relative_accuracy_percent=relative,
            fields_measured=state.fields_measured,
            fields_in_region=self._fields,
            estimator=state.estimator,
            tier=self._tier,
            target_met=state.met,
            fields_lost=state.fields_lost,
            extra=dict(state.extra),
            covers=state.covers,
        )


def driver_record(state: DriverState) -> DriverRecord:
    """Where the microscope is, for the records."""
    return DriverRecord.model_validate(state)


def driver_state(record: DriverRecord) -> DriverState:
    """Where the microscope was, from the records."""
    return DriverState(
        spent=Spent(**record.spent.model_dump()),
        position=record.position,
        beam=record.beam,
        clock_s=record.clock_s,
        frame_id=record.frame_id,
    )
