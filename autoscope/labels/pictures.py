"""Arrays to PNG bytes and back; nothing that comes from outside is decoded before its size is known."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from autoscope.labels.errors import MaskError

_LEVELS = 255
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
"""The last chunk of every whole PNG (ISO/IEC 15948, 11.2.5)."""
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, OverflowError)


def png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """A lossless PNG of ``height x width`` uint8 or uint16."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def from_png(data: bytes) -> NDArray[Any]:
    """The array that :func:`png` was given."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return np.asarray(image).astype(np.uint16 if image.mode.startswith("I") else np.uint8)


def uncertainty_levels(uncertainty: NDArray[Any]) -> NDArray[np.uint8]:
    """An uncertainty from 0 to 1 as 255ths; uint8 stays as it is.

    Raises:
        MaskError: a value is not a number from 0 to 1.
    """
    if uncertainty.dtype == np.uint8:
        return uncertainty
    values = np.asarray(uncertainty, np.float32)
    inside = (values >= 0) & (values <= 1)
    if not inside.all():
        raise MaskError(
            f"the uncertainty map has the value {values[~inside].flat[0]:g}: it must go from 0 (sure) to 1"
        )
    return np.round(values * _LEVELS).astype(np.uint8)


def uncertainty_of(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Back from 255ths."""
    return levels.astype(np.float32) / np.float32(_LEVELS)


def mask_from_png(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Decodes a mask that an expert sent; its size is checked before a pixel is decoded.

    Args:
        data: a PNG of one channel, 8 bits or fewer: grey or palette; values are class numbers.
        height: of the request's frame, pixels.
        width: likewise.

    Raises:
        MaskError: it is no PNG, is cut short, has another size, or is coloured.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            check_size(image.height, image.width, height, width)
            if image.mode not in {"L", "P", "1"}:
                raise MaskError(
                    f"the mask is a PNG of kind {image.mode!r}: send one class number for each pixel"
                    " (8-bit grey or palette)"
                )
            if _PNG_END not in data:  # the decoder minds only where pixels are missing
                raise MaskError("the mask is cut short: its end is missing; send it again")
            depth = data[24] if image.mode == "L" else 8
            values = np.asarray(image).astype(np.uint8)
    except UnidentifiedImageError:
        raise MaskError("the mask is not a PNG image") from None
    except Image.DecompressionBombError:
        raise MaskError(f"the mask is far larger than the frame of {width} x {height} pixels") from None
    except _DECODER_ERRORS as error:
        raise MaskError(f"the mask is damaged or cut short ({error}): send it again") from error
    return values // (_LEVELS // (2**depth - 1)) if depth < 8 else values


def check_size(height: int, width: int, wanted_height: int, wanted_width: int) -> None:
    """Refuses a picture of another size than its frame.

    Raises:
        MaskError: its size is another.
    """
    if (height, width) != (wanted_height, wanted_width):
        raise MaskError(
            f"the mask is {width} x {height} pixels, the frame is {wanted_width} x {wanted_height}:"
            " a mask has one value for each pixel of the frame"
        )


def check_mask(mask: NDArray[Any], height: int, width: int, class_names: Sequence[str]) -> None:
    """Refuses a mask that is not one class of ``class_names`` for each pixel of a frame.

    Raises:
        MaskError: its size, kind or values are wrong.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise MaskError(f"a mask is height x width uint8, not {mask.shape} {mask.dtype}")
    check_size(mask.shape[0], mask.shape[1], height, width)
    largest = int(mask.max())
    if largest >= len(class_names):
        known = ", ".join(f"{i} = {name}" for i, name in enumerate(class_names))
        raise MaskError(f"the mask has the value {largest}, which is no class of this request ({known})")


def mask_sha256(mask: NDArray[np.uint8]) -> str:
    """Hash of a mask's size and values, whatever its encoding."""
    return hashlib.sha256(f"{mask.shape}".encode() + np.ascontiguousarray(mask).tobytes()).hexdigest()
