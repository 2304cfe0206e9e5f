"""Class probabilities and the sequential live time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoscope.core import (
    BeamSettings,
    BudgetError,
    ConfigurationError,
    InstrumentError,
    Spectrum,
    StagePosition,
)
from autoscope.eds import UNKNOWN, ClassModel, SequentialRule, measure_sequentially, shipped_classes
from autoscope.xray import EnergyAxis, compound, expected_rate

AXIS = EnergyAxis()
STEEL = expected_rate({"Fe": 0.98, "Mn": 0.02}, AXIS)
TYPICAL = {
    "alumina": {"Al": 2, "O": 3},
    "spinel": {"Mg": 1, "Al": 2, "O": 4},
    "Mn-Al-Si-O": {"Mn": 3, "Al": 2, "Si": 3, "O": 12},
    "MnS": {"Mn": 1, "S": 1},
    "(Ca,Mn)S": {"Ca": 1, "Mn": 1, "S": 2},
    "CaS": {"Ca": 1, "S": 1},
    "TiN": {"Ti": 1, "N": 1},
    "carbide": {"Nb": 1, "C": 1},
    "matrix": {"Fe": 98, "Mn": 1, "Si": 1},
}


def rate(atoms: dict[str, float], share: float = 1.0) -> np.ndarray:
    return share * expected_rate(compound(atoms), AXIS) + (1 - share) * STEEL


class Source:
    """Spectra of one rate, in slices; remembers how much live time was asked for."""

    def __init__(self, per_s: np.ndarray, seed: int = 0, axis: EnergyAxis = AXIS) -> None:
        self.per_s, self.axis, self.rng, self.asked_s = per_s, axis, np.random.default_rng(seed), []

    def __call__(self, live_s: float) -> Spectrum:
        self.asked_s.append(live_s)
        counts = self.rng.poisson(self.per_s * live_s)
        return Spectrum(
            counts, live_s, live_s, self.axis.ev_per_channel, self.axis.offset_ev, StagePosition(0, 0),
            BeamSettings(), 0.0,
        )  # fmt: skip


@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("name", TYPICAL)
def test_typical_inclusions_are_named(model: ClassModel, name: str, share: float) -> None:
    counts = np.random.default_rng(1).poisson(rate(TYPICAL[name], share if name != "matrix" else 1.0) * 0.5)
    found = model.posterior(counts)
    assert found.best == name
    assert found.confidence > 0.95
    assert found.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("atoms", [{"Cu": 1}, {"Zn": 1, "O": 1}, {"Cr": 7, "Ni": 3}, {"Si": 1, "O": 2}])
def test_what_fits_no_class_is_unknown(model: ClassModel, atoms: dict[str, float]) -> None:
    assert model.posterior(np.random.default_rng(1).poisson(rate(atoms))).best == UNKNOWN


def test_no_counts_leave_the_prior(model: ClassModel) -> None:
    empty = model.posterior(np.zeros(1024))
    assert empty.of(UNKNOWN) == pytest.approx(0.02)
    assert empty.of("MnS") == pytest.approx(0.98 / 10)
    prior = dict.fromkeys(TYPICAL, 1.0) | {"dirt": 1.0, "MnS": 9.0}
    assert model.posterior(np.zeros(1024), prior).of("MnS") == pytest.approx(0.98 * 9 / 18)


def test_bayes_rule_by_hand() -> None:
    """With one composition a class and few counts the ratio of two posteriors is that of the likelihoods."""
    from autoscope.eds import InclusionClass

    pure = [InclusionClass(e, {e: (1.0, 1.0)}) for e in ("Al", "Si")]
    two = ClassModel(pure, AXIS, matrix=None, trusted_counts=math.inf)
    counts = np.zeros(1024, np.int64)
    counts[149], counts[174] = 2, 1
    found = two.posterior(counts)
    shares = []
    for element in ("Al", "Si"):
        whole = expected_rate({element: 1.0}, AXIS)
        windows = np.add.reduceat(whole[:814], np.arange(22, 814, 8))
        shares.append((1 - 1e-4) * windows / windows.sum() + 1e-4 / len(windows))
    at_al, at_si = (149 - 22) // 8, (174 - 22) // 8
    logs = [2 * math.log(s[at_al]) + math.log(s[at_si]) for s in shares]
    ratio = found.of("Al") / found.of("Si")
    assert math.log(ratio) == pytest.approx(logs[0] - logs[1], abs=1e-3)


def test_wrong_priors_and_spectra_are_refused(model: ClassModel) -> None:
    with pytest.raises(ConfigurationError, match="differ in"):
        model.posterior(np.zeros(1024), {"MnS": 1.0})
    with pytest.raises(ConfigurationError, match="does not fit a model of 1024"):
        model.posterior(np.zeros(100))
    with pytest.raises(InstrumentError, match="never negative"):
        model.posterior(np.full(1024, -3))
    with pytest.raises(ConfigurationError, match="must differ"):
        ClassModel([shipped_classes()[0]] * 2)
    with pytest.raises(ConfigurationError, match="shows too little to tell classes by"):
        ClassModel(shipped_classes()[:2], EnergyAxis(64, 10.0))


def test_a_clear_case_ends_early_and_a_doubtful_one_later(model: ClassModel) -> None:
    rule = SequentialRule(slice_s=0.01, max_live_s=4.0)
    clear = measure_sequentially(Source(rate(TYPICAL["TiN"]) / 10), model, rule)
    doubtful = measure_sequentially(Source(rate(TYPICAL["spinel"], 0.1) / 10), model, rule)
    assert clear.class_name == "TiN"
    assert clear.decided
    assert clear.live_s < doubtful.live_s


def test_the_live_time_is_the_sum_of_the_slices_and_never_above_the_maximum(model: ClassModel) -> None:
    source = Source(np.zeros(1024))
    verdict = measure_sequentially(source, model, SequentialRule(slice_s=0.5, max_live_s=3.0))
    assert sum(source.asked_s) == pytest.approx(3.0)
    assert (verdict.live_s, verdict.slices) == (pytest.approx(3.0), len(source.asked_s))
    assert not verdict.decided
    assert verdict.class_name == UNKNOWN


def test_a_spent_budget_goes_through(model: ClassModel) -> None:
    def refuse(live_s: float) -> Spectrum:
        raise BudgetError("eds_live_s", 1.0 + live_s, 1.0, "s")

    with pytest.raises(BudgetError, match="eds_live_s"):
        measure_sequentially(refuse, model, SequentialRule())


def test_spectra_of_another_calibration_are_refused(model: ClassModel) -> None:
    source = Source(np.zeros(1024), axis=EnergyAxis(1024, 10.0, 5.0))
    with pytest.raises(ConfigurationError, match="is not the model's"):
        measure_sequentially(source, model, SequentialRule())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slice_s": 0.0}, "slice_s = 0 s must be positive"),
        ({"max_live_s": 0.01}, "at least one slice"),
        ({"confidence": 1.0}, r"must lie in \[0.5, 1\)"),
        ({"growth": 0.5}, r"growth = 0.5"),
    ],
)
def test_impossible_rules_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SequentialRule(**change)


@pytest.mark.parametrize("growth", [1.0, 1.2, 2.0])
def test_slices_sum_to_the_maximum(growth: float) -> None:
    slices = SequentialRule(0.1, 7.3, 0.99, growth).slices_s()
    assert sum(slices) == pytest.approx(7.3)
    assert slices[0] == 0.1
    assert min(slices) > 0


def test_errors_after_a_sequential_stop_are_as_rare_as_promised(model: ClassModel) -> None:
    rule = SequentialRule(slice_s=0.02, max_live_s=5.0, confidence=0.99)
    rng, wrong, n = np.random.default_rng(8), 0, 0
    for named in shipped_classes()[:-1]:
        for number, atoms in enumerate(named.draw(12, rng)):
            source = Source(rate(atoms, 0.5) / 5, seed=number)
            wrong += measure_sequentially(source, model, rule).posterior.best != named.name
            n += 1
    assert wrong / n <= 0.05  # nominal 0.01; 108 cases


def test_a_taught_class_is_what_its_spectra_show(model: ClassModel) -> None:
    """Two classes that first principles take for one: alumina on steel, and the same with a little Mn."""
    rng = np.random.default_rng(3)
    plain, with_mn = (rate({"Al": 2, "O": 3, "Mn": mn}, 0.7) for mn in (0.0, 0.25))
    spectra = {"alumina": rng.poisson(plain * 20, (40, AXIS.channels)),
               "spinel": rng.poisson(with_mn * 20, (20, AXIS.channels))}  # fmt: skip
    taught = model.taught(spectra)
    tested = [
        (name, rng.poisson(r)) for name, r in (("alumina", plain), ("spinel", with_mn)) for _ in range(40)
    ]
    before, after = (np.mean([m.posterior(c).best == name for name, c in tested]) for m in (model, taught))
    assert before < 0.7 < 0.95 < after
    assert taught.posterior(rng.poisson(rate(TYPICAL["MnS"]) * 0.5)).best == "MnS"  # the others stay


def test_what_is_learnt_is_the_mean_likelihood_over_the_spectra() -> None:
    """By hand, on two windows' worth: shares shrunk by 500 counts to the class mean, prior by frequency."""
    names = ("alumina", "MnS")
    model = ClassModel([c for c in shipped_classes() if c.name in names], AXIS, unknown_prior=1e-9)
    peak = {"Al": np.argmin(np.abs(AXIS.energies_ev - 1487)), "S": np.argmin(np.abs(AXIS.energies_ev - 2307))}
    rows = np.zeros((3, AXIS.channels), int)
    rows[0, peak["Al"]], rows[1, [peak["Al"], peak["S"]]], rows[2, peak["S"]] = 1000, (500, 500), 1000
    taught = model.taught({"alumina": rows[:2], "MnS": rows[2:]})
    counts = np.zeros(AXIS.channels, int)
    counts[peak["Al"]], counts[peak["S"]] = 1, 2
    # alumina: (1000 + 500 * 0.75) / 1500 = 0.9167 and (500 + 375) / 1500 = 0.5833 of aluminium; MnS: none
    alumina = np.mean([a * (1 - a) ** 2 for a in (0.916667, 0.583333)])
    bins = len(model._edges) - 1
    dark = 1e-4 / bins
    found = taught.posterior(counts)
    assert found.of("MnS") / found.of("alumina") == pytest.approx(dark / 2 / alumina, rel=0.01)


@pytest.mark.parametrize(
    ("spectra", "said"),
    [
        ({"quartz": np.ones((2, 1024), int)}, "there is no class 'quartz'"),
        ({"MnS": np.ones((2, 9), int)}, r"array of \(2, 9\), not of spectra x 1024"),
        ({"MnS": np.zeros((2, 1024), int)}, "without counts"),
    ],
)
def test_spectra_that_teach_nothing_are_refused(
    model: ClassModel, spectra: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        model.taught(spectra)
