"""Pictures and masks as PNG bytes, the form in which they travel between programs."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoscope.core import ImageError


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A grey picture or an index mask (``height x width`` uint8) as an 8-bit grey PNG.

    The quickest compression: micrographs are mostly noise, and a mask is small in any case.

    Raises:
        ImageError: the pixels are of another shape or kind.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ImageError(f"pixels must be height x width uint8, not {pixels.shape} {pixels.dtype}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
