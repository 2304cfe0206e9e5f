"""The units that signals must have; a PV that says another one is refused."""

from __future__ import annotations

from collections.abc import Iterator

from autoscope.epics.channels import Channels

SPELLINGS = {
    "um": ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"),
    "deg": ("deg", "degree", "degrees", "°"),
    "kV": ("kv",),
    "pA": ("pa",),
    "mm": ("mm", "millimeter", "millimetre"),
    "us": ("us", "µs", "μs"),
}
"""How a record may spell a unit; upper and lower case do not matter."""

EXPECTED = {
    "stage.x.readback": "um",
    "stage.y.readback": "um",
    "stage.z.readback": "um",
    "stage.tilt.readback": "deg",
    "beam.voltage": "kV",
    "beam.current": "pA",
    "beam.working_distance": "mm",
    "scan.field_width": "um",
    "scan.dwell": "us",
}


def wrong_units(channels: Channels) -> Iterator[str]:
    """A sentence for every signal whose PV says another unit than autoscope works in."""
    for key, unit in EXPECTED.items():
        if key not in channels:
            continue
        by_field = channels.get(key.replace(".readback", ".unit")) if key.endswith(".readback") else None
        said = by_field.text() if by_field is not None else channels[key].unit()
        if said.strip().lower() not in SPELLINGS[unit]:
            asked = by_field or channels[key]
            yield (
                f"{asked} says the unit {said!r}, {unit} is needed: serve it in {unit}, or map another PV"
                if said
                else f"{asked} says no unit, {unit} is needed: set its EGU"
            )
