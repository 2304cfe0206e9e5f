"""How probable each class is, given a spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, component_rng
from autoscope.eds.classes import InclusionClass
from autoscope.eds.fitting import check_counts
from autoscope.eds.identification import ELEMENTS
from autoscope.xray import Composition, Detector, EnergyAxis, Geometry, compound, expected_rate

UNKNOWN = "unknown"
"""The class of what fits no other."""

MATRIX = "matrix"
"""The class that is seen through all others, where it is among them."""

STEEL: Composition = {"Fe": 0.979, "Mn": 0.013, "Si": 0.004, "C": 0.002, "Cr": 0.002}
"""What the matrix is made of unless told otherwise, by weight."""

LOW_EV, HIGH_EV, WINDOW_EV = 220.0, 8200.0, 80.0
"""Counts are summed in windows of this width, about a peak's, over this range."""

COMPOSITIONS = 50
"""Compositions drawn for each class."""

UNKNOWN_COMPOSITIONS = 300
"""Compositions of two to four elements drawn for what fits no class, beside the simple compounds."""

ANIONS = ("O", "S", "N", "C")
"""What simple compounds are made with: one atom, or two, for each of the other element."""

LEARNT_SPECTRA = 300
"""Spectra of a class that are kept where it is learnt."""

LEARNT_COUNTS = 500.0
"""Counts' worth of trust in the mean of its class that every learnt spectrum gets."""

SHARES = (0.05, 0.09, 0.16, 0.27, 0.45, 0.7, 1.0)
"""Shares of the signal that may come from the inclusion, the rest being matrix; equally probable."""

DARK = 1e-4
"""Share of a spectrum that is spread evenly over its windows: no window is impossible."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Probabilities of the classes.

    Attributes:
        names: the classes, `UNKNOWN` among them.
        probabilities: one each; they sum to 1.
    """

    names: tuple[str, ...]
    probabilities: NDArray[np.float64]

    @property
    def best(self) -> str:
        """The most probable class."""
        return self.names[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return float(self.probabilities.max())

    def of(self, name: str) -> float:
        """The probability of a class."""
        return float(self.probabilities[self.names.index(name)])


class ClassModel:
    """Named classes as families of modelled spectra, and Bayes' rule.

    A class is a set of compositions, its corners and others drawn from its ranges, each seen alone and
    through more and more matrix.
    The counts in windows of 80 eV are multinomial with the modelled shares; how many there are in all says
    nothing, for the current and the position are not known well enough. The likelihood of a class is the mean
    over its spectra. Modelled spectra are never exact, so the log-likelihood of N counts is multiplied by
    1 / (1 + N / ``trusted_counts``): the coarsened posterior of Miller and Dunson (2019), which stops
    learning where the model's own error takes over. `UNKNOWN` is made of
    compositions that lie in no class: single elements, their simple compounds, and mixtures of up to four.

    Args:
        classes: the named classes.
        axis: the spectra's energy axis.
        detector: the detector that takes them.
        geometry: beam energy and take-off angle.
        matrix: mass fractions of what surrounds the inclusions; None: nothing is seen through them.
        prior: probability of each class, any scale; equal by default.
        unknown_prior: probability of `UNKNOWN` before the spectrum.
        trusted_counts: counts at which the model is as wrong as the counting is uncertain.

    Raises:
        ConfigurationError: two classes share a name, or a prior is wrong.
    """

    def __init__(
        self,
        classes: Sequence[InclusionClass],
        axis: EnergyAxis | None = None,
        *,
        detector: Detector | None = None,
        geometry: Geometry | None = None,
        matrix: Composition | None = STEEL,
        prior: Mapping[str, float] | None = None,
        unknown_prior: float = 0.02,
        trusted_counts: float = 4000.0,
    ) -> None:
        self.axis = axis or EnergyAxis()
        self._detector, self._geometry = detector or Detector(), geometry or Geometry()
        self._trusted_counts = trusted_counts
        self.names = (*(c.name for c in classes), UNKNOWN)
        if len(set(self.names)) != len(self.names):
            raise ConfigurationError(f"class names must differ, and none may be {UNKNOWN!r}: {self.names}")
        self._log_prior = self._priors(prior, unknown_prior)
        self._edges = _window_edges(self.axis)
        families = [self._family(c, matrix) for c in classes] + [self._unknown_family(classes, matrix)]
        self._join([np.log(family).astype(np.float32) for family in families])

    def posterior(
        self, counts: NDArray[np.integer | np.floating], prior: Mapping[str, float] | None = None
    ) -> Posterior:
        """Probabilities of the classes given one spectrum; an empty one leaves the prior.

        Args:
            counts: ``channels``, as counted, slices of one place summed.
            prior: probability of each named class for this feature, such as an image classifier's; those of
                the model by default.

        Raises:
            InstrumentError: a count is negative or not finite.
            ConfigurationError: the spectrum has other channels than the model, or the prior is wrong.
        """
        row = check_counts(counts)
        if len(row) != self.axis.channels:
            raise ConfigurationError(
                f"a spectrum of {len(row)} channels does not fit a model of {self.axis.channels}"
            )
        log_prior = self._log_prior
        if prior is not None:
            log_prior = self._priors(prior, float(np.exp(self._log_prior[-1])))
        windows = self._windows(row)
        power = 1 / (1 + windows.sum() / self._trusted_counts)
        fits = power * (self._log_shares @ windows.astype(np.float32)).astype(float)
        logs = np.array([_log_mean_exp(fits[members]) for members in self._members]) + log_prior
        shares = np.exp(logs - logs.max())
        return Posterior(self.names, shares / shares.sum())

    def taught(
        self,
        spectra: Mapping[str, NDArray[np.integer]],
        prior: Mapping[str, float] | None = None,
        trusted_counts: float = np.inf,
    ) -> ClassModel:
        """The same model with classes that are learnt from spectra in place of first principles.

        Every learnt spectrum, shrunk towards the mean of its class, is one that the class may have: the
        posterior of Parzen's density (Ann. Math. Stat. 33 (1962) 1065). Where the spectra come from the
        specimen itself they know its mixtures, its detector and how frequent what is. Classes that are not
        named, and `UNKNOWN`, stay as they are.

        Args:
            spectra: class to ``n x channels`` counts, as counted; the richer, the better.
            prior: probability of each named class; by default in proportion to the spectra where all classes
                are learnt, else as before.
            trusted_counts: as for the class; by default the learnt spectra are taken at their word.

        Raises:
            InstrumentError: a count is negative or not finite.
            ConfigurationError: a class is unknown, has no counts or spectra of other channels, or the prior
                is wrong.
        """
        named, families = self.names[:-1], [self._log_shares[members] for members in self._members]
        for name, rows in spectra.items():
            if name not in named:
                raise ConfigurationError(f"there is no class {name!r} to be learnt: {', '.join(named)}")
            families[named.index(name)] = np.log(self._learnt(name, rows)).astype(np.float32)
        made = copy(self)
        if prior is None and spectra.keys() == set(named):
            prior = {name: len(rows) for name, rows in spectra.items()}
        if prior is not None:
            made._log_prior = self._priors(prior, float(np.exp(self._log_prior[-1])))
        made._trusted_counts = trusted_counts
        made._join(families)
        return made

    def _learnt(self, name: str, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """``spectra x windows``, of sum 1 each."""
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != self.axis.channels:
            raise ConfigurationError(
                f"class {name!r} is to be learnt from an array of {rows.shape}, not of spectra x"
                f" {self.axis.channels} channels"
            )
        if len(rows) > LEARNT_SPECTRA:
            rng = component_rng(0, f"eds learnt {name}")
            rows = rows[rng.choice(len(rows), LEARNT_SPECTRA, replace=False)]
        windows = np.array([self._windows(check_counts(row)) for row in rows])
        totals = windows.sum(axis=1, keepdims=True)
        if not (totals > 0).all():
            raise ConfigurationError(
                f"class {name!r} is to be learnt from spectra without counts: leave them out"
            )
        mean = (windows / totals).mean(axis=0)
        shares = (windows + LEARNT_COUNTS * mean) / (totals + LEARNT_COUNTS)
        return np.asarray((1 - DARK) * shares + DARK / shares.shape[1], float)

    def _windows(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(row[: self._edges[-1]], self._edges[:-1])

    def _join(self, log_families: Sequence[NDArray[np.float32]]) -> None:
        starts = np.cumsum([0, *(len(f) for f in log_families)])
        self._members = [slice(a, b) for a, b in pairwise(starts.tolist())]
        self._log_shares = np.concatenate(log_families)

    def _priors(self, prior: Mapping[str, float] | None, unknown: float) -> NDArray[np.float64]:
        named = self.names[:-1]
        given = dict.fromkeys(named, 1.0) if prior is None else dict(prior)
        wrong = [name for name in given if name not in named] + [n for n in named if n not in given]
        if wrong:
            raise ConfigurationError(
                f"the prior and the classes {', '.join(named)} differ in {', '.join(wrong)}"
            )
        weights = np.array([given[name] for name in named])
        if not (
            np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0 and 0 < unknown < 1
        ):
            raise ConfigurationError(
                f"prior probabilities must not be negative nor all zero, and that of {UNKNOWN!r} must lie in"
                f" (0, 1): {given}, {unknown:g}"
            )
        scaled = np.append((1 - unknown) * weights / weights.sum(), unknown)
        return np.asarray(np.log(np.maximum(scaled, np.finfo(float).tiny)), float)

    def _family(self, named: InclusionClass, matrix: Composition | None) -> NDArray[np.float64]:
        rng = component_rng(0, f"eds class {named.name}")
        rates = [self._rate(compound(atoms)) for atoms in [*named.corners(), *named.draw(COMPOSITIONS, rng)]]
        return self._seen_through(np.array(rates), None if named.name == MATRIX else matrix)

    def _unknown_family(
        self, classes: Sequence[InclusionClass], matrix: Composition | None
    ) -> NDArray[np.float64]:
        strangers = [a for a in _compositions() if not any(c.holds(a) for c in classes)]
        return self._seen_through(np.array([self._rate(compound(atoms)) for atoms in strangers]), matrix)

    def _rate(self, composition: Composition) -> NDArray[np.float64]:
        total = sum(composition.values())
        normalised = {element: fraction / total for element, fraction in composition.items()}
        return expected_rate(normalised, self.axis, self._detector, self._geometry)

    def _seen_through(self, rates: NDArray[np.float64], matrix: Composition | None) -> NDArray[np.float64]:
        """``spectra x windows``, every spectrum through every share of matrix, each of sum 1."""
        if matrix is not None:
            steel = self._rate(matrix)
            rates = np.concatenate([share * rates + (1 - share) * steel for share in SHARES])
        windows = np.add.reduceat(rates[:, : self._edges[-1]], self._edges[:-1], axis=1)
        shares = windows / windows.sum(axis=1, keepdims=True)
        return np.asarray((1 - DARK) * shares + DARK / shares.shape[1], float)


def _compositions() -> list[dict[str, float]]:
    """Atomic fractions of the elements, of their simple compounds, and of random mixtures."""
    found: list[dict[str, float]] = [{element: 1.0} for element in ELEMENTS]
    for element in ELEMENTS:
        for anion in ANIONS:
            if anion != element:
                found += [{element: 1 / (1 + n), anion: n / (1 + n)} for n in (1, 2)]
    rng = component_rng(0, "eds class unknown")
    for _ in range(UNKNOWN_COMPOSITIONS):
        chosen = rng.choice(len(ELEMENTS), int(rng.integers(2, 5)), replace=False)
        fractions = rng.dirichlet(np.ones(len(chosen)))
        found.append(dict(zip((ELEMENTS[i] for i in chosen), fractions.tolist(), strict=True)))
    return found


def _window_edges(axis: EnergyAxis) -> NDArray[np.intp]:
    """First channels of the windows, and the channel after the last.

    Raises:
        ConfigurationError: the axis does not cover 20 windows.
    """
    energies = axis.energies_ev
    start, stop = np.searchsorted(energies, [LOW_EV, HIGH_EV])
    step = max(1, round(WINDOW_EV / axis.ev_per_channel))
    edges = np.arange(start, stop, step)
    if len(edges) < 20:
        raise ConfigurationError(
            f"the spectrum's axis, {energies[0] / 1000:.3g} to {energies[-1] / 1000:.3g} keV in channels of"
            f" {axis.ev_per_channel:g} eV, shows too little to tell classes by; check the calibration"
        )
    return np.asarray(edges, np.intp)


def _log_mean_exp(values: NDArray[np.float64]) -> float:
    top = float(values.max())
    return top + float(np.log(np.mean(np.exp(values - top))))
