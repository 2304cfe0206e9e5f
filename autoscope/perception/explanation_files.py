"""Explanations of image files, as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.images import read_micrograph
from autoscope.perception.explaining import Explanation, ExplanationSettings, explain_frame
from autoscope.perception.output_files import prepare_outputs
from autoscope.perception.overlay import grey_picture
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Settings
from autoscope.perception.weights import read_network


class ExplainedImage(Settings):
    """What was written for one image.

    Attributes:
        image: the image file.
        picture: PNG: the image, Grad-CAM over it, the occlusion map over it.
        class_name: the class that was explained.
        share: of the image that the model gives to the class.
        probability: mean probability of the class over these pixels; over the image where there are none.
        most_missed: largest fall of that probability when a place is hidden; null without an occlusion map.
    """

    image: Path
    picture: Path
    class_name: str
    share: float
    probability: float
    most_missed: float | None


def explain_images(
    model: Path,
    images: Sequence[Path],
    output: Path,
    class_name: str,
    settings: ExplanationSettings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ExplainedImage, ...]:
    """Explains one class in image files and draws the result.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: the model has no such class, captum is not installed, or names do not fit.
        ImageError: an image is missing, damaged or too large; the images before it are done.
    """
    images = [Path(image) for image in images]
    network, card = read_network(model)
    ending = f"-{class_name}-explained.png"
    prepare_outputs(images, output, (ending,))
    written = []
    for number, image in enumerate(images):

        def tell(done: int, of: int, before: int = number) -> None:
            if progress is not None:
                progress(before * of + done, len(images) * of)

        pixels = read_micrograph(image).pixels
        found = explain_frame(network, card, pixels, class_name, settings, progress=tell)
        picture = output / f"{image.stem}{ending}"
        draw_explanation(pixels, found, picture)
        missed = None if found.occlusion is None else float(found.occlusion.max())
        written.append(
            ExplainedImage(
                image=image, picture=picture, class_name=class_name, share=found.share,
                probability=found.probability, most_missed=missed,
            )
        )  # fmt: skip
    return tuple(written)


def draw_explanation(pixels: Pixels, found: Explanation, path: Path) -> None:
    """Draws a frame with its maps side by side.

    Args:
        pixels: ``height x width`` of the frame.
        found: its explanation.
        path: PNG, SVG or PDF file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: list[tuple[str, NDArray[np.float32] | None, str, float, float]] = [
        ("frame", None, "gray", 0.0, 1.0),
        ("Grad-CAM, relative", found.grad_cam, "inferno", 0.0, 1.0),
    ]
    if found.occlusion is not None:
        most = max(float(np.abs(found.occlusion).max()), 1e-6)
        panels.append(("fall of the probability when hidden", found.occlusion, "RdBu_r", -most, most))
    height, width = pixels.shape
    figure = Figure(figsize=(4.6 * len(panels), 0.9 + 4.2 * min(height / width, 2.0)), layout="constrained")
    FigureCanvasAgg(figure)
    picture = grey_picture(pixels)
    for axes, (title, values, colours, low, high) in zip(
        figure.subplots(1, len(panels)), panels, strict=True
    ):
        axes.imshow(picture)
        if values is not None:
            shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, alpha=0.5)
            figure.colorbar(shown, ax=axes, shrink=0.7)
        axes.set_title(title)
        axes.set_axis_off()
    figure.suptitle(
        f"{found.class_name}: {100 * found.share:.1f} % of the frame, there {found.probability:.2f} sure"
    )
    figure.savefig(path, dpi=110)
