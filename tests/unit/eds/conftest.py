"""Models that are slow to make, made once."""

from __future__ import annotations

import pytest

from autoscope.eds import ClassModel, Identifier, shipped_classes
from autoscope.xray import EnergyAxis


@pytest.fixture(scope="package")
def model() -> ClassModel:
    return ClassModel(shipped_classes())


@pytest.fixture(scope="package")
def identifier() -> Identifier:
    return Identifier(EnergyAxis())
