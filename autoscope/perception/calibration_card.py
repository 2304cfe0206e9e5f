"""What calibration found out about a model, as its card keeps it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from autoscope.perception.settings import Settings

Positive = Annotated[float, Field(gt=0.0)]


class ClassSpread(Settings):
    """How far the truth of a frame lies from what is found, for one class, in log-odds of the area fraction.

    Attributes:
        class_name: the class.
        shift: location of truth minus found.
        scale: of Student's t around it, for a frame as large and as unsure as those of the calibration.
        patch_ratio: scale of a quarter of a frame over that of a whole one, at least 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    class_name: str = Field(alias="class")
    shift: float
    scale: Positive
    patch_ratio: Annotated[float, Field(ge=1.0)]


class AreaSpread(Settings):
    """Frame-level spread of the area fractions.

    Attributes:
        degrees: of freedom of Student's t.
        entropy_nats: geometric mean over the frames of their mean entropy.
        pixels: median size of the frames.
        per_class: one entry for each class.
    """

    degrees: Positive
    entropy_nats: Positive
    pixels: Annotated[int, Field(ge=1)]
    per_class: tuple[ClassSpread, ...]


class ClassErrorChance(Settings):
    """How signs change the log odds of a label being wrong, for labels of one class.

    Attributes:
        class_name: the class of the label.
        intercept: added to the log odds that the softmax gives.
        slopes: likewise, for each sign in standard deviations from its centre.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    class_name: str = Field(alias="class")
    intercept: float
    slopes: tuple[float, ...]


class ErrorChances(Settings):
    """The probability that a pixel's label is wrong, from signs of the pixel and its surroundings.

    Attributes:
        centre: of each sign (`autoscope.perception.error_signs.SIGNS`).
        spread: standard deviation of each sign.
        per_class: one entry for each class.
    """

    centre: tuple[float, ...]
    spread: tuple[Positive, ...]
    per_class: tuple[ClassErrorChance, ...]


class Calibration(Settings):
    """What was fitted to a trained network on images that it was not trained on.

    Scores become ``(score + offset) / temperature``; softmax turns them into probabilities.

    Attributes:
        images: names of the images that it was fitted on.
        temperature: above 1 where the network was too sure.
        offsets: added to the scores of the classes, so that labels of rare classes are neither drawn too
            often nor too rarely; all zero where the images do not prove that this helps.
        posterior_scale: factor on the draws of the head's posterior; 0 where they do not help.
        nll_before: mean negative log-likelihood of a pixel's class without calibration, nats.
        nll_after: with it, each image predicted by what the others say; None with a single image.
        area: spread of the area fractions of frames.
        errors: how probably labels are wrong; None where that finds errors no better than entropy.
    """

    images: tuple[str, ...]
    temperature: Positive
    offsets: tuple[float, ...]
    posterior_scale: Annotated[float, Field(ge=0.0)]
    nll_before: float
    nll_after: float | None
    area: AreaSpread
    errors: ErrorChances | None = None
