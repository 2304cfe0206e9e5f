"""``census.json``: inclusions by class and size, for programs and for the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from autoscope.records.models import NumberOrNone, Record

CENSUS = "census.json"
CENSUS_CSV = "census.csv"
INCLUSIONS_CSV = "inclusions.csv"


class CensusRow(Record):
    """One class in one range of sizes.

    Attributes:
        measure: ``per_mm2`` or ``area_fraction``.
        class_name: the class; ``all`` for all but the matrix.
        from_um: smallest equivalent diameter.
        to_um: the range ends below this; None: it does not.
        shape: ``globular`` (aspect below 2), ``elongated``, or empty for both.
        features: how many were found that are of the class, or most probably are.
        spectra: how many of them by a spectrum.
    """

    measure: Literal["per_mm2", "area_fraction"]
    class_name: str = Field(alias="class")
    from_um: FiniteFloat = 0.0
    to_um: NumberOrNone = None
    shape: str = ""
    estimate: NumberOrNone = None
    ci_low: NumberOrNone = None
    ci_high: NumberOrNone = None
    features: int
    spectra: int
    estimator: str = ""


class WorstField(Record):
    """The measured field that holds most of a class."""

    class_name: str = Field(alias="class")
    field: int
    x_um: FiniteFloat
    y_um: FiniteFloat
    features: int
    per_mm2: FiniteFloat
    largest_um: FiniteFloat


class LargestInclusion(Record):
    """What the largest inclusions of control areas say of a larger area (ASTM E2283)."""

    areas: int
    area_mm2: FiniteFloat
    location_um: FiniteFloat
    scale_um: FiniteFloat
    return_areas: FiniteFloat
    predicted_um: FiniteFloat
    standard_error_um: FiniteFloat


class CensusPoint(Record):
    """One inclusion that was seen whole."""

    x_um: FiniteFloat
    y_um: FiniteFloat
    equivalent_diameter_um: FiniteFloat
    feret_um: FiniteFloat
    aspect: FiniteFloat
    area_um2: FiniteFloat
    class_name: str = Field(alias="class")
    class_probability: FiniteFloat
    by: Literal["spectrum", "image"]
    field: int
    eds_live_s: FiniteFloat
    elements: dict[str, FiniteFloat] = Field(default_factory=dict)


class FittedSpectrum(Record):
    """A spectrum with what was fitted to it.

    Attributes:
        ev_per_channel: of the corrected axis.
        offset_ev: energy of the centre of channel 0.
        counts: ``channels``.
        fitted: ``channels``, zero where nothing was fitted.
        background: ``channels``, of the fit.
        elements: that are present, with the energy of their main line in keV.
    """

    spectrum: int
    field: int
    feature: int
    class_name: str = Field(alias="class")
    class_probability: FiniteFloat
    live_s: FiniteFloat
    x_um: FiniteFloat
    y_um: FiniteFloat
    ev_per_channel: FiniteFloat
    offset_ev: FiniteFloat
    counts: tuple[int, ...]
    fitted: tuple[FiniteFloat, ...]
    background: tuple[FiniteFloat, ...]
    elements: dict[str, FiniteFloat]


class Census(Record):
    """Everything that a session with EDS found out about its inclusions."""

    schema_: Literal["autoscope.census/1"] = Field(default="autoscope.census/1", alias="schema")
    min_feature_um: FiniteFloat
    confidence: FiniteFloat
    fields: int
    fields_left_out: int
    rows: tuple[CensusRow, ...]
    shapes: tuple[CensusRow, ...]
    worst_fields: tuple[WorstField, ...]
    largest: LargestInclusion | None
    points: tuple[CensusPoint, ...]
    spectra: tuple[FittedSpectrum, ...]
    standards: tuple[str, ...]
