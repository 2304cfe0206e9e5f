"""The PV map: which PV carries which signal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

PREFIX = "$(P)"
"""Stands for the configuration's prefix in a PV's name."""


def _name(pv: str) -> str:
    if not pv or any(letter.isspace() for letter in pv):
        raise ValueError("must be the name of a PV, not empty and without spaces")
    return pv


PV = Annotated[str, AfterValidator(_name)]


class Signals(BaseModel):
    """A table of signals; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AxisSignals(Signals):
    """A stage axis, with the meanings of the motor record's fields."""

    target: PV
    readback: PV
    done: PV
    stop: PV
    unit: PV | None = None
    high_limit: PV | None = None
    low_limit: PV | None = None
    velocity: PV | None = None
    acceleration_time: PV | None = None


class StageSignals(Signals):
    """The axes; ``defer`` starts the targets of all of them as one straight move."""

    x: AxisSignals
    y: AxisSignals
    z: AxisSignals | None = None
    tilt: AxisSignals | None = None
    defer: PV | None = None


class BeamSignals(Signals):
    """The beam."""

    voltage: PV
    current: PV
    working_distance: PV
    detector: PV
    detectors: PV
    blank: PV


class ScanSignals(Signals):
    """The scan; ``spot_x`` and ``spot_y`` say where the beam rests while a spectrum is taken."""

    field_width: PV
    dwell: PV
    spot_x: PV | None = None
    spot_y: PV | None = None


class ImageSignals(Signals):
    """The image, with the meanings of areaDetector."""

    acquire: PV
    width: PV
    height: PV
    data: PV
    data_width: PV
    data_height: PV
    unique_id: PV
    state: PV | None = None


class FocusSignals(Signals):
    """The instrument's own autofocus."""

    start: PV
    busy: PV
    found: PV
    sharpness: PV
    stigmator_x: PV
    stigmator_y: PV


class SpectrumSignals(Signals):
    """The EDS detector, with the meanings of the mca record's fields."""

    start: PV
    stop: PV | None = None
    preset_live: PV
    elapsed_live: PV
    elapsed_real: PV
    acquiring: PV
    counts: PV
    offset: PV
    slope: PV


class HealthSignals(Signals):
    """Each is 1 when all is well."""

    vacuum: PV | None = None
    valve: PV | None = None
    emission: PV | None = None


class SimulationSignals(Signals):
    """Only a simulation has these."""

    simulated: PV
    time_scale: PV


class PVMap(Signals):
    """Every signal that autoscope reads or writes.

    Raises:
        pydantic.ValidationError: a signal is missing, unknown, or has the PV of another.
    """

    stage: StageSignals
    beam: BeamSignals
    scan: ScanSignals
    image: ImageSignals
    focus: FocusSignals | None = None
    spectrum: SpectrumSignals | None = None
    health: HealthSignals = HealthSignals()
    simulation: SimulationSignals | None = None
    name: PV | None = None
    heartbeat: PV | None = None

    @model_validator(mode="after")
    def _one_signal_each(self) -> PVMap:
        users = defaultdict(list)
        for key, pv in _signals(self):
            users[pv].append(key)
        twice = [f"{pv} is given to {' and '.join(keys)}" for pv, keys in users.items() if len(keys) > 1]
        if twice:
            raise ValueError("; ".join(twice) + ": each signal needs a PV of its own")
        return self

    @property
    def missing_for_spectra(self) -> tuple[str, ...]:
        """Keys that spectra of features beside a field's centre need and that are not there."""
        spots = tuple(key for key in ("spot_x", "spot_y") if getattr(self.scan, key) is None)
        return (*(() if self.spectrum else ("spectrum",)), *(f"scan.{key}" for key in spots))

    def names(self, prefix: str) -> dict[str, str]:
        """The PV of every signal that is there, by its key such as ``stage.x.target``."""
        return {key: pv.replace(PREFIX, prefix) for key, pv in _signals(self)}


def _signals(table: Signals, path: str = "") -> Iterator[tuple[str, str]]:
    for key in type(table).model_fields:
        value = getattr(table, key)
        if isinstance(value, Signals):
            yield from _signals(value, f"{path}{key}.")
        elif value is not None:
            yield f"{path}{key}", value


def default_pvs() -> str:
    """The shipped PV map as TOML text: the names that ``autoscope ioc`` serves."""
    return files("autoscope.epics").joinpath("default_pvs.toml").read_text(encoding="utf-8")
