"""Pictures of a session: its frames, their class maps, and the mosaic under the map."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoscope.images import encode_png
from autoscope.records import open_session
from autoscope.web.live.session import LiveSession
from autoscope.web.refusals import RefusedError

_JPEG_QUALITY = 88


@lru_cache(maxsize=32)
def frame_jpeg(live: LiveSession, index: int) -> bytes:
    """A frame with its grey levels stretched.

    Raises:
        RecordError: there is no such frame.
    """
    from autoscope.report.field_images import stretch

    buffer = io.BytesIO()
    frame = live.view.frame(index)
    Image.fromarray(stretch(frame.pixels)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def labels_png(live: LiveSession, index: int) -> bytes:
    """The class map of a frame, classes by value.

    Raises:
        RecordError: there is no such frame.
        RefusedError: the frame has no class map, or none yet.
    """
    labels = live.view.labels(index)
    if labels is None:
        raise RefusedError(404, f"frame {index} has no class map")
    return encode_png(labels)


@lru_cache(maxsize=16)
def map_png(live: LiveSession, overview_frames: int) -> bytes:
    """The mosaic of the overview over all fields, cut to the rectangle of the fields.

    Args:
        live: the session.
        overview_frames: how many of its overview frames are drawn.
    """
    from autoscope.report.specimen_map import draw_background

    shown = live.story.overview[:overview_frames]
    background = draw_background(open_session(live.view.folder), live.fields, shown)
    buffer = io.BytesIO()
    image = Image.fromarray(_cut(background.rgba, background.box, live.map.box))
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _cut(
    rgba: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    wanted: tuple[float, float, float, float],
) -> NDArray[np.uint8]:
    """The part of a picture of ``box`` that shows ``wanted``, which lies in it (``x0, y0, x1, y1``, um)."""
    height, width = rgba.shape[:2]
    per_um_x, per_um_y = width / (box[2] - box[0]), height / (box[3] - box[1])
    left, right = round((wanted[0] - box[0]) * per_um_x), round((wanted[2] - box[0]) * per_um_x)
    top, bottom = round((wanted[1] - box[1]) * per_um_y), round((wanted[3] - box[1]) * per_um_y)
    return rgba[top : max(bottom, top + 1), left : max(right, left + 1)]
