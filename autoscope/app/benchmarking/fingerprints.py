"""Hashes by which a cached table or a finished episode is known to be still good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

TABLE_CODE = (
    "autoscope_simulators",
    "autoscope.microscope",
    "autoscope.session",
    "autoscope.estimation.counts",
    "autoscope.estimation.features",
    "autoscope.estimation.grains",
    "autoscope.estimation.stereology",
    "autoscope.perception.overview_card",
    "autoscope.perception.overview_features",
    "autoscope.perception.overview_fields",
    "autoscope.perception.overview_grey",
    "autoscope.perception.overview_groups",
    "autoscope.perception.overview_pooling",
    "autoscope.perception.overview_reading",
    "autoscope.survey.grid",
    "autoscope.app.truth",
    "autoscope.app.preparing",
    "autoscope.app.benchmarking.tabulating",
)
"""What a table of fields is made by."""
EPISODE_CODE = (
    "autoscope.core",
    "autoscope.survey",
    "autoscope.estimation",
    "autoscope.perception.overview_experts",
    "autoscope.perception.overview_predictor",
    "autoscope.perception.overview_spread",
    "autoscope.app.preparing",
    "autoscope.app.targets",
    "autoscope.app.benchmarking.episode",
    "autoscope.app.benchmarking.table",
    "autoscope_policies",
)
"""What an episode is run by."""


def digest(*values: object) -> str:
    """SHA-256 of values that JSON can say, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@cache
def code_hash(modules: Sequence[str]) -> str:
    """SHA-256 of the source of modules and whole packages: with other code, nothing old counts."""
    total = hashlib.sha256()
    for name in modules:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        origin = Path(spec.origin)
        files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for file in files:
            total.update(file.read_bytes())
    return total.hexdigest()
