"""Writes the report of a session from its folder alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from autoscope.records import REPORT, RESULT, open_session, replace_file
from autoscope.report.evidence import Evidence, gather
from autoscope.report.explained import ExplainedField
from autoscope.report.page import render_page

FIELDS_CSV = "fields.csv"

_COLUMNS = (
    "step", "draw", "field", "x_um", "y_um", "quantity", "class", "value", "predicted", "propensity",
    "weight", "note",
)  # fmt: skip


def write_report(folder: Path, explained: Sequence[ExplainedField] = ()) -> Path:
    """Writes ``report.html``, ``fields.csv`` and ``result.json`` from a session's records.

    A session that was interrupted gets a report that says so. While a session still runs, its
    ``result.json`` is left alone: it is the session's to write.

    Args:
        folder: the session folder.
        explained: pictures of what the model looked at, for the page.

    Returns:
        The page.

    Raises:
        RecordError: the folder is missing, damaged, holds nothing to report, or cannot be written.
    """
    evidence = gather(open_session(folder))
    if evidence.finished is not None or not evidence.running:
        replace_file(folder / RESULT, evidence.result.to_json())
    replace_file(folder / FIELDS_CSV, fields_csv(evidence))
    page = folder / REPORT
    replace_file(page, render_page(evidence, explained))
    return page


def fields_csv(evidence: Evidence) -> str:
    """The measured fields as a table, one row for each field and target, in the order of measurement.

    ``weight`` is a_i of METHODS equation (1); together with value, predicted and propensity it is all that
    is needed to compute the estimate again.
    """
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(_COLUMNS)
    for visit in evidence.visits:
        d = visit.decision
        weight = float(evidence.fields["weight"][d.field])
        for o in visit.observations:
            value = "" if o.value is None else o.value
            predicted = "" if o.predicted is None else o.predicted
            table.writerow(
                (d.step, d.draw, d.field, d.x_um, d.y_um, o.quantity, o.class_name, value, predicted,
                 d.propensity, weight, o.note)
            )  # fmt: skip
    return buffer.getvalue()
