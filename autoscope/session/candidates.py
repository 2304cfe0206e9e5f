"""The features of a field that could get a spectrum: found in the class map, sized, and where to aim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.eds import Traits
from autoscope.estimation import deepest_px, feret_px, find_features
from autoscope.session.quantities import FieldMap

INSIDE = 1
"""Label of what lies in any candidate class."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One feature.

    Attributes:
        x_um: centroid, specimen coordinates.
        y_um: centroid, likewise.
        spot_um: its deepest point, from the field's centre: where the beam is put.
        diameter_um: of the circle of equal area.
        feret_um: largest Feret diameter.
        aspect: of the rectangle of smallest width.
        area_um2: of the part on the field.
        weight: how many features it stands for; 0 where the field's edge cuts it.
        image: image class to probability, the candidate classes alone.
        grey: mean signal of its deepest pixels over the median of the field outside of all features; None:
            not known.
        mean_grey: mean signal of all its pixels, likewise.
    """

    x_um: float
    y_um: float
    spot_um: tuple[float, float]
    diameter_um: float
    feret_um: float
    aspect: float
    area_um2: float
    weight: float
    image: Mapping[str, float]
    grey: float | None = None
    mean_grey: float | None = None

    @property
    def traits(self) -> Traits:
        """How the image sees it."""
        return Traits(self.image, self.diameter_um, self.aspect, self.grey, self.mean_grey)


def find_candidates(field: FieldMap, classes: Sequence[str], min_feature_um: float) -> tuple[Candidate, ...]:
    """Connected features of any of the candidate classes together, in order of their first pixel.

    What the image takes for two classes side by side is one feature: it is the spectrum that tells.

    Args:
        field: what was recognised.
        classes: the image classes that inclusions may have.
        min_feature_um: features of a smaller equivalent circle diameter are left out.
    """
    labels = [list(field.class_names).index(name) for name in classes]
    inside = np.isin(field.labels, labels).astype(np.uint8)
    um = field.pixel_nm / 1000
    found = find_features(inside, INSIDE, valid=field.valid, min_feature_px=min_feature_um / um)
    if not len(found):
        return ()
    shares = _image_shares(field, labels, found.components, found.number)
    weights, height, width = found.weights(), *field.labels.shape
    from scipy.ndimage import find_objects

    matrix = _matrix_grey(field, inside)
    boxes, made = find_objects(found.components), []
    for j, number in enumerate(found.number.tolist()):
        box = boxes[number - 1]
        mask = found.components[box] == number
        row, column = deepest_px(mask)
        longest_px, aspect = feret_px(mask)
        grey, mean_grey = _greys(field, box, mask, matrix)
        made.append(
            Candidate(
                x_um=float(field.rectangle.x0_um + (found.column[j] + 0.5) * um),
                y_um=float(field.rectangle.y0_um + (found.row[j] + 0.5) * um),
                spot_um=(
                    (box[1].start + column + 0.5 - width / 2) * um,
                    (box[0].start + row + 0.5 - height / 2) * um,
                ),
                diameter_um=float(found.diameter_px[j] * um),
                feret_um=longest_px * um,
                aspect=aspect,
                area_um2=float(found.area_px[j] * um**2),
                weight=float(weights[j]),
                image=dict(zip(classes, shares[:, j].tolist(), strict=True)),
                grey=grey,
                mean_grey=mean_grey,
            )
        )
    return tuple(made)


def _image_shares(
    field: FieldMap, labels: Sequence[int], components: NDArray[np.int32], numbers: NDArray[np.intp]
) -> NDArray[np.float64]:
    """``classes x features``: mean probability over the pixels, or the classes' shares of them; sums to 1."""
    from scipy.ndimage import mean

    layers = [field.labels == k if field.probability is None else field.probability[k] for k in labels]
    raw = np.array([mean(layer.astype(float), components, numbers) for layer in layers])
    raw = np.maximum(raw, 1e-6)
    return np.asarray(raw / raw.sum(axis=0))


def _matrix_grey(field: FieldMap, inside: NDArray[np.uint8]) -> float | None:
    """Median signal of a field's specimen outside of all features; None where there is none."""
    if field.grey is None:
        return None
    outside = inside == 0 if field.valid is None else (inside == 0) & field.valid
    level = float(np.median(field.grey[outside])) if outside.any() else 0.0
    return level if level > 0 else None


def _greys(
    field: FieldMap, box: tuple[slice, slice], mask: NDArray[np.bool_], matrix: float | None
) -> tuple[float | None, float | None]:
    """Signal of a feature's deepest pixels and of all of it, over that of the matrix.

    The deepest ones are those that lie at most a pixel nearer to its border than the deepest.
    """
    if field.grey is None or matrix is None:
        return None, None
    from scipy.ndimage import distance_transform_edt

    depth, signal = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1], field.grey[box]
    deepest = mask & (depth >= max(1.0, float(depth.max()) - 1))
    return float(signal[deepest].mean()) / matrix, float(signal[mask].mean()) / matrix
