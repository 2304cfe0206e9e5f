"""Where a stored micrograph shows nothing: missing tiles of a mosaic, the dark around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMALLEST_GAP_PX = 4096
"""A patch of exactly black pixels is a gap from this size on, ..."""

SMALLEST_GAP_SHARE = 2e-4
"""... and from this share of its image on: pores and cracks are smaller, or not black to the last bit."""

JPEG_RIM_PX = 8
"""Within this many pixels of a gap (a block of JPEG) its compression may have turned black into nearly so."""

NEARLY_BLACK = 4 / 255
"""Share of full scale that counts as nearly black there."""


def find_gaps(pixels: NDArray[np.uint8] | NDArray[np.uint16], *, jpeg: bool = False) -> NDArray[np.bool_]:
    """Large connected patches of exactly black pixels: no specimen, rather than dark specimen.

    Args:
        pixels: ``height x width``.
        jpeg: whether the image was compressed with losses, so that gaps have a nearly black rim.

    Returns:
        ``height x width``, True where there is no specimen.
    """
    black = pixels == 0
    smallest = max(SMALLEST_GAP_PX, SMALLEST_GAP_SHARE * pixels.size)
    if np.count_nonzero(black) < smallest:
        return np.zeros(pixels.shape, bool)
    labels, _ = ndimage.label(black)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    gaps: NDArray[np.bool_] = (sizes >= smallest)[labels]
    if jpeg and gaps.any():
        nearly: NDArray[Any] = pixels <= NEARLY_BLACK * np.iinfo(pixels.dtype).max
        gaps = ndimage.binary_dilation(gaps, iterations=JPEG_RIM_PX, mask=nearly)
    return gaps
