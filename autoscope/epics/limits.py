"""The soft limits of the motors join the envelope."""

from __future__ import annotations

from dataclasses import replace

from autoscope.epics.channels import Channels
from autoscope.epics.stage import FIELDS
from autoscope.microscope import Envelope

Range = tuple[float, float]


def soft_limits(channels: Channels, axis: str) -> Range | None:
    """A motor's soft limits; None where it has none (the motor record says so by two equal ones)."""
    keys = (f"stage.{axis}.low_limit", f"stage.{axis}.high_limit")
    if any(key not in channels for key in keys):
        return None
    low, high = (channels[key].number() for key in keys)
    return None if low == high else (low, high)


def joined_envelope(channels: Channels, envelope: Envelope) -> tuple[Envelope, list[str]]:
    """The envelope within the motors' soft limits, and a sentence for each axis that is left nothing."""
    problems: list[str] = []
    changes: dict[str, Range] = {}
    for axis, field in FIELDS.items():
        soft, own = soft_limits(channels, axis), getattr(envelope, field)
        if soft is None:
            continue
        low, high = soft if own is None else (max(soft[0], own[0]), min(soft[1], own[1]))
        if low >= high:
            of = "" if own is None else f" and envelope.{field} = [{own[0]:g}, {own[1]:g}]"
            problems.append(
                f"the soft limits of stage.{axis}, [{soft[0]:g}, {soft[1]:g}],{of} leave the stage no place"
            )
        else:
            changes[field] = (low, high)
    return replace(envelope, **changes), problems  # type: ignore[arg-type]
