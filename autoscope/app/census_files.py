"""The census as tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from autoscope.records import CENSUS_CSV, INCLUSIONS_CSV, Census, replace_file

ROWS = (
    "measure", "class", "from_um", "to_um", "shape", "estimate", "ci_low", "ci_high", "features", "spectra",
    "estimator",
)  # fmt: skip
POINTS = (
    "x_um", "y_um", "equivalent_diameter_um", "feret_um", "aspect", "area_um2", "class", "class_probability",
    "by", "field", "eds_live_s", "elements_at_percent",
)  # fmt: skip


def write_tables(folder: Path, census: Census) -> None:
    """Writes ``census.csv`` and ``inclusions.csv``.

    Raises:
        RecordError: the folder cannot be written.
    """
    rows = [row.model_dump(by_alias=True) for row in (*census.rows, *census.shapes)]
    replace_file(folder / CENSUS_CSV, _table(ROWS, ([row[key] for key in ROWS] for row in rows)))
    points = []
    for point in census.points:
        said = point.model_dump(by_alias=True)
        shares = sorted(point.elements.items(), key=lambda item: -item[1])
        said["elements_at_percent"] = " ".join(f"{name} {100 * share:.1f}" for name, share in shares)
        points.append([said[key] for key in POINTS])
    replace_file(folder / INCLUSIONS_CSV, _table(POINTS, points))


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(header)
    table.writerows(["" if value is None else value for value in row] for row in rows)
    return buffer.getvalue()
