"""A specimen as a survey sees it, in one file: every field's true value and what the overview says of it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import RecordError
from autoscope.survey import FieldGrid
from autoscope_simulators import Timing

_GRID = ("x_um", "y_um", "row", "column", "weight", "valid_fraction")


@dataclass(frozen=True, slots=True)
class SurveyCosts:
    """What a survey of the fields costs.

    Attributes:
        timing: of the simulated microscope.
        visit_s: seconds of a visit apart from travel.
        overview_s: the microscope's clock when the overview is complete, autofocus included.
        start_xy_um: where the stage stands then.
        focus_every_s: seconds between two autofocus runs.
    """

    timing: Timing
    visit_s: float
    overview_s: float
    start_xy_um: tuple[float, float]
    focus_every_s: float

    def travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds of stage moves of these lengths, settling included."""
        return self.timing.travel_s(distance_um)

    def beam_time_s(self, visits_s: float) -> float:
        """The microscope's clock at the end, when the visits took so long: overview and focus included."""
        spent_s = self.overview_s + visits_s
        refocused = int(spent_s // self.focus_every_s) - int(self.overview_s // self.focus_every_s)
        return spent_s + refocused * self.timing.autofocus_s


@dataclass(frozen=True, slots=True)
class FieldTable:
    """Everything about a specimen that an episode needs.

    Attributes:
        name: of the specimen, as the benchmark calls it.
        sha256: of the specimen file.
        synthetic: whether the specimen was generated.
        grid: the fields.
        values: ``targets x fields``, what the reference measurement would say.
        groups: ``fields x d`` each, what the overview says: grey levels, their tails, the trained reader.
        costs: what a survey costs.
    """

    name: str
    sha256: str
    synthetic: bool
    grid: FieldGrid
    values: NDArray[np.float64]
    groups: tuple[NDArray[np.float64], ...]
    costs: SurveyCosts

    @property
    def truth(self) -> NDArray[np.float64]:
        """``targets``: what a session estimates."""
        return np.asarray(self.values @ self.grid.weight)


def save_table(table: FieldTable, path: Path) -> None:
    """Writes a table; the file is there whole or not at all."""
    grid, costs = table.grid, table.costs
    facts = {
        "name": table.name,
        "sha256": table.sha256,
        "synthetic": table.synthetic,
        "hfw_um": grid.hfw_um,
        "vfw_um": grid.vfw_um,
        "unreachable": grid.unreachable,
        "groups": len(table.groups),
        "timing": asdict(costs.timing),
        "costs": {f.name: getattr(costs, f.name) for f in fields(costs) if f.name != "timing"},
    }
    columns = {name: getattr(grid, name) for name in _GRID}
    draft = path.with_suffix(".part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        groups: dict[str, Any] = {f"group_{n}": group for n, group in enumerate(table.groups)}
        np.savez_compressed(draft, facts=json.dumps(facts), values=table.values, **groups, **columns)
        draft.replace(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror or error}") from error


def load_table(path: Path) -> FieldTable:
    """Reads a table.

    Raises:
        RecordError: the file is missing or damaged.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            columns = {name: file[name] for name in _GRID}
            values = file["values"]
            groups = tuple(file[f"group_{n}"] for n in range(facts["groups"]))
        start = tuple(facts["costs"].pop("start_xy_um"))
        costs = SurveyCosts(Timing(**facts["timing"]), start_xy_um=start, **facts["costs"])
        grid = FieldGrid(
            **columns, hfw_um=facts["hfw_um"], vfw_um=facts["vfw_um"], unreachable=facts["unreachable"]
        )
        return FieldTable(facts["name"], facts["sha256"], facts["synthetic"], grid, values, groups, costs)
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise RecordError(f"{path} is not a table of fields: {error}; delete it and run again") from error


def renamed(table: FieldTable, name: str) -> FieldTable:
    """The table under another name."""
    return replace(table, name=name)
