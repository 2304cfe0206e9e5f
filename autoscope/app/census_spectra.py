"""The spectra that a reader should look at: the least certain ones, with what was fitted to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoscope.app.config import Config
from autoscope.eds import Identifier, corrected_axis
from autoscope.records import Document, FittedSpectrum, SessionView, SpectrumDocument
from autoscope.xray import Detector, EnergyAxis, lines_of

SHOWN = 6
"""Spectra in a report: most of them the least certain, the others the certain ones with most counts."""

CERTAIN = 2
"""How many of the others."""


def fitted_spectra(
    view: SessionView, documents: Sequence[Document], config: Config
) -> tuple[FittedSpectrum, ...]:
    """Chosen spectra of a session with their fits."""
    every = [d for d in documents if isinstance(d, SpectrumDocument)]
    unsure = sorted(every, key=lambda d: (d.class_probability, d.spectrum))[: SHOWN - CERTAIN]
    rest = sorted((d for d in every if d not in unsure), key=lambda d: (-d.counts, d.spectrum))
    return tuple(_fitted(view, d, config) for d in (*unsure, *rest[:CERTAIN]))


def _fitted(view: SessionView, d: SpectrumDocument, config: Config) -> FittedSpectrum:
    counts = view.spectrum(d.spectrum)
    axis = corrected_axis(EnergyAxis(len(counts), d.ev_per_channel, d.offset_ev), *config.eds.shift_ev)
    detector = Detector(fwhm_mn_ka_ev=config.eds.fwhm_ev)
    found = Identifier(axis, detector=detector, kv=config.beam.kv).identify(counts)
    lines = {
        s.element: max(lines_of(s.element, s.family), key=lambda line: line.weight).energy_ev / 1000
        for s in found.signals
        if s.present
    }
    return FittedSpectrum(
        spectrum=d.spectrum, field=d.field, feature=d.feature, class_name=d.class_name,
        class_probability=d.class_probability, live_s=d.live_s, x_um=d.x_um, y_um=d.y_um,
        ev_per_channel=axis.ev_per_channel, offset_ev=axis.offset_ev, counts=tuple(counts.tolist()),
        fitted=tuple(np.round(found.expected, 3).tolist()),
        background=tuple(np.round(found.background, 3).tolist()), elements=lines,
    )  # fmt: skip
