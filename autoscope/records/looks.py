"""What the result says of fields that did not look like what the model was made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autoscope.records.documents import Document, FrameDocument, LookDocument

LISTED = 12
"""Fields that a warning names before it says how many more there are."""


def final_looks(documents: Sequence[Document]) -> tuple[LookDocument, ...]:
    """The look that counted, of every field whose first look was unfamiliar, in order."""
    return tuple(
        d for d in documents if isinstance(d, LookDocument) and d.action in ("measured", "worst case")
    )


def counted_frames(documents: Sequence[Document]) -> dict[int, int]:
    """Field to the frame that its values were measured on: of two looks, the one that counts."""
    frames = {
        d.field: d.frame
        for d in documents
        if isinstance(d, FrameDocument) and d.purpose == "field" and d.field is not None
    }
    return frames | {d.field: d.frame for d in final_looks(documents)}


def look_warnings(documents: Sequence[Document]) -> tuple[str, ...]:
    """The warnings of a session about unfamiliar fields; none where every field was familiar."""
    final = final_looks(documents)
    lost = [d for d in final if d.action == "worst case"]
    doubtful = [d for d in final if d.action == "measured" and d.level != "familiar"]
    helped = len(final) - len(lost) - len(doubtful)
    warnings = []
    if lost:
        warnings.append(
            f"{_fields(lost)} not like anything that the model was made for ({_guesses(lost)}):"
            " counted at the worst case in both ends of the interval; look at them in the report, and leave"
            " them out of the region if they are no part of what is asked"
        )
    if doubtful:
        warnings.append(
            f"{_fields(doubtful)} unlike what the model was made for ({_guesses(doubtful)}) also on the look"
            " that counts, and measured all the same: check their class maps in the report"
        )
    if helped:
        warnings.append(
            f"{helped} {'field' if helped == 1 else 'fields'} looked unfamiliar at first and familiar when"
            " taken again: the second frame was measured"
        )
    return tuple(warnings)


def _fields(looks: Sequence[LookDocument]) -> str:
    numbers = ", ".join(str(d.field) for d in looks[:LISTED])
    more = f" and {len(looks) - LISTED} more" if len(looks) > LISTED else ""
    noun = "fields" if len(looks) > 1 else "field"
    return f"{len(looks)} {noun} ({numbers}{more}) looked"


def _guesses(looks: Sequence[LookDocument]) -> str:
    counts = Counter(d.guess or "unknown" for d in looks)
    return "best guess: " + ", ".join(f"{name} {count}" for name, count in counts.most_common())
