import json

import pytest

from autoscope.core import RecordError
from autoscope.records import (
    EstimateDocument,
    FinishedDocument,
    InclusionResult,
    InclusionsDocument,
    ModelAdoptedDocument,
    QuantityResult,
    ResumedDocument,
    SpentRecord,
    WarningDocument,
    build_result,
)

QUANTITY = QuantityResult(
    quantity="area_fraction", class_name="pearlite", estimate=0.2, ci_low=0.18, ci_high=0.22,
    fields_measured=3, fields_in_region=4, estimator="difference", relative_accuracy_percent=10.0,
)  # fmt: skip
FINISHED = FinishedDocument(
    finish_reason="targets_reached", spent=SpentRecord(beam_time_s=9.0, frames=5), wall_time_s=2.0,
    quantities=(QUANTITY.model_copy(update={"target_met": True}),), warnings=("dust",),
)  # fmt: skip


def stamped(*documents):
    return [
        d.model_copy(update={"seq": i, "time": f"2025-01-01T00:00:{i:02d}.500+00:00"})
        for i, d in enumerate(documents)
    ]


def test_a_finished_session(started):
    result = build_result(stamped(started, WarningDocument(message="dust"), FINISHED))
    assert result.finish_reason == "targets_reached"
    assert result.quantities[0].target_met
    assert result.quantities[0].half_width == pytest.approx(0.02)
    assert result.warnings == ("dust",)
    assert (result.started, result.finished) == (
        "2025-01-01T00:00:00.500+00:00",
        "2025-01-01T00:00:02.500+00:00",
    )
    assert result.spent.model_dump() == {
        "beam_time_s": 9.0, "wall_time_s": 2.0, "dose_e_per_nm2_max": 0.0, "eds_live_s": 0.0, "frames": 5,
        "spectra": 0, "stage_travel_um": 0.0,
    }  # fmt: skip


def test_an_interrupted_session_says_so(started, make_frame_document):
    documents = stamped(started, make_frame_document(1), EstimateDocument(step=1, quantities=(QUANTITY,)))
    result = build_result(documents)
    assert result.finish_reason == "failed"
    assert "never finished" in result.warnings[-1]
    assert result.quantities == (QUANTITY,)
    assert result.spent.beam_time_s == 8.0
    assert result.spent.wall_time_s == 2.0


def test_before_the_first_estimate_nothing_is_claimed(started):
    (quantity,) = build_result(stamped(started)).quantities
    assert (quantity.class_name, quantity.estimate, quantity.ci_low, quantity.target_met) == (
        "pearlite", None, None, False,
    )  # fmt: skip


def test_a_finished_session_taken_up_again_is_not_finished(started):
    result = build_result(
        stamped(started, EstimateDocument(step=1, quantities=(QUANTITY,)), FINISHED, ResumedDocument())
    )
    assert result.finish_reason == "failed"


def test_without_a_beginning_there_is_no_result():
    with pytest.raises(RecordError, match="nothing to report"):
        build_result([])


def test_result_json_has_the_keys_of_the_contract(writer, folder, started):
    writer.append(started)
    writer.append(FINISHED)
    result = build_result(stamped(started, FINISHED))
    writer.write_result(result)
    data = json.loads((folder / "result.json").read_text())
    assert data["schema"] == "autoscope.result/1"
    assert {
        "schema", "autoscope_version", "finish_reason", "microscope", "sample", "started", "finished",
        "specimen", "seed", "policy", "model", "spent", "quantities", "inclusions", "labels", "warnings",
    } == data.keys()  # fmt: skip
    assert {
        "quantity", "class", "unit", "estimate", "ci_low", "ci_high", "confidence",
        "relative_accuracy_percent", "fields_measured", "fields_in_region", "estimator", "tier", "target_met",
        "covers",
    } <= data["quantities"][0].keys()  # fmt: skip
    assert type(result).model_validate(data) == result


def test_an_adopted_model_is_the_result_s_and_is_said(started):
    adopted = ModelAdoptedDocument(
        answers=20, old_sha256="cd" * 32, new_sha256="ef" * 32, learnt=(1, 4), held_out=9,
        held_out_chance=0.5, mean_iou=0.8125, mean_iou_before=0.75,
        file="models/efef.safetensors", teachable=25, fields=30,
    )  # fmt: skip
    result = build_result(stamped(started, adopted, FINISHED))
    assert (result.model.kind, result.model.sha256) == ("segmentation", "ef" * 32)
    (said,) = (w for w in result.warnings if "another model took over" in w)
    for part in ("30 fields", "efefefefefef", "cdcdcdcdcdcd", "2 answers", "9 held-out", "0.8125", "0.7500"):
        assert part in said


def test_inclusions_of_a_field_that_was_measured_again_are_the_last_ones(started):
    one = InclusionResult(
        x_um=1.0, y_um=2.0, equivalent_diameter_um=0.0, class_name="oxide", class_probability=1.0
    )

    def found(step, *diameters):
        listed = tuple(one.model_copy(update={"equivalent_diameter_um": d}) for d in diameters)
        return InclusionsDocument(step=step, field=step, inclusions=listed)

    documents = (started, found(1, 1.0, 2.0), found(2, 3.0), found(3, 4.0), found(1, 1.5), found(2), FINISHED)
    result = build_result(stamped(*documents))
    assert [i.equivalent_diameter_um for i in result.inclusions] == [4.0, 1.5]
