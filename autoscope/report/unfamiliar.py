"""Fields that did not look like what the model was made for, as the report lists and shows them."""

from __future__ import annotations

from dataclasses import dataclass

from autoscope.records import LookDocument
from autoscope.records.looks import final_looks
from autoscope.report.evidence import Evidence
from autoscope.report.field_images import field_picture

PICTURES = 6
"""Unfamiliar fields that are shown; all are listed."""

_COUNTED = {"worst case": "not measured: worst case in both ends of the interval", "measured": "measured"}


@dataclass(frozen=True, slots=True)
class UnfamiliarField:
    """One field of the list.

    Attributes:
        title: its name.
        source: its picture, empty where it is only listed.
        facts: what was seen and what was made of it.
    """

    title: str
    source: str
    facts: tuple[str, ...]


def unfamiliar_fields(evidence: Evidence) -> tuple[UnfamiliarField, ...]:
    """All fields whose first look was unfamiliar: those that could not be measured first, then by score.

    Raises:
        RecordError: a frame cannot be read.
    """
    documents = evidence.view.documents()
    final = sorted(final_looks(documents), key=lambda d: (d.action != "worst case", -d.score))
    looks: dict[int, list[LookDocument]] = {}
    for document in documents:
        if isinstance(document, LookDocument):
            looks.setdefault(document.step, []).append(document)
    return tuple(
        _field(evidence, document, looks[document.step], shown=number < PICTURES)
        for number, document in enumerate(final)
    )


def _field(
    evidence: Evidence, final: LookDocument, looks: list[LookDocument], *, shown: bool
) -> UnfamiliarField:
    x_um, y_um = (float(evidence.fields[name][final.field]) for name in ("x_um", "y_um"))
    seen = [f"{_what(look)} (score {look.score:.2g})" for look in looks]
    if len(seen) > 1:
        seen = [f"first look: {seen[0]}", f"taken again: {seen[1]}"]
    picture = ""
    if shown:
        labels = evidence.view.labels(final.frame)
        picture = field_picture(evidence.view.frame(final.frame), labels, None)
    facts = (f"at {x_um:.1f}, {y_um:.1f} µm", *seen, _COUNTED[final.action])
    return UnfamiliarField(f"Field {final.field}", picture, facts)


def _what(look: LookDocument) -> str:
    return f"{look.level}, probably {look.guess}" if look.guess else look.level
