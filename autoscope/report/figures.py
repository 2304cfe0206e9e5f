"""How figures look here and how they get into the page: inline SVG in the page's own colours.

Matplotlib's object interface only: there is no global state to disturb.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, VERMILLION = "#0072b2", "#e69f00", "#d55e00"  # Okabe and Ito 2008: safe for the colour-blind
INK = "#0b0c0d"
_PAGE_COLOURS = {INK: "currentColor", BLUE: "var(--blue)", VERMILLION: "var(--vermillion)"}  # light or dark
WIDTH_IN = 5.2

_ID = re.compile(r'(\bid="|href="#|url\(#)')


def new_figure(height_in: float) -> tuple[Figure, Axes]:
    """An empty figure of the page's width, with one set of axes in the page's text colour."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = figure.add_subplot()
    use_ink(axes)
    return figure, axes


def use_ink(axes: Axes) -> None:
    """Draws everything around a set of axes in the page's text colour."""
    axes.tick_params(colors=INK, labelsize=8, width=0.6)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.6)


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as SVG to be put into a page.

    Args:
        figure: what to draw.
        name: a word that is unique in the page; the figure's identifiers begin with it.
        description: what a reader who cannot see it is told.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", dpi=150, transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for drawn, shown in _PAGE_COLOURS.items():
        svg = svg.replace(drawn, shown)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _ID.sub(rf"\g<1>{name}-", svg)
    words = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)
