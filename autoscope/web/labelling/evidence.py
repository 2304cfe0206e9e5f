"""What a model looked at, in the form in which pages get it: a grey PNG and a few numbers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from autoscope.images import encode_png

if TYPE_CHECKING:
    from autoscope.perception.explaining import Explanation

Kind = Literal["grad-cam", "occlusion"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NEUTRAL = 128
"""Level of an occlusion map where hiding changes nothing."""
_SPAN = 127
_KEPT_BYTES = 32 * 1024 * 1024

Asked = tuple[int, int, Kind]
"""A request, the mask value of a class, and a kind of map."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One map of one class of one frame.

    Attributes:
        share: of the frame that the model gives to the class.
        probability: mean probability of the class over these pixels; over the frame where there are none.
        most: what the end of the scale stands for: of Grad-CAM 1, the strongest place, and 0 where nothing
            speaks for the class; of an occlusion map the largest change of that probability.
        png: 8-bit grey, of the frame's size. Grad-CAM: 255ths of ``most``. Occlusion: 128 where nothing
            changes, and 127 levels up to a fall by ``most``, down to a rise by it.
    """

    share: float
    probability: float
    most: float
    png: bytes

    @classmethod
    def of(cls, found: Explanation, kind: Kind) -> Evidence:
        """The map of a kind in an explanation, which must have it."""
        if kind == "grad-cam":
            most, levels = float(found.grad_cam.max()), np.round(255 * found.grad_cam)
        else:
            fall = np.zeros_like(found.grad_cam) if found.occlusion is None else found.occlusion
            most = float(np.abs(fall).max())
            levels = NEUTRAL + np.round(_SPAN * fall / (most or 1.0))
        return cls(found.share, found.probability, most, encode_png(_as_bytes(levels)))


class EvidenceKept:
    """The maps that were computed last, in a bounded memory.

    Args:
        limit: bytes of all their pictures.
    """

    def __init__(self, limit: int = _KEPT_BYTES) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: OrderedDict[Asked, Evidence] = OrderedDict()

    def get(self, asked: Asked) -> Evidence | None:
        """A map; None where it was never computed, or is forgotten."""
        found = self._kept.get(asked)
        if found is not None:
            self._kept.move_to_end(asked)
        return found

    def add(self, asked: Asked, evidence: Evidence) -> None:
        """Keeps a map, and forgets those that nobody looked at for longest; the newest is always kept."""
        before = self._kept.pop(asked, None)
        self._bytes += len(evidence.png) - (0 if before is None else len(before.png))
        self._kept[asked] = evidence
        while self._bytes > self._limit and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1].png)


def _as_bytes(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Whole levels as bytes; the interpolation of Grad-CAM may end a hair above its strongest place."""
    return np.minimum(levels, 255).astype(np.uint8)
