"""Micrographs in the report: the frame as it was acquired, beside it what the model made of it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from autoscope.core import Frame

PANEL_PX = 340
"""Width of one of the two panels."""

_COLOUR = (230, 159, 0)  # orange of Okabe and Ito 2008
_GAP_PX = 6


def field_picture(frame: Frame, labels: NDArray[np.uint8] | None, class_index: int | None) -> str:
    """A JPEG as data URI: the frame with a scale bar, and beside it the segmented class.

    Args:
        frame: what was acquired.
        labels: its class map, of any size; None shows the frame alone.
        class_index: the class to show; None shows the borders between all classes.
    """
    height_px, width_px = frame.pixels.shape
    size = (PANEL_PX, max(1, round(PANEL_PX * height_px / width_px)))
    plain = Image.fromarray(stretch(frame.pixels)).resize(size, Image.Resampling.LANCZOS).convert("RGB")
    panels = [plain] if labels is None else [plain, _overlay(plain, labels, class_index)]
    _draw_scale_bar(panels[0], frame.imaging.hfw_um)
    width = len(panels) * size[0] + (len(panels) - 1) * _GAP_PX
    sheet = Image.new("RGB", (width, size[1]), "white")
    for i, panel in enumerate(panels):
        sheet.paste(panel, (i * (size[0] + _GAP_PX), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def scale_bar_um(hfw_um: float) -> float:
    """The longest of 1, 2, 5 x 10^k um that is at most 30 % of a field's width."""
    limit = 0.3 * hfw_um
    decade = 10.0 ** np.floor(np.log10(limit))
    return float(max(step * decade for step in (0.5, 1, 2, 5) if step * decade <= limit))


def stretch(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The grey levels between the darkest and the brightest 0.2 % of the pixels spread over 8 bits."""
    low, high = np.quantile(pixels, [0.002, 0.998])
    scaled = (pixels.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _overlay(plain: Image.Image, labels: NDArray[np.uint8], class_index: int | None) -> Image.Image:
    resized = np.asarray(Image.fromarray(labels).resize(plain.size, Image.Resampling.NEAREST))
    chosen = resized if class_index is None else (resized == class_index).astype(np.uint8)
    edge = np.zeros(chosen.shape, bool)
    edge[:-1] |= chosen[:-1] != chosen[1:]
    edge[:, :-1] |= chosen[:, :-1] != chosen[:, 1:]
    pixels = np.asarray(plain, np.float32).copy()
    colour = np.array(_COLOUR, np.float32)
    if class_index is not None:
        filled = chosen.astype(bool)
        pixels[filled] = 0.72 * pixels[filled] + 0.28 * colour
    pixels[edge] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def _draw_scale_bar(image: Image.Image, hfw_um: float) -> None:
    length_um = scale_bar_um(hfw_um)
    bar_px = round(length_um / hfw_um * image.width)
    text = f"{length_um:g} µm" if length_um >= 1 else f"{1000 * length_um:g} nm"
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 14)
    left, bottom = 10, image.height - 10
    plate = max(bar_px, round(draw.textlength(text, font)))
    draw.rectangle((left - 5, bottom - 28, left + plate + 5, bottom + 5), fill=(0, 0, 0))
    draw.rectangle((left, bottom - 4, left + bar_px, bottom), fill=(255, 255, 255))
    draw.text((left, bottom - 7), text, fill=(255, 255, 255), font=font, anchor="ls")
