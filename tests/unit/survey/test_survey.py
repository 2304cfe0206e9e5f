"""The survey and its step: order, lag, honesty about what is lost, refusal of what is wrong."""

import numpy as np
import pytest

from autoscope.core import ConfigurationError, EstimationError, Prediction
from autoscope.estimation import pseudo_value
from autoscope.estimation import tracker as tracker_module
from autoscope.survey import Outcome, Proposal, Statistics, TableSource, run, step
from autoscope.survey import sampling as sampling_module
from autoscope_policies import make_policy


class Scripted:
    """A policy made of a function of the view."""

    name, sha256 = "scripted", "0" * 64

    def __init__(self, propose, *, floored=True):
        self._propose, self.floored = propose, floored

    def propose(self, view):
        return self._propose(view)


class Chasing:
    """Goes where the prediction is highest, and remembers nothing."""

    name, sha256, floored = "chasing", "1" * 64, True

    def propose(self, view):
        q = np.zeros(len(view.remaining))
        q[np.argmax(view.prediction.value[0, view.remaining] + 0.01 * view.cost_s)] = 1.0
        return Proposal(q, "highest")


class Learning:
    """A predictor whose beliefs depend on everything that was measured."""

    def __init__(self, n_fields):
        self._n, self._seen = n_fields, []

    def predict(self):
        shift = sum(self._seen) % 0.7
        value = np.clip(0.15 * np.arange(self._n) - shift, 0, 1)
        return Prediction(value[None], np.full((1, self._n), 0.3))

    def update(self, field, value):
        self._seen.append(float(value[0]) + 0.1 * field)


Y5 = np.array([[0.1, 0.9, 0.3, 0.0, 0.6]])


def outcomes(monkeypatch, make, n):
    """Every way a survey can go for ``n`` draws, with its probability: (probability, survey)."""
    stack = [()]
    while stack:
        script, chance, asked = stack.pop(), [1.0], []

        def pick(probability, rng, script=script, chance=chance, asked=asked):
            index = len(asked)
            asked.append(len(probability))
            choice = script[index] if index < len(script) else 0
            chance[0] *= probability[choice]
            return choice

        monkeypatch.setattr(sampling_module, "pick", pick)
        survey = make()
        run(survey, TableSource(Y5), max_fields=n)
        yield chance[0], survey
        full = list(script) + [0] * (len(asked) - len(script))
        stack.extend(
            (*full[:at], other) for at in range(len(script), len(asked)) for other in range(1, asked[at])
        )


@pytest.fixture
def pseudo_values(monkeypatch):
    """Every pseudo-value that trackers compute, in order."""
    seen = []

    def recording(*arguments):
        seen.append(pseudo_value(*arguments))
        return seen[-1]

    monkeypatch.setattr(tracker_module, "pseudo_value", recording)
    return seen


def expectations(monkeypatch, pseudo_values, make, n):
    """Total probability, and the exact expectation of each of the first ``n`` pseudo-values."""
    total, expectation = 0.0, np.zeros(n)
    for probability, _ in outcomes(monkeypatch, make, 5):
        z = pseudo_values[:n]
        total += probability
        expectation += probability * np.array(z)
        pseudo_values.clear()
    return total, expectation


@pytest.mark.parametrize("policy", ["uniform", "proportional", "chasing"])
def test_every_pseudo_value_of_the_whole_survey_is_exactly_unbiased(
    monkeypatch, pseudo_values, build, policy
):
    def make():
        chosen = Chasing() if policy == "chasing" else make_policy(policy)
        return build.survey(build.grid(5), chosen, predictor=Learning(5), targets=(build.target(1e-9),))

    total, expectation = expectations(monkeypatch, pseudo_values, make, 4)
    assert total == pytest.approx(1)
    np.testing.assert_allclose(expectation, Y5.mean(), rtol=1e-12)


def test_every_pseudo_value_of_drawn_groups_is_exactly_unbiased(monkeypatch, pseudo_values, build):
    groups = [np.array([0, 3]), np.array([1]), np.array([4, 2])]

    def propose(view):
        left = tuple(g for g in groups if g[0] in view.remaining)
        raw = 1.0 + np.arange(len(left)) + view.prediction.value[0, [g[0] for g in left]]
        return Proposal(raw / raw.sum(), "groups", left)

    def make():
        policy = Scripted(propose, floored=False)
        return build.survey(build.grid(5), policy, predictor=Learning(5), targets=(build.target(1e-9),))

    total, expectation = expectations(monkeypatch, pseudo_values, make, 2)
    assert total == pytest.approx(1)
    np.testing.assert_allclose(expectation, Y5.mean(), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_with_weights_that_do_not_depend_on_the_data_the_estimate_is_exactly_unbiased(monkeypatch, build, n):
    def make():
        return build.survey(build.grid(5), make_policy("uniform"), targets=(build.target(1e-9),))

    expectation = 0.0
    for probability, survey in outcomes(monkeypatch, make, n):
        state = survey.states()[0]
        expectation += probability * state.extra.get("estimate_before_bounds", state.estimate)
    assert expectation == pytest.approx(Y5.mean(), rel=1e-12)


def test_a_decision_knows_nothing_of_the_frame_in_flight(build):
    predictor = build.constant(6)
    known = []

    def propose(view):
        known.append((view.drawn, len(predictor.updates)))
        return Proposal(np.full(len(view.remaining), 1 / len(view.remaining)), "uniform")

    survey = build.survey(build.grid(6), Scripted(propose), predictor=predictor)
    run(survey, TableSource(np.linspace(0, 1, 6)), max_fields=5)
    assert known == [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3)]


def test_the_step_overlaps_travel_with_the_frame_before(build):
    calls = []

    class Source(TableSource):
        def travel(self, decision):
            calls.append(f"travel {decision.step}")

        def collect(self, decision):
            calls.append(f"collect {decision.step}")
            return super().collect(decision)

        def acquire(self, decision):
            calls.append(f"acquire {decision.step}")

    survey = build.survey(build.grid(3), make_policy("uniform"))
    pending = None
    for _ in range(2):
        pending = step(survey, Source(np.zeros(3)), pending)
    assert calls == ["travel 1", "acquire 1", "travel 2", "collect 1", "acquire 2"]


def test_a_census_is_exact_and_has_no_width(build):
    y = np.random.default_rng(0).random(12)
    grid = build.grid(4, 3, valid_fraction=lambda box: 0.25 + 0.05 * (box.x0_um // 10))
    survey = build.survey(grid, make_policy("uniform"), targets=(build.target(1e-9),))
    assert run(survey, TableSource(y)) == 12
    state = survey.states()[0]
    assert survey.exhausted and state.met
    assert state.estimate == state.ci_low == state.ci_high == pytest.approx(grid.weight @ y)
    assert state.estimator == "census"


@pytest.mark.parametrize("tier", ["standard", "anytime", "guaranteed"])
@pytest.mark.parametrize("policy", ["uniform", "proportional", "systematic"])
def test_every_tier_and_design_stops_with_the_width_that_was_asked(build, tier, policy):
    y = np.random.default_rng(1).beta(2, 6, 900)
    target, design = build.target(0.04), make_policy(policy)
    survey = build.survey(build.grid(30, 30), design, targets=(target,), tier=tier, exploration=0.6, seed=3)
    fields = run(survey, TableSource(y))
    state = survey.states()[0]
    assert survey.met and 50 <= fields < 900
    assert state.ci_low < y.mean() < state.ci_high
    assert state.ci_high - state.ci_low <= 0.08 + 1e-12
    assert state.ci_low <= state.estimate <= state.ci_high


def test_repeating_the_calls_repeats_the_decisions(build):
    y = np.random.default_rng(2).random(64)

    def decisions():
        survey, seen, pending = build.survey(build.grid(8, 8), make_policy("uniform"), seed=5), [], None
        for _ in range(20):
            pending = step(survey, TableSource(y), pending)
            seen.append((pending.field, pending.propensity))
        return seen

    assert decisions() == decisions()
    assert len({field for field, _ in decisions()}) == 20


def test_seeds_differ(build):
    first = [build.survey(build.grid(100), make_policy("uniform"), seed=s).decide().field for s in range(20)]
    assert len(set(first)) > 10


def test_the_floor_is_in_the_propensity_that_is_logged(build):
    def propose(view):
        q = np.zeros(len(view.remaining))
        q[0] = 1.0
        return Proposal(q, "always the first")

    survey = build.survey(build.grid(10), Scripted(propose), exploration=0.5)
    decision = survey.decide()
    assert decision.propensity == pytest.approx(0.55 if decision.field == 0 else 0.05)
    assert decision.candidates == 10


def test_a_lost_field_stands_at_its_worst_in_both_ends(build):
    y = np.full(10, 0.4)
    survey = build.survey(build.grid(10), make_policy("uniform"), targets=(build.target(1e-9),))
    run(survey, TableSource(y, lost=[3, 7]))
    state = survey.states()[0]
    assert (state.fields_measured, state.fields_lost) == (8, 2)
    assert state.ci_low == pytest.approx(0.32)
    assert state.ci_high == pytest.approx(0.52)
    assert not state.met
    assert "worst case" in state.estimator


def test_lost_fields_widen_a_running_interval_and_never_narrow_it(build):
    y = np.random.default_rng(4).beta(2, 5, 400)

    def width(lost):
        survey = build.survey(build.grid(20, 20), make_policy("uniform"), targets=(build.target(1e-6),))
        run(survey, TableSource(y, lost=lost), max_fields=120)
        state = survey.states()[0]
        return state.ci_high - state.ci_low, state.fields_lost

    whole, none = width([])
    cut, some = width(range(0, 400, 12))
    assert (none, some > 3) == (0, True)
    assert cut > whole + some / 120 * 0.9


def test_every_target_must_be_met(build):
    rng = np.random.default_rng(5)
    y = np.stack([rng.beta(2, 6, 900), rng.beta(2, 2, 900)])
    easy, hard = build.target(0.1, name="a"), build.target(0.05, name="b")
    fields = run(
        build.survey(build.grid(30, 30), make_policy("uniform"), targets=(easy, hard)), TableSource(y)
    )
    alone = run(build.survey(build.grid(30, 30), make_policy("uniform"), targets=(easy,)), TableSource(y[:1]))
    assert fields > alone


def test_a_relative_target(build):
    y = np.random.default_rng(6).beta(2, 6, 2500)
    survey = build.survey(build.grid(50, 50), make_policy("uniform"), targets=(build.target(relative=0.1),))
    run(survey, TableSource(y))
    state = survey.states()[0]
    assert state.met
    assert (state.ci_high - state.ci_low) / 2 <= 0.1 * state.estimate


def test_a_phase_that_is_not_found_is_not_known_to_be_absent(build):
    survey = build.survey(
        build.grid(60, 60), make_policy("uniform"), predictor=build.constant(3600, 0.01),
        targets=(build.target(0.01),),
    )  # fmt: skip
    fields = run(survey, TableSource(np.zeros(3600)))
    state = survey.states()[0]
    assert fields > 150, "50 empty fields leave room for 6 % of fields that are not"
    assert state.ci_low == pytest.approx(0, abs=1e-12)
    assert 0.015 < state.ci_high <= 0.02


def test_an_unfinished_raster_has_a_value_and_no_interval(build):
    y = np.linspace(0, 1, 25)
    survey = build.survey(build.grid(5, 5), make_policy("raster"))
    run(survey, TableSource(y), max_fields=24)
    state = survey.states()[0]
    assert (state.ci_low, state.ci_high, state.met) == (None, None, False)
    assert "no interval" in state.estimator
    assert state.estimate == pytest.approx(y[:24].mean())  # five rows: the serpentine ends at field 24


def test_a_half_finished_grid_is_not_reported(build):
    y = np.random.default_rng(7).random(400)
    survey = build.survey(build.grid(20, 20), make_policy("systematic"), targets=(build.target(1e-6),))
    source, pending, shown = TableSource(y), None, []
    for _ in range(60):
        pending = step(survey, source, pending)
        shown.append((survey.states()[0].estimate, pending.last_of_draw))
    changes = [i for i in range(1, 60) if not np.array_equal(shown[i][0], shown[i - 1][0], equal_nan=True)]
    assert changes
    assert all(shown[i - 1][1] for i in changes), "the estimate moves only when a grid is complete"


def bad(probability, groups=None):
    return Scripted(lambda view: Proposal(np.asarray(probability, float), "bad", groups))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (bad([0.5, 0.2, 0.2]), "draw 1: the probabilities of 3 candidates sum to 0.9, not to 1"),
        (bad([1.5, -0.5, 0.0]), "draw 1: candidate 1 has probability -0.5"),
        (bad([0.5, 0.5]), "draw 1: the policy returned 2 probabilities for 3 candidates"),
        (bad([0.5, 0.5], (np.array([0, 1]), np.array([1]))), "each of the 3 remaining fields exactly once"),
    ],
)
def test_bad_policies_are_refused_and_the_survey_is_not_corrupted(build, policy, message):
    survey = build.survey(build.grid(3), policy)
    for _ in range(2):
        with pytest.raises(EstimationError, match=message):
            survey.decide()
    assert survey.pending == () and not survey.exhausted


@pytest.mark.parametrize("value", [-0.1, 1.2, float("nan")])
def test_bad_values_are_refused_and_the_right_one_is_still_welcome(build, value):
    survey = build.survey(build.grid(3), make_policy("uniform"))
    decision = survey.decide()
    with pytest.raises(EstimationError, match=f"step 1, field {decision.field}"):
        survey.observe(decision, Outcome(np.array([value])))
    assert survey.pending == (decision,)
    survey.observe(decision, Outcome(np.array([0.5])))
    assert survey.states()[0].fields_measured == 1


def test_outcomes_come_in_order_and_once(build):
    survey = build.survey(build.grid(4), make_policy("uniform"))
    first, second = survey.decide(), survey.decide()
    with pytest.raises(EstimationError, match=r"step 2.* but step 1 is awaited"):
        survey.observe(second, Outcome(np.array([0.5])))
    with pytest.raises(EstimationError, match="at most one frame is in flight"):
        survey.decide()
    survey.observe(first, Outcome(np.array([0.5])))
    with pytest.raises(EstimationError, match=r"step 1.* but step 2 is awaited"):
        survey.observe(first, Outcome(np.array([0.5])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tier": "standart"}, "did you mean 'standard'"),
        ({"exploration": 0.0}, r"policy.exploration = 0 must be above 0"),
        ({"tier": "guaranteed", "exploration": 0.2}, r"too small for statistics.tier = 'guaranteed'"),
    ],
)
def test_statistics_that_would_not_be_honest(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Statistics(**options)


def test_a_predictor_out_of_bounds_is_named(build):
    predictor = build.constant(3, 1.2)
    with pytest.raises(EstimationError, match=r"draw 1, field 0: area_fraction of phase is predicted as 1.2"):
        build.survey(build.grid(3), make_policy("uniform"), predictor=predictor).decide()
