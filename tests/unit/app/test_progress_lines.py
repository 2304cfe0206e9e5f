"""The lines that a session writes where its output is not a terminal."""

import math

import pytest

from autoscope.app.cli.progress import SessionProgress
from autoscope.microscope import Budget, Spent
from autoscope.session import Progress
from autoscope.survey import QuantityState, Target

TARGET = Target("area_fraction", "pearlite", 0.02, None, 0.95)


@pytest.mark.parametrize(
    ("estimate", "interval", "fields", "said"),
    [
        (math.nan, (None, None), 0, "pearlite no estimate yet, wanted ± 0.02 (0 fields)"),
        (math.nan, (None, None), 16, "pearlite no estimate yet, wanted ± 0.02 (16 fields)"),
        (0.25, (None, None), 16, "pearlite 0.2500, wanted ± 0.02 (16 fields)"),
        (0.25, (0.2, 0.3), 16, "pearlite 0.2500 ± 0.0500, wanted ± 0.02 (16 fields)"),
    ],
)
def test_what_a_line_says_of_a_quantity(capsys, estimate, interval, fields, said):
    state = QuantityState(TARGET, estimate, *interval, False, fields, 0, "t")
    with SessionProgress() as progress:
        progress.update(Progress("measuring", 1, 1, (state,), Spent(), Budget(), None, ""))
    assert said in capsys.readouterr().err
