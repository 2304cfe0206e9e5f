"""The simulated EDS detector: what it would count where the beam lands, and what it counts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoscope.core import InstrumentError, Rectangle, component_rng
from autoscope.xray import Counting, EnergyAxis
from autoscope_simulators.excitation import SIGMA_PER_RANGE, generation_shares
from autoscope_simulators.specimen_file import SpecimenFile
from autoscope_simulators.spectra import ClassSpectrum, StoredCube

MATRIX = "matrix"
"""The class that lies below all others, where a specimen has it."""

RANGE_ROUNDS = 4
"""Rounds in which the electrons' range becomes the mean over what they excite: a small light inclusion in a
dense matrix does not let them reach far."""

WINDOW_SIGMAS = 4.0
"""How far around the beam classes are looked at."""

_DIFFERING = "the spectra of specimen {!r} differ in their axes"

EDGE_UM = 2.0
"""How far beyond the specimen's edge a place still counts as the edge's: as far as drift carries a beam."""

KV_TOLERANCE = 0.05
"""By how much the beam energy may differ from the one that the specimen's spectra hold for, kV."""


def spectrum_problems(specimen: SpecimenFile, kv: float) -> list[str]:
    """Why no session could take spectra on a specimen with a beam of this energy: one sentence each.

    Raises:
        SpecimenError: the spectra are damaged or lack their calibration.
    """
    if not specimen.has_eds:
        return [
            f"specimen {specimen.name!r} holds neither class spectra (/truth/spectra) nor a spectrum image"
            " (/eds/cube)"
        ]
    cube, spectra = specimen.eds_cube, specimen.class_spectra
    problems = []
    try:
        for stored_kv in [cube.kv] if cube is not None else [s.kv for s in spectra.values()]:
            _check_kv(stored_kv, kv)
    except InstrumentError as error:
        problems.append(str(error))
    if cube is None and len({spectrum.axis for spectrum in spectra.values()}) > 1:
        problems.append(_DIFFERING.format(specimen.name))
    return problems


class Spectrometer:
    """Counts X-rays on a specimen: from the classes' spectra, or by thinning a stored spectrum image.

    Thinning: every stored count of a pixel gets an arrival time, uniform over the pixel's live time, once and
    for all; a spectrum takes the counts of the next stretch of it. Spectra of one place are so independent
    Poisson counts of the same rates, up to the dose that was stored. What has been used is known to this
    object alone: a resumed session starts at each place's first count again.

    Args:
        specimen: the open specimen.
        seed: the session's.
        counting: the pulse processor.
    """

    def __init__(self, specimen: SpecimenFile, seed: int, counting: Counting | None = None) -> None:
        self._specimen, self._seed, self._counting = specimen, seed, counting or Counting()
        self._used_s: dict[tuple[int, int], float] = {}

    def real_s(self, place_um: tuple[float, float], live_s: float, kv: float, current_pa: float) -> float:
        """Real time of a live time at a place, s.

        Raises:
            InstrumentError: as :meth:`acquire`.
        """
        place_um = self._onto(place_um)
        cube = self._specimen.eds_cube
        if cube is None:
            rate, _ = self._rate(place_um, kv, current_pa)
            total = float(rate.sum())
        else:
            total = float(cube.counts(self._pixel(cube, place_um, kv)).sum()) / _pixel_live_s(
                cube, current_pa
            )
        return self._counting.real_s(live_s, total)

    def acquire(
        self, place_um: tuple[float, float], live_s: float, kv: float, current_pa: float, number: int
    ) -> tuple[NDArray[np.int64], EnergyAxis]:
        """Counts of a live time at a place, and their axis.

        Args:
            place_um: where the beam lands.
            live_s: live time.
            kv: beam energy.
            current_pa: beam current.
            number: of the spectrum, counted from 1; the same number gives the same counts.

        Raises:
            InstrumentError: there is no EDS data, none for this place or beam energy, or no more of it.
        """
        count, axis = self.counter(place_um, kv, current_pa, number)
        return count(live_s), axis

    def counter(
        self, place_um: tuple[float, float], kv: float, current_pa: float, number: int
    ) -> tuple[Callable[[float], NDArray[np.int64]], EnergyAxis]:
        """What counts on at a place: each call gives the counts of a further live time.

        Args:
            place_um: where the beam lands.
            kv: beam energy.
            current_pa: beam current.
            number: of the spectrum, counted from 1; the same number gives the same counts.

        Raises:
            InstrumentError: as :meth:`acquire`.
        """
        place_um = self._onto(place_um)
        cube = self._specimen.eds_cube
        if cube is not None:
            stored = cube
            return lambda live_s: self._thin(stored, place_um, live_s, kv, current_pa), stored.axis
        rate, axis = self._rate(place_um, kv, current_pa)
        rng = component_rng(self._seed, "spectrum", number)
        return lambda live_s: self._counting.draw(rate, live_s, axis, rng), axis

    def _onto(self, place_um: tuple[float, float]) -> tuple[float, float]:
        """The place; one that drift carried just over the specimen's edge is the edge's."""
        extent, inner_um = self._specimen.extent, self._specimen.pixel_nm / 2000
        edges = ((extent.x0_um, extent.x1_um), (extent.y0_um, extent.y1_um))
        nearest = tuple(
            min(max(value, low + inner_um), high - inner_um)
            if low - EDGE_UM < value < high + EDGE_UM
            else value
            for value, (low, high) in zip(place_um, edges, strict=True)
        )
        return nearest[0], nearest[1]

    def _rate(
        self, place_um: tuple[float, float], kv: float, current_pa: float
    ) -> tuple[NDArray[np.float64], EnergyAxis]:
        """``channels``, expected counts per second."""
        spectra, names = self._specimen.class_spectra, self._specimen.class_names
        if not spectra or names is None:
            raise InstrumentError(f"specimen {self._specimen.name!r} has no EDS data to make a spectrum from")
        shares = self._shares(place_um, spectra, names)
        lacking = [names[label] for label in shares if names[label] not in spectra]
        if lacking:
            raise InstrumentError(
                f"specimen {self._specimen.name!r} has no spectrum of the class {', '.join(lacking)}"
                f" (/truth/spectra), which lies at ({place_um[0]:g}, {place_um[1]:g}) um"
            )
        used = {label: spectra[names[label]] for label in shares}
        axes = {spectrum.axis for spectrum in used.values()}
        if len(axes) > 1:
            raise InstrumentError(_DIFFERING.format(self._specimen.name))
        for spectrum in used.values():
            _check_kv(spectrum.kv, kv)
        total = sum((share * used[label].rate for label, share in shares.items()), start=np.zeros(1))
        return np.asarray(total * current_pa / 1000, float), axes.pop()

    def _shares(
        self, place_um: tuple[float, float], spectra: dict[str, ClassSpectrum], names: tuple[str, ...]
    ) -> dict[int, float]:
        """Class values to their share of the signal."""
        x, y = place_um
        extent, pixel_um = self._specimen.extent, self._specimen.pixel_nm / 1000
        row, column = math.floor(y / pixel_um), math.floor(x / pixel_um)
        height, width = self._specimen.shape
        if not (0 <= row < height and 0 <= column < width):
            raise InstrumentError(
                f"({x:g}, {y:g}) um lies outside specimen {self._specimen.name!r}, which is"
                f" {extent.width_um:g} x {extent.height_um:g} um: there is nothing to take a spectrum of"
            )
        own = int(self._labels(row, row + 1, column, column + 1)[0, 0])
        range_um = spectra[names[own]].range_um if names[own] in spectra else None
        if range_um is None:
            return {own: 1.0}
        ranges = {label: spectra[name].range_um for label, name in enumerate(names) if name in spectra}
        reach = math.ceil(WINDOW_SIGMAS * SIGMA_PER_RANGE * max(r or 0.0 for r in ranges.values()) / pixel_um)
        y0, y1 = max(0, row - reach), min(height, row + reach + 1)
        x0, x1 = max(0, column - reach), min(width, column + reach + 1)
        labels = self._labels(y0, y1, x0, x1)
        beam = (y / pixel_um - 0.5 - y0, x / pixel_um - 0.5 - x0)
        matrix = names.index(MATRIX) if MATRIX in names else None
        shares = {own: 1.0}
        for _ in range(RANGE_ROUNDS):
            mean_um = sum(share * (ranges.get(label) or range_um) for label, share in shares.items())
            sigma_px = max(mean_um * SIGMA_PER_RANGE / pixel_um, 0.1)
            shares = generation_shares(labels, beam, sigma_px, matrix)
        return shares

    def _labels(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
        um = self._specimen.pixel_nm / 1000
        return self._specimen.truth_window(Rectangle(x0 * um, y0 * um, x1 * um, y1 * um))

    def _pixel(self, cube: StoredCube, place_um: tuple[float, float], kv: float) -> tuple[int, int]:
        _check_kv(cube.kv, kv)
        pixel = cube.pixel_at(*place_um)
        if pixel is None:
            raise InstrumentError(
                f"({place_um[0]:g}, {place_um[1]:g}) um lies outside the spectrum image of specimen"
                f" {self._specimen.name!r}"
            )
        return pixel

    def _thin(
        self, cube: StoredCube, place_um: tuple[float, float], live_s: float, kv: float, current_pa: float
    ) -> NDArray[np.int64]:
        pixel = self._pixel(cube, place_um, kv)
        stored_s, used_s = _pixel_live_s(cube, current_pa), self._used_s.get(pixel, 0.0)
        if used_s + live_s > stored_s * (1 + 1e-9):
            raise InstrumentError(
                f"the spectrum image of specimen {self._specimen.name!r} holds {stored_s:.4g} s of live"
                f" time at a place for {current_pa:g} pA; {used_s:.4g} s are used and {live_s:g} s more were"
                " asked for"
            )
        counts = cube.counts(pixel)
        rng = component_rng(self._seed, "stored spectrum", *pixel)
        arrival_s = rng.uniform(0.0, stored_s, int(counts.sum()))
        channel = np.repeat(np.arange(cube.axis.channels), counts)
        taken = (arrival_s >= used_s) & (arrival_s < used_s + live_s)
        self._used_s[pixel] = used_s + live_s
        return np.bincount(channel[taken], minlength=cube.axis.channels).astype(np.int64)


def _pixel_live_s(cube: StoredCube, current_pa: float) -> float:
    """Live time at the present current that gives the dose of a stored pixel, s."""
    stored_pa = current_pa if cube.beam_current_pa is None else cube.beam_current_pa
    return cube.live_s * stored_pa / current_pa


def _check_kv(stored_kv: float | None, kv: float) -> None:
    if stored_kv is not None and abs(stored_kv - kv) > KV_TOLERANCE:
        raise InstrumentError(
            f"the specimen's spectra hold for {stored_kv:g} kV, the beam is at {kv:g} kV; set beam.kv ="
            f" {stored_kv:g}"
        )
