"""Figures of the census: where which class lies, of what size, of what composition, and its spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from autoscope.records import Census, FittedSpectrum
from autoscope.report.figures import BLUE, INK, ORANGE, VERMILLION, WIDTH_IN, new_figure, use_ink
from autoscope.report.specimen_map import Background

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = (VERMILLION, BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#8c6d1f", "#7a7a7a")
"""Okabe and Ito 2008, without the yellow that no white page shows."""

LOW_KEV, HIGH_KEV = 0.15, 10.0
"""What a spectrum is shown of."""

DRAWN_AS = {"unknown": "#7a7a7a"}


def class_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each class."""
    return {name: DRAWN_AS.get(name, PALETTE[n % len(PALETTE)]) for n, name in enumerate(names)}


def draw_class_map(census: Census, colours: Mapping[str, str], background: Background) -> Figure:
    """Every inclusion on the specimen, coloured by class; filled where a spectrum says it."""
    x0, y0, x1, y1 = background.box
    figure, axes = new_figure(float(np.clip((WIDTH_IN - 0.7) * (y1 - y0) / (x1 - x0) + 0.9, 2.2, 6.5)))
    axes.imshow(background.rgba, extent=(x0, x1, y1, y0), interpolation="antialiased", aspect="equal")
    for name, colour in colours.items():
        for by, filled in (("spectrum", colour), ("image", "none")):
            held = [p for p in census.points if p.class_name == name and p.by == by]
            axes.scatter(
                [p.x_um for p in held], [p.y_um for p in held], facecolors=filled, edgecolors=colour,
                s=[4 + 3 * p.equivalent_diameter_um**1.5 for p in held], linewidths=0.7,
                label=name if by == "spectrum" else None, rasterized=len(census.points) > 1500,
            )  # fmt: skip
    axes.set_xlabel("x (µm)", fontsize=9)
    axes.set_ylabel("y (µm)", fontsize=9)
    columns = min(len(colours), 4) or 1
    figure.legend(loc="outside upper center", ncols=columns, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def draw_size_distribution(census: Census, names: Sequence[str], colours: Mapping[str, str]) -> Figure:
    """Number per mm² in each range of sizes, by class, with intervals where there are any."""
    figure, axes = new_figure(2.9)
    ranges = sorted(
        {(r.from_um, r.to_um) for r in census.rows if r.measure == "per_mm2"} - {(0.0, None)},
        key=lambda edge: edge[0],
    )
    width = 0.8 / max(len(names), 1)
    for n, name in enumerate(names):
        rows = {
            (r.from_um, r.to_um): r for r in census.rows if r.measure == "per_mm2" and r.class_name == name
        }
        for k, edges in enumerate(ranges):
            row = rows.get(edges)
            if row is None or not row.estimate:
                continue
            at = k - 0.4 + width * (n + 0.5)
            axes.bar(at, row.estimate, width * 0.92, color=colours[name], label=name if k == 0 else None)
            if row.ci_low is not None and row.ci_high is not None:
                away = [[row.estimate - row.ci_low], [row.ci_high - row.estimate]]
                axes.errorbar(at, row.estimate, yerr=away, color=INK, linewidth=0.8, capsize=2)
    labels = [f"{low:g}–{high:g}" if high is not None else f"≥ {low:g}" for low, high in ranges]
    axes.set_xticks(range(len(ranges)), labels)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("equivalent circle diameter (µm)", fontsize=9)
    axes.set_ylabel("per mm²", fontsize=9)
    _open(axes)
    return figure


def draw_ternary(census: Census, corners: tuple[str, str, str], colours: Mapping[str, str]) -> Figure:
    """Atomic fractions of three elements, normalised to them, one point for each spectrum that shows any."""
    figure, axes = new_figure(4.2)
    height = sqrt(3) / 2
    axes.plot([0, 1, 0.5, 0], [0, 0, height, 0], color=INK, linewidth=0.8)
    for share in (0.2, 0.4, 0.6, 0.8):
        for a, b in (
            ((share, 0, 1 - share), (share, 1 - share, 0)),
            ((0, share, 1 - share), (1 - share, share, 0)),
            ((0, 1 - share, share), (1 - share, 0, share)),
        ):
            (xa, ya), (xb, yb) = _place(a, height), _place(b, height)
            axes.plot([xa, xb], [ya, yb], color=INK, linewidth=0.3, alpha=0.4)
    for name, colour in colours.items():
        held = [
            np.array([p.elements.get(e, 0.0) for e in corners])
            for p in census.points
            if p.class_name == name and p.by == "spectrum"
        ]
        shares = [row / row.sum() for row in held if row.sum() > 0]
        places = [_place((float(s[0]), float(s[1]), float(s[2])), height) for s in shares]
        axes.scatter(
            [x for x, _ in places], [y for _, y in places], s=16, color=colour, alpha=0.75, linewidths=0,
            label=f"{name} ({len(places)})", zorder=3, clip_on=False,
        )  # fmt: skip
    for corner, (x, y), across, up in zip(
        corners, ((0, 0), (1, 0), (0.5, height)), ("right", "left", "center"), ("top", "top", "bottom"),
        strict=True,
    ):  # fmt: skip
        axes.text(x, y, f" {corner} ", ha=across, va=up, color=INK, fontsize=11)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.legend(loc="upper right", fontsize=8, frameon=False, labelcolor=INK, bbox_to_anchor=(1.05, 1.0))
    return figure


def _place(shares: tuple[float, float, float], height: float) -> tuple[float, float]:
    """Of the fractions of the left, the right and the upper corner."""
    return shares[1] + shares[2] / 2, shares[2] * height


def draw_spectrum(s: FittedSpectrum) -> Figure:
    """Counts as an area, the fit and its background as lines, the elements at their main lines."""
    figure, axes = new_figure(2.7)
    energies = (s.offset_ev + s.ev_per_channel * np.arange(len(s.counts))) / 1000
    shown = (energies >= LOW_KEV) & (energies <= HIGH_KEV)
    counts, fitted, background = (np.array(v, float)[shown] for v in (s.counts, s.fitted, s.background))
    energies = energies[shown]
    axes.fill_between(energies, counts, step="mid", color=ORANGE, alpha=0.55, linewidth=0)
    axes.plot(energies, counts, drawstyle="steps-mid", color=ORANGE, linewidth=0.5)
    some = fitted > 0
    axes.plot(energies[some], fitted[some], color=BLUE, linewidth=1.0)
    axes.plot(energies[some], background[some], color=INK, linewidth=0.7, linestyle=":")
    top, labelled = max(float(counts.max(initial=1)), 1.0), list[float]()
    for element, kev in sorted(s.elements.items(), key=lambda item: item[1]):
        if LOW_KEV <= kev <= HIGH_KEV:
            at = float(counts[np.abs(energies - kev) < 0.06].max(initial=0.0))
            crowded = sum(abs(kev - other) < 0.25 for other in labelled)
            axes.annotate(
                element, (kev, at), (0, 3 + 9 * crowded), textcoords="offset points", ha="center", fontsize=8,
                color=INK,
            )  # fmt: skip
            labelled.append(kev)
    axes.set_xlim(0, HIGH_KEV)
    axes.set_ylim(0, 1.25 * top)
    axes.set_xlabel("energy (keV)", fontsize=9)
    axes.set_ylabel(f"counts in {s.ev_per_channel:.3g} eV", fontsize=9)
    _open(axes)
    return figure


def _open(axes: Axes) -> None:
    """Without the frame's upper and right side."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    use_ink(axes)
