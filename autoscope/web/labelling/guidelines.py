"""Guidelines: what each class is, in words, and what it looks like in frames that experts have answered."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoscope.images import palette
from autoscope.labels import Answer, LabelQueue, RequestSummary
from autoscope.web.labelling.schemas import GuidelineRecord
from autoscope.web.refusals import RefusedError

EXAMPLES = 3
CROP_PX = 160
_LOOKED_AT = 30
_LEAST_PX = 64


class Guidelines:
    """What the classes of a request are.

    Args:
        queue: whose answered frames show them.
        texts: what each class is, by name, as the operator wrote it.
    """

    def __init__(self, queue: LabelQueue, texts: Mapping[str, str]) -> None:
        self._queue, self._texts = queue, texts

    def of(self, request_id: int) -> tuple[GuidelineRecord, ...]:
        """Every class of a request.

        Raises:
            UnknownRequest: there is no such request.
        """
        request = self._queue.request(request_id)
        found: dict[int, list[str]] = {value: [] for value in range(len(request.class_names))}
        for answer in self._shown(request):
            mask = self._queue.mask(answer.id)
            for value, links in found.items():
                if len(links) < EXAMPLES and np.count_nonzero(mask == value) >= _LEAST_PX:
                    links.append(f"/api/answers/{answer.id}/example.png?value={value}")
            if all(len(links) == EXAMPLES for links in found.values()):
                break
        return tuple(
            GuidelineRecord(value=i, name=name, text=self._texts.get(name, ""), examples=tuple(found[i]))
            for i, name in enumerate(request.class_names)
        )

    def crop(self, answer_id: int, value: int) -> bytes:
        """A crop of an answered frame where a class lies, its outline drawn, as a PNG.

        Raises:
            RefusedError: there is no such answer, it may not be shown yet, or the class is not in it.
        """
        answer = next((a for a in self._queue.answers(since_id=answer_id - 1) if a.id == answer_id), None)
        if answer is None or self._queue.request(answer.request_id).second_opinion_wanted:
            raise RefusedError(404, f"there is no answer {answer_id} to be shown")
        chosen = self._queue.mask(answer_id) == value
        if np.count_nonzero(chosen) < _LEAST_PX:
            raise RefusedError(404, f"answer {answer_id} has no class {value}")
        return _drawn(self._queue.frame(answer.request_id), chosen, value)

    def _shown(self, request: RequestSummary) -> Iterator[Answer]:
        """Answers with the same classes, the newest first; never one that another expert must not see."""
        for answer in reversed(self._queue.answers()[-_LOOKED_AT:]):
            other = self._queue.request(answer.request_id)
            hidden = other.second_opinion_wanted or other.state == "leased" or other.id == request.id
            if not hidden and other.class_names == request.class_names:
                yield answer


def _drawn(frame: NDArray[np.uint8] | NDArray[np.uint16], chosen: NDArray[np.bool_], value: int) -> bytes:
    rows, columns = _window(chosen)
    grey = frame[rows, columns].astype(np.float32)
    low, high = float(frame.min()), float(frame.max())
    rgb = np.repeat((255 * (grey - low) / max(high - low, 1.0))[..., None], 3, axis=2).astype(np.uint8)
    inside = chosen[rows, columns]
    edge = np.zeros(inside.shape, bool)
    edge[:-1] |= inside[:-1] != inside[1:]
    edge[:, :-1] |= inside[:, :-1] != inside[:, 1:]
    rgb[edge] = tuple(palette()[3 * value : 3 * value + 3])
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _window(chosen: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The crop in which the class and what is not the class are most evenly mixed."""
    from scipy.ndimage import uniform_filter

    share = uniform_filter(chosen.astype(np.float32), CROP_PX // 2, mode="constant")
    row, column = np.unravel_index(int(np.argmax(np.minimum(share, 1 - share))), share.shape)
    return _around(int(row), chosen.shape[0]), _around(int(column), chosen.shape[1])


def _around(centre: int, size: int) -> slice:
    start = max(0, min(centre - CROP_PX // 2, size - CROP_PX))
    return slice(start, min(size, start + CROP_PX))
