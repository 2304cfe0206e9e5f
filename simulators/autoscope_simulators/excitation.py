"""Which classes a beam at a place excites, and how much of the signal is each one's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIGMA_PER_RANGE = 1 / 3
"""Standard deviation of the X-ray generation along each axis, as a share of the electrons' range.

Its mean depth is then 0.27 ranges, within what Monte Carlo programs find at 10 to 20 kV."""


def generation_shares(
    labels: NDArray[np.uint8], beam_px: tuple[float, float], sigma_px: float, matrix: int | None
) -> dict[int, float]:
    """Shares of the X-rays that are generated in each class; they sum to 1.

    Generation falls off as a normal distribution of the distance from the point where the beam lands, the
    same along x, y and into the depth. Along the surface the class map says what lies there. Below, an
    inclusion is taken for a sphere cut through its centre, on a matrix that fills everything else: at a
    distance D from its border it is ``sqrt(D (2 r - D))`` deep, with r the largest D.

    Args:
        labels: ``height x width``, classes around the beam.
        beam_px: ``(row, column)`` of the beam, 0 at the centre of the first pixel.
        sigma_px: standard deviation of the generation.
        matrix: the class below the others; None: every class reaches down without end.
    """
    from scipy import ndimage
    from scipy.special import erf

    rows, columns = np.indices(labels.shape)
    squared = (rows - beam_px[0]) ** 2 + (columns - beam_px[1]) ** 2
    weights = np.exp(-(squared - squared.min()) / (2 * sigma_px**2))
    weights /= weights.sum()
    shares = {int(label): 0.0 for label in np.unique(labels)}
    if matrix is not None:
        shares.setdefault(matrix, 0.0)
    for label in list(shares):
        own = labels == label
        share = float(weights[own].sum())
        if matrix is None or label == matrix or own.all():
            shares[label] += share
            continue
        border = ndimage.distance_transform_edt(own) - 0.5
        features, n = ndimage.label(own)
        radius = ndimage.maximum(border, features, np.arange(n + 1))[features]
        depth = np.sqrt(np.maximum(border * (2 * radius - border), 0.0))
        inside = float((weights * erf(depth / (sigma_px * np.sqrt(2))))[own].sum())
        shares[label] += inside
        shares[matrix] += share - inside
    return shares
