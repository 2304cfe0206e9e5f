"""Spectra in a session: which features get one, for how long, and what the field's value is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Spectrum, component_rng
from autoscope.eds import (
    UNKNOWN,
    ClassModel,
    FeatureClasses,
    Identifier,
    Looked,
    Posterior,
    SequentialRule,
    Trade,
    Traits,
    quantify,
    scarcity_price,
)
from autoscope.estimation import field_values
from autoscope.estimation.counts import UM2_PER_MM2
from autoscope.records import CandidateRecord
from autoscope.session.candidates import Candidate, find_candidates
from autoscope.session.quantities import FieldMap, TargetMeasure
from autoscope.survey import Decision
from autoscope.xray import EnergyAxis, atomic_mass

LISTED = 1e-3
"""Class probabilities below this are not written down."""

FEWEST_COUNTS = 20
"""A spectrum of fewer counts says nothing: its class is unknown."""


@dataclass(frozen=True, slots=True)
class SpectrumPlan:
    """How spectra are taken.

    Attributes:
        rule: when to stop counting.
        groups: image class to the spectral classes that it may consist of.
        members: for each target, the spectral classes that it counts.
        min_feature_um: smaller features are no candidates.
        reading_s: seconds that the stage waits on each field while its frame is read.
        charged: whether the microscope's clock has to be told of that wait (a simulated one has).
        seed: of the draws.
        limit_s: budget of live time; None: there is none.
    """

    rule: SequentialRule
    groups: Mapping[str, tuple[str, ...]]
    members: tuple[tuple[str, ...], ...]
    min_feature_um: float
    reading_s: float
    charged: bool
    seed: int
    limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a spectrum showed.

    Attributes:
        class_name: the class, `UNKNOWN` where none is sure enough.
        probability: of that class.
        posterior: class to probability.
        elements: atomic fractions, the matrix around the feature included.
    """

    class_name: str
    probability: float
    posterior: Mapping[str, float]
    elements: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sight:
    """A field whose frame was read and whose spectra were drawn; everything here is fixed before them.

    Attributes:
        field: what was recognised.
        candidates: the features.
        prior: ``classes x features``, probabilities before the spectra.
        sizes: ``targets x features``, what each adds to a target's value if it is of its class.
        propensity: ``features``, chance of each of a spectrum.
        taken: ``features``, whether it gets one.
        notes: what a reader of the result must know.
    """

    field: FieldMap
    candidates: tuple[Candidate, ...]
    prior: NDArray[np.float64]
    sizes: NDArray[np.float64]
    propensity: NDArray[np.float64]
    taken: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


class Weights(Protocol):
    """What is learnt of a field beside its features: a decision knows it, and the records do."""

    @property
    def draw_weight(self) -> float:
        """See :class:`autoscope.survey.Decision`."""

    @property
    def error_weight(self) -> float:
        """Likewise."""

    @property
    def visit_s(self) -> float:
        """Seconds of the visit, travel included, without spectra."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A field's values and what they rest on."""

    value: NDArray[np.float64]
    variance: NDArray[np.float64]
    candidates: tuple[CandidateRecord, ...]


class Spectroscopy:
    """Decides on spectra and reads them; it learns from fields that are done, in their order.

    Args:
        plan: how spectra are taken.
        measures: one for each target.
        model: makes the class model of an energy axis.
        identifier: makes the identifier of elements of an energy axis.
        trade: what spectra cost and are worth.
        names: of the classes that the model tells apart, `UNKNOWN` among them.
    """

    def __init__(
        self,
        plan: SpectrumPlan,
        measures: Sequence[TargetMeasure],
        model: Callable[[EnergyAxis], ClassModel],
        identifier: Callable[[EnergyAxis], Identifier],
        trade: Trade,
        names: Sequence[str],
    ) -> None:
        self.plan, self._measures, self._trade = plan, tuple(measures), trade
        self._make_model, self._make_identifier = model, identifier
        self._models: dict[EnergyAxis, tuple[ClassModel, Identifier]] = {}
        self.names, self._spent_s = tuple(names), 0.0
        self._image = FeatureClasses(plan.groups, self.names)
        self._of = np.array([[name in members for name in self.names] for members in plan.members], bool)

    # -- before the spectra -----------------------------------------------------------------------

    def look(self, field: FieldMap, decision: Decision, notes: tuple[str, ...] = ()) -> Sight:
        """Finds the features of a field and draws which of them get a spectrum.

        Args:
            field: what was recognised.
            decision: why the field is visited.
            notes: of the recognition.
        """
        candidates = find_candidates(field, tuple(self.plan.groups), self.plan.min_feature_um)
        drawn = self.draw(
            candidates, field.area_um2, decision.error_weight, decision.step, decision.eds_price
        )
        return Sight(field, candidates, *drawn, notes)

    def draw(
        self,
        candidates: Sequence[Candidate],
        area_um2: float,
        weight: float,
        step: int,
        price: float = 1.0,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Priors, sizes, propensities and draws of a field's features, as `Sight` has them.

        Args:
            candidates: the features.
            area_um2: specimen area in the field.
            weight: by how much an error of the field's value will move the estimate (`Decision`).
            step: number of the field's visit; the same step gives the same draws.
            price: what a second of spectra counts against one of visits.
        """
        prior = np.array([self._image.prior(c.traits) for c in candidates]).reshape(-1, len(self.names)).T
        sizes = np.array(
            [
                [_size(m, c.diameter_um, c.area_um2, c.weight, area_um2) for c in candidates]
                for m in self._measures
            ]
        )
        sizes = sizes.reshape(len(self._measures), len(candidates))
        price = price * scarcity_price(self._spent_s, self.plan.limit_s, self.plan.rule.max_live_s)
        propensity = self._trade.probabilities(sizes, self._of @ prior, weight, price)
        rng = component_rng(self.plan.seed, "trigger", step)
        return prior, sizes, propensity, rng.random(len(candidates)) < propensity

    # -- one spectrum -----------------------------------------------------------------------------

    def enough(self, so_far: Spectrum) -> bool:
        """Whether a class is sure enough already."""
        if so_far.counts.sum() < FEWEST_COUNTS:
            return False
        return self._posterior(so_far.counts, EnergyAxis.of(so_far)).confidence >= self.plan.rule.confidence

    def verdict(self, counts: NDArray[np.int64], axis: EnergyAxis) -> Verdict:
        """What a whole spectrum shows; one of hardly any counts shows nothing."""
        if counts.sum() < FEWEST_COUNTS:
            return Verdict(UNKNOWN, 1.0, {UNKNOWN: 1.0}, {})
        posterior = self._posterior(counts, axis)
        name = self._decided(posterior)
        listed = {n: float(p) for n, p in zip(posterior.names, posterior.probabilities, strict=True)}
        shown = {n: p for n, p in listed.items() if p >= LISTED}
        elements = _elements(self._models[axis][1], counts)
        return Verdict(name, listed[name], shown, elements)

    def _decided(self, posterior: Posterior) -> str:
        """The class; where only its kind is sure (all classes of a target), the likeliest of that kind."""
        if posterior.confidence >= self.plan.rule.confidence:
            return posterior.best
        for of in self._of:
            if float(posterior.probabilities[of].sum()) >= self.plan.rule.confidence:
                return self.names[int(np.argmax(np.where(of, posterior.probabilities, -1.0)))]
        return UNKNOWN

    def _posterior(self, counts: NDArray[np.int64], axis: EnergyAxis) -> Posterior:
        if axis not in self._models:
            self._models[axis] = self._make_model(axis), self._make_identifier(axis)
        return self._models[axis][0].posterior(counts)

    # -- after the spectra ------------------------------------------------------------------------

    def measured(self, sight: Sight, seen: Mapping[int, tuple[Verdict, float]]) -> Measured:
        """A field's values from its features and the spectra that were drawn.

        Args:
            sight: what was fixed before.
            seen: feature to what its spectrum showed and its live time; one for each that was drawn.
        """
        observed = np.zeros_like(sight.sizes, dtype=bool)
        for feature, (verdict, _) in seen.items():
            observed[:, feature] = self._of[:, self.names.index(verdict.class_name)]
        value, variance = field_values(
            sight.sizes, self._of @ sight.prior, sight.propensity, sight.taken, observed
        )
        records = tuple(self._record(sight, j, seen.get(j)) for j in range(len(sight.candidates)))
        return Measured(value, variance, records)

    def _record(self, sight: Sight, j: int, seen: tuple[Verdict, float] | None) -> CandidateRecord:
        c, prior = sight.candidates[j], dict(zip(self.names, sight.prior[:, j].tolist(), strict=True))
        best = max(prior, key=lambda name: prior[name])
        verdict, live_s = (None, 0.0) if seen is None else seen
        return CandidateRecord(
            x_um=c.x_um, y_um=c.y_um, equivalent_diameter_um=c.diameter_um,
            class_name=best if verdict is None else verdict.class_name,
            class_probability=prior[best] if verdict is None else verdict.probability,
            eds_live_s=live_s, feature=j, feret_um=c.feret_um, aspect=c.aspect, area_um2=c.area_um2,
            weight=c.weight, image_class=max(c.image, key=lambda name: c.image[name]),
            image={name: float(p) for name, p in c.image.items()}, prior=prior,
            propensity=float(sight.propensity[j]), grey=c.grey, mean_grey=c.mean_grey,
            observed=None if verdict is None else verdict.class_name,
            posterior={} if verdict is None else dict(verdict.posterior),
            elements={} if verdict is None else dict(verdict.elements),
        )  # fmt: skip

    def learn(
        self,
        weights: Weights,
        predicted: NDArray[np.float64],
        area_um2: float,
        candidates: Sequence[CandidateRecord],
    ) -> None:
        """Takes in a field that is done.

        Args:
            weights: the decision, or what the records have of it.
            predicted: ``targets``, what was predicted of it.
            area_um2: specimen area in the field.
            candidates: its features.
        """
        looked = self._looked(candidates, area_um2)
        by_image = (looked.sizes * looked.prior).sum(axis=1)
        self._trade.visited(
            weights.draw_weight, by_image - predicted, weights.visit_s + self.plan.reading_s,
            weights.error_weight, looked,
        )  # fmt: skip
        looked_at = [c for c in candidates if c.observed is not None]
        self._image.learn([(_traits(c), c.observed, c.propensity) for c in looked_at if c.observed])
        for record in looked_at:
            self._trade.counted(record.eds_live_s)
            self._spent_s += record.eds_live_s

    def _looked(self, candidates: Sequence[CandidateRecord], area_um2: float) -> Looked:
        """A field's features as the records have them."""
        sizes = [
            [_size(m, c.equivalent_diameter_um, c.area_um2, c.weight, area_um2) for c in candidates]
            for m in self._measures
        ]
        prior = np.array([[c.prior.get(name, 0.0) for name in self.names] for c in candidates])
        belongs = np.array([[c.observed == name for name in self.names] for c in candidates], bool)
        shape = len(candidates), len(self.names)
        return Looked(
            np.array(sizes).reshape(len(self._measures), len(candidates)),
            self._of @ prior.reshape(shape).T,
            np.array([c.propensity for c in candidates], float),
            np.array([c.observed is not None for c in candidates], bool),
            (self._of @ belongs.reshape(shape).T).astype(bool),
        )


def _traits(record: CandidateRecord) -> Traits:
    return Traits(record.image, record.equivalent_diameter_um, record.aspect, record.grey, record.mean_grey)


def _size(
    measure: TargetMeasure, diameter_um: float, feature_um2: float, weight: float, area_um2: float
) -> float:
    """What a feature adds to a target's value if it is of the target's class."""
    if diameter_um < measure.min_feature_um:
        return 0.0
    if measure.target.quantity == "area_fraction":
        return feature_um2 / area_um2
    return weight * UM2_PER_MM2 / area_um2


def _elements(identifier: Identifier, counts: NDArray[np.int64]) -> dict[str, float]:
    """Atomic fractions of what a spectrum shows, standardless; nothing where it shows nothing."""
    signals = identifier.identify(counts).signals
    if not any(signal.present for signal in signals):
        return {}
    try:
        found = quantify(signals, detector=identifier.detector)
    except ConfigurationError:  # the matrix correction does not settle on so few counts
        return {}
    atoms = {q.element: q.mass_fraction / atomic_mass(q.element) for q in found}
    total = sum(atoms.values())
    return {element: share / total for element, share in atoms.items()}
