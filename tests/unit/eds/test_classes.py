"""Classes in TOML."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError
from autoscope.eds import InclusionClass, load_classes, shipped_classes


def test_the_shipped_classes() -> None:
    names = [c.name for c in shipped_classes()]
    assert names == [
        "alumina", "spinel", "Mn-Al-Si-O", "MnS", "(Ca,Mn)S", "CaS", "TiN", "carbide", "dirt", "matrix",
    ]  # fmt: skip


@pytest.mark.parametrize("named", shipped_classes(), ids=lambda c: c.name)
def test_drawn_compositions_lie_in_their_class(named: InclusionClass) -> None:
    for atoms in named.draw(20, np.random.default_rng(1)):
        assert sum(atoms.values()) == pytest.approx(1)
        for element, fraction in atoms.items():
            low, high = named.ranges[element]
            assert low - 1e-6 <= fraction <= high + 1e-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[classes.a]\nAl = [0.9, 1.0]\n", "two or more tables"),
        (
            "[classes.a]\nAl = [0.2, 0.1]\nO=[0.5,1]\n[classes.b]\nFe=[1,1]",
            r"Al = \[0.2, 0.1\] must be a range",
        ),
        ("[classes.a]\nAl = 0.5\n[classes.b]\nFe=[1.0,1.0]", r"Al = 0.5 must be \[lowest, highest\]"),
        ("[classes.a]\nAl = [0.1, 0.3]\n[classes.b]\nFe=[1.0,1.0]", "no composition sums to 1"),
        ("[classes.a]\nXy = [0.5, 1.0]\n[classes.b]\nFe=[1.0,1.0]", "'Xy' is no chemical element"),
        (
            "[classes.a]\nAl=[0.3,0.5]\nO=[0.5,0.7]\n[classes.b]\nAl=[0.4,0.6]\nO=[0.4,0.6]",
            "'a' and 'b' overlap",
        ),
        ("[classes.a]\n[classes.b]\nFe=[1.0,1.0]", "'a' names no element"),
        ("classes = 3", "two or more tables"),
        ("[klasses.a]\nFe=[1,1]", "nothing else, not klasses"),
        ("[", "is not TOML"),
    ],
)
def test_wrong_classes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_classes(path)


def test_classes_that_touch_or_differ_in_an_element_do_not_overlap(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        "[classes.a]\nAl=[0.3,0.5]\nO=[0.5,0.7]\n[classes.b]\nAl=[0.3,0.5]\nO=[0.4,0.7]\nMg=[0.05,0.2]\n"
        "[classes.c]\nAl=[0.5,0.7]\nO=[0.3,0.5]\n"
    )
    assert len(load_classes(path)) == 3


def test_corners_are_the_pure_members_of_a_mixed_class() -> None:
    carbide = next(c for c in shipped_classes() if c.name == "carbide")
    assert {frozenset(corner) for corner in carbide.corners()} >= {
        frozenset({"C", "Nb"}), frozenset({"C", "Ti"}), frozenset({"C", "V"}),
    }  # fmt: skip
    for named in shipped_classes():
        for corner in named.corners():
            assert sum(corner.values()) == pytest.approx(1)
            assert named.holds(corner)
            assert not named.holds({**corner, "Cu": 0.01})


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[classes.a]\nXy=[0.5,1]\n[classes.b]\nFe=[0.1,0.2]\n")
    with pytest.raises(ConfigurationError) as caught:
        load_classes(path)
    assert len(caught.value.problems) == 2


def test_an_absent_library_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xraylib", None)
    with pytest.raises(ConfigurationError, match="spectra need xraylib") as caught:
        shipped_classes()
    assert len(caught.value.problems) == 1
