"""From the ``[eds]`` table to the spectroscopy of a session, with everything that can be wrong said first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.app.build import imaging, pv_map_of
from autoscope.app.config import Config, EDSConfig
from autoscope.core import ConfigurationError, nearest
from autoscope.eds import (
    STEEL,
    UNKNOWN,
    ClassModel,
    Identifier,
    InclusionClass,
    SequentialRule,
    Trade,
    corrected_axis,
    load_classes,
    shipped_classes,
)
from autoscope.eds.calibration import LARGEST_SHIFT_EV
from autoscope.microscope import Microscope
from autoscope.session import Spectroscopy, SpectrumPlan, TargetMeasure
from autoscope.survey import ExtraCost, FieldGrid, Target
from autoscope.xray import Composition, Detector, EnergyAxis, Geometry, atomic_number
from autoscope_simulators import SpecimenFile, spectrum_problems

MATRIX = "matrix"
"""The class of the matrix, in images and in spectra: no inclusion."""

SHIPPED_GROUPS: Mapping[str, tuple[str, ...]] = {
    "oxide": ("alumina", "spinel", "Mn-Al-Si-O"),
    "sulphide": ("MnS", "(Ca,Mn)S", "CaS"),
    "nitride": ("TiN",),
}
"""What the image classes of the shipped model for steels are made of."""

EXPECTED_LIVE_SHARE = 0.1
"""Share of the longest live time that a spectrum is expected to take before any was taken."""

TYPICAL_INCLUSION_UM2 = 4.0
"""Area of an inclusion by which area fractions are expected to scatter before anything was measured."""


def classes_of(eds: EDSConfig) -> tuple[InclusionClass, ...]:
    """The named classes; the shipped ones by default.

    Raises:
        ConfigurationError: the file is wrong, with every problem.
    """
    return shipped_classes() if eds.classes is None else load_classes(eds.classes)


def groups_of(eds: EDSConfig, image_classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Image class to the spectral classes that it may consist of; the matrix is no candidate.

    Where nothing is said, the classes of the shipped model stand for what they are, a spectral class for
    itself, and any other image class for all spectral classes.

    Raises:
        ConfigurationError: a group or a member is unknown, or nothing is left to look at.
    """
    names = [c.name for c in classes_of(eds)]
    inclusions = tuple(name for name in names if name != MATRIX)
    if eds.groups is not None:
        problems = _group_problems(eds.groups, image_classes, names)
        if problems:
            raise ConfigurationError(*problems)
        return {group: tuple(members) for group, members in eds.groups.items()}
    groups = {}
    for name in image_classes:
        shipped = tuple(m for m in SHIPPED_GROUPS.get(name, ()) if m in names)
        if name != MATRIX:
            groups[name] = (name,) if name in names else shipped or inclusions
    if not groups:
        raise ConfigurationError(
            "eds: the model knows no class that could be an inclusion: it has"
            f" {', '.join(image_classes) or 'none'}"
        )
    return groups


def _group_problems(
    groups: Mapping[str, Sequence[str]], image_classes: Sequence[str], names: Sequence[str]
) -> list[str]:
    problems = [
        f"eds.groups: {group!r} is not a class of the model{nearest(group, image_classes)};"
        f" it has {', '.join(image_classes)}"
        for group in groups
        if group not in image_classes
    ]
    for group, members in groups.items():
        wrong = [m for m in members if m not in names]
        problems += [
            f"eds.groups.{group}: {m!r} is not a spectral class{nearest(m, names)};"
            f" there are {', '.join(names)}"
            for m in wrong
        ]
        if not members:
            problems.append(f"eds.groups.{group} names no spectral class")
    return problems


def members_of(
    target: str, groups: Mapping[str, Sequence[str]], names: Sequence[str]
) -> tuple[str, ...] | None:
    """The spectral classes that a target counts: itself, or those of its group; None where it is unknown."""
    if target in names or target == UNKNOWN:
        return (target,)
    return tuple(groups[target]) if target in groups else None


def eds_problems(config: Config, image_classes: Sequence[str], specimen: SpecimenFile | None) -> list[str]:
    """Everything that keeps a session from taking spectra."""
    eds, problems = config.eds, []
    try:
        groups, names = groups_of(eds, image_classes), [c.name for c in classes_of(eds)]
    except ConfigurationError as error:
        return list(error.problems)
    for target in config.targets:
        if target.quantity == "grain_size":
            problems.append('targets: quantity = "grain_size" takes no spectra: run it without eds.enabled')
        elif members_of(target.class_name, groups, names) is None:
            known = [*groups, *names]
            problems.append(
                f"targets: class {target.class_name!r} is neither a spectral class nor a group"
                f"{nearest(target.class_name, known)}; there are {', '.join(dict.fromkeys(known))}"
            )
    if config.labels.queue is not None:
        problems.append(
            "labels.queue: experts' answers do not correct values that rest on spectra: leave the queue"
            " out, or eds.enabled"
        )
    limit_s = config.budget.eds_live_s
    if limit_s is not None and eds.max_live_s > limit_s:
        problems.append(
            f"eds.max_live_s = {eds.max_live_s:g} s is longer than budget.eds_live_s = {limit_s:g} s: not one"
            " spectrum would be allowed"
        )
    if max(map(abs, eds.shift_ev)) > LARGEST_SHIFT_EV:
        problems.append(
            f"eds.shift_ev = {list(eds.shift_ev)} eV: a calibration that is off by more than"
            f" {LARGEST_SHIFT_EV:g} eV is wrong, not shifted: calibrate the EDS detector"
        )
    if config.statistics.tier == "guaranteed":
        problems.append(
            'statistics.tier = "guaranteed" needs bounds of every field\'s value, which spectra on a sample'
            ' of its features do not leave: use "standard" or "anytime" with eds.enabled'
        )
    if specimen is not None:
        problems += [f"eds.enabled = true: {p}" for p in spectrum_problems(specimen, config.beam.kv)]
    if config.microscope.kind == "epics":
        problems += _pv_problems(config)
    return problems + _matrix_problems(eds)


def _pv_problems(config: Config) -> list[str]:
    """What spectra need and the PV map does not have."""
    try:
        missing = pv_map_of(config).missing_for_spectra
    except ConfigurationError as error:
        return list(error.problems)
    where, problems = config.microscope.pv_map or "the shipped PV map", []
    if "spectrum" in missing:
        problems.append(
            f"eds.enabled = true: {where} has no table [spectrum]: map the EDS detector (start, preset_live,"
            " elapsed_live, elapsed_real, acquiring, counts, offset, slope), or set eds.enabled = false"
        )
    spots = [key for key in missing if key != "spectrum"]
    if spots:
        problems.append(
            f"eds.enabled = true: {where} has no {' and no '.join(spots)}: nothing puts the beam on an"
            " inclusion; map both, or set eds.enabled = false"
        )
    return problems


def _matrix_problems(eds: EDSConfig) -> list[str]:
    if isinstance(eds.matrix, str):
        return []
    problems = []
    for element in eds.matrix:
        try:
            atomic_number(element)
        except ConfigurationError as error:
            problems.append(f"eds.matrix: {error}")
    if not sum(eds.matrix.values()) > 0:
        problems.append("eds.matrix names no element; write {Fe = 0.98, Mn = 0.02}, by weight")
    return problems


def spectroscopy_of(
    config: Config,
    grid: FieldGrid,
    microscope: Microscope,
    measures: Sequence[TargetMeasure],
    image_classes: Sequence[str],
) -> Spectroscopy:
    """The spectroscopy of a session.

    Raises:
        ConfigurationError: see :func:`eds_problems`.
    """
    eds = config.eds
    classes, groups = classes_of(eds), groups_of(eds, image_classes)
    names = [c.name for c in classes]
    members = tuple(members_of(m.target.class_name, groups, names) or () for m in measures)
    smallest = min(m.min_feature_um for m in measures)
    plan = SpectrumPlan(
        rule=rule_of(eds),
        groups=groups,
        members=members,
        min_feature_um=smallest if eds.min_feature_um is None else eds.min_feature_um,
        reading_s=eds.reading_s,
        charged=config.microscope.kind == "simulated",
        seed=config.seed,
        limit_s=config.budget.eds_live_s,
    )
    detector, geometry = Detector(fwhm_mn_ka_ev=eds.fwhm_ev), Geometry(kv=config.beam.kv)

    def model(axis: EnergyAxis) -> ClassModel:
        right = corrected_axis(axis, *eds.shift_ev)
        return ClassModel(classes, right, detector=detector, geometry=geometry, matrix=matrix_of(eds))

    def identifier(axis: EnergyAxis) -> Identifier:
        return Identifier(corrected_axis(axis, *eds.shift_ev), detector=detector, kv=config.beam.kv)

    return Spectroscopy(
        plan, measures, model, identifier, trade_of(config, grid, microscope, measures), [*names, UNKNOWN]
    )


def rule_of(eds: EDSConfig) -> SequentialRule:
    """When counting ends."""
    return SequentialRule(min(eds.first_live_s, eds.max_live_s), eds.max_live_s, eds.confidence)


def matrix_of(eds: EDSConfig) -> Composition | None:
    """What surrounds the inclusions, by weight; None: nothing is seen through them."""
    if isinstance(eds.matrix, str):
        return STEEL if eds.matrix == "steel" else None
    total = sum(eds.matrix.values())
    return {element: share / total for element, share in eds.matrix.items()}


def trade_of(
    config: Config, grid: FieldGrid, microscope: Microscope, measures: Sequence[TargetMeasure]
) -> Trade:
    """What spectra cost and are worth before anything was measured."""
    hop_s = float(microscope.predict_travel_s(np.array([3 * grid.hfw_um]))[0])
    visit_s = microscope.predict_image_s(imaging(config.imaging.reference)) + config.eds.reading_s + hop_s
    scatter, live_s = typical_sizes(grid, measures), expected_live_s(config)
    return Trade(scatter, visit_s, overhead_s(microscope), live_s, config.eds.least_probability)


def typical_sizes(grid: FieldGrid, measures: Sequence[TargetMeasure]) -> NDArray[np.float64]:
    """``targets``: what one inclusion adds to each, by which fields are expected to scatter at first."""
    share = TYPICAL_INCLUSION_UM2 / (grid.hfw_um * grid.vfw_um)
    return np.array([share if m.target.scatter is None else m.target.scatter for m in measures])


def expected_live_s(config: Config) -> float:
    """Live time of a spectrum that is expected before any was taken."""
    return EXPECTED_LIVE_SHARE * config.eds.max_live_s


def overhead_s(microscope: Microscope) -> float:
    """Seconds of a spectrum beside counting: of none at all, for what counting takes depends on the place.

    A session that goes on after an interruption begins at another place, and must reckon as it did before.
    """
    return microscope.predict_spectrum_s(0.0)


def extra_cost_of(config: Config, microscope: Microscope, targets: tuple[Target, ...]) -> ExtraCost | None:
    """What fields cost beyond travel and frame, before any was visited; None without EDS."""
    if not config.eds.enabled:
        return None
    return ExtraCost(targets, config.eds.reading_s + overhead_s(microscope) + expected_live_s(config))
