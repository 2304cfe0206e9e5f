"""The probability that a pixel's label is wrong, fitted on images that the network was not trained on.

A logistic regression of wrong against right on a few signs of a pixel and its surroundings, for each class
of the label. Before data it is the softmax's own probability of being wrong, and images draw it away from
there as far as they agree. It is used only where it finds errors better than entropy does on images that had
no say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from autoscope.perception.calibration_card import ClassErrorChance, ErrorChances
from autoscope.perception.entropy import entropy_nats
from autoscope.perception.error_signs import SIGNS, doubt
from autoscope.perception.held_out import HeldOutImage
from autoscope.perception.reliability import rank_auroc

FEWEST_IMAGES = 3
"""Fewer say nothing about how much images differ."""
_IMAGE_WORTH = 50.0
"""Independent observations that one image counts for against the prior: its pixels are wrong together."""
_COMMON_SPREAD, _CLASS_SPREAD, _INTERCEPT_SPREAD = 1.0, 0.5, 4.5
"""Prior standard deviations of a slope, of its difference between classes, and of an intercept."""


def fit_error_chances(
    images: Sequence[HeldOutImage], offsets: NDArray[np.float64], classes: Sequence[str]
) -> ErrorChances | None:
    """Fits to images, in three blocks left out in turn to see whether it helps; None where it does not.

    Args:
        images: seen by networks that were not trained on them, those of one specimen one after the other.
        offsets: of the classes' scores.
        classes: names.
    """
    seen = [_Sites(image, offsets) for image in images]
    if len(seen) < FEWEST_IMAGES or any(one.around is None for one in seen):
        return None
    found, wrong, entropy = [], [], []
    # images of one specimen are often named alike: blocks come near to leaving out specimens
    for block in np.array_split(np.arange(len(seen)), FEWEST_IMAGES):
        chances = _fit([one for number, one in enumerate(seen) if number not in block], classes)
        for one in (seen[number] for number in block):
            found.append(one.log_odds(chances))
            wrong.append(one.wrong)
            entropy.append(one.entropy)
    truth = np.concatenate(wrong)
    ours, plain = (rank_auroc(np.concatenate(values), truth) for values in (found, entropy))
    if ours is None or plain is None or ours <= plain:
        return None
    return _fit(seen, classes)


class _Sites:
    """Some pixels of an image: their signs, labels, and which are wrong."""

    def __init__(self, image: HeldOutImage, offsets: NDArray[np.float64]) -> None:
        self.scores, self.around = image.site_scores.T, image.site_surroundings
        self.labels = (image.site_scores + torch.from_numpy(offsets).float()).argmax(dim=1)
        self.wrong: NDArray[np.bool_] = (self.labels != image.site_labels).numpy()
        self.entropy: NDArray[np.float32] = entropy_nats(torch.softmax(self.scores.float(), 0)).numpy()

    @property
    def signs(self) -> NDArray[np.float64]:
        """``n x signs``."""
        around = torch.zeros(0, len(self.labels)) if self.around is None else self.around
        return torch.cat([doubt(self.scores, self.labels)[None], around]).T.double().numpy()

    def log_odds(self, chances: ErrorChances) -> NDArray[np.float64]:
        """Of being wrong, ``n``."""
        signs, labels = self.signs, self.labels.numpy()
        slopes = np.array([one.slopes for one in chances.per_class]) / chances.spread
        levels = np.array([one.intercept for one in chances.per_class])
        moved = ((signs - chances.centre) * slopes[labels]).sum(axis=1)
        return np.asarray(signs[:, 0] + levels[labels] + moved)


def _fit(seen: Sequence[_Sites], classes: Sequence[str]) -> ErrorChances:
    """Most probable slopes: common ones, and those by which the classes of the label differ from them."""
    from scipy.optimize import minimize

    signs = [one.signs for one in seen]
    rows = np.concatenate(signs)
    weights = np.concatenate([np.full(len(part), _IMAGE_WORTH / len(part)) for part in signs])
    wrong = np.concatenate([one.wrong for one in seen]).astype(np.float64)
    centre, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    scaled = (rows - centre) / spread
    of_class = np.eye(len(classes))[np.concatenate([one.labels.numpy() for one in seen])]
    design = np.hstack([of_class, scaled, *(scaled * column[:, None] for column in of_class.T)])
    width = len(SIGNS)
    spreads = (_INTERCEPT_SPREAD, _COMMON_SPREAD, *(_CLASS_SPREAD for _ in classes))
    counts = (len(classes), width, *(width for _ in classes))
    penalty = np.repeat(1.0 / np.square(spreads), counts)

    def cost(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = rows[:, 0] + design @ beta
        value = weights @ (np.logaddexp(0.0, odds) - wrong * odds) + 0.5 * penalty @ beta**2
        return float(value), design.T @ (weights * (1.0 / (1.0 + np.exp(-odds)) - wrong)) + penalty * beta

    beta = minimize(cost, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    common, own = beta[len(classes) :][:width], beta[len(classes) + width :].reshape(-1, width)
    return ErrorChances(
        centre=tuple(centre.tolist()),
        spread=tuple(spread.tolist()),
        per_class=tuple(
            ClassErrorChance(class_name=name, intercept=float(level), slopes=tuple((common + row).tolist()))
            for name, level, row in zip(classes, beta, own, strict=False)
        ),
    )
