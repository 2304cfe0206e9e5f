"""Another policy beside the one that draws: exactly nothing for the same, by hand, and against the truth."""

import numpy as np
import pytest

from autoscope.app.replaying.comparing import Standing, compare, obstacle_of
from autoscope.app.replaying.watching import Visits, Watching
from autoscope.core import Prediction, Rectangle
from autoscope.survey import FixedPredictor, Statistics, Survey, TableSource, Target, lay_grid, run
from autoscope_policies import make_policy

SIDE = 40
FLOOR = 0.2


def table(seed=1):
    """Fields of which every eighth departs from its prediction ten times as far, as the predictor knows."""
    rng, n = np.random.default_rng(seed), SIDE**2
    box = Rectangle(0.0, 0.0, 10.0 * SIDE, 10.0 * SIDE)
    spread = np.where(np.arange(n) % 8 == 0, 0.2, 0.02)
    values = np.clip(0.4 + spread * rng.standard_normal(n), 0.0, 1.0)
    return lay_grid(box, [box], 10.0, 10.0), values, Prediction(np.full((1, n), 0.4), spread[None])


def session(own, other=None, *, seed=0, visits=80, options=None):
    grid, values, prediction = table()
    policy = watching = own if not isinstance(own, str) else make_policy(own)
    if other is not None:
        other = other if not isinstance(other, str) else make_policy(other, **(options or {}))
        policy = watching = Watching(policy, other, FLOOR, seed, lambda: survey.xy_um)
    survey = Survey(
        grid=grid,
        targets=(Target("area_fraction", "phase", 1e-4, None, 0.95),),
        policy=policy,
        predictor=FixedPredictor(prediction),
        statistics=Statistics("standard", FLOOR),
        seed=seed,
        travel_s=lambda distance_um: 1 + distance_um / 200,
        visit_s=2.0,
        start_xy_um=(0.0, 0.0),
    )
    run(survey, TableSource(values[None]), max_fields=visits)
    return survey, watching


def standing(lag=1.0, **changes):
    told = {"fields": SIDE**2, "least_fields": 50, "beam_time_s": 400.0, "before_s": 40.0} | changes
    return Standing(lag=np.array([lag]), **told)


@pytest.mark.parametrize("kind", ["uniform", "active", "proportional", "greedy"])
def test_the_same_policy_changes_nothing(kind):
    survey, watching = session(kind, kind, seed=5)
    found = compare(watching.visits(survey), standing(), 5)
    assert found.effective == pytest.approx(found.visits)
    for ratio in (*found.variance, found.fields, found.visit, found.beam_time):
        assert ratio.value == 1.0
        assert (ratio.low, ratio.high) == pytest.approx((1.0, 1.0), rel=1e-12)


def test_a_batch_of_the_same_policy_changes_nothing():
    own = make_policy("active", batch=4)
    survey, watching = session(own, "active", seed=5, options={"batch": 4})
    found = compare(watching.visits(survey), standing(), 5)
    for ratio in (*found.variance, found.fields, found.visit, found.beam_time):
        assert ratio.value == 1.0
        assert (ratio.low, ratio.high) == pytest.approx((1.0, 1.0), rel=1e-12)


def test_watching_changes_no_draw():
    plain, _ = session("uniform", seed=3)
    watched, _ = session("uniform", "active", seed=3)
    np.testing.assert_array_equal(plain.view().past.fields, watched.view().past.fields)
    np.testing.assert_array_equal(plain.view().past.propensity, watched.view().past.propensity)


def test_chances_are_those_of_the_draws():
    survey, watching = session(make_policy("active", batch=1), "uniform", seed=2)
    visits = watching.visits(survey)
    np.testing.assert_allclose(visits.own, survey.view().past.propensity)
    np.testing.assert_allclose(visits.other, 1 / visits.remaining)
    np.testing.assert_array_equal(visits.remaining, SIDE**2 - np.arange(80))


def by_hand(**changes):
    """Two draws of one field each; the second would have been half as likely with the other policy."""
    told = {
        "draw": np.array([0, 1]), "weight": np.array([0.5, 0.25]),
        "measured": np.array([[0.6, 0.2]]), "predicted": np.array([[0.4, 0.4]]),
        "rest": np.array([[0.4, 0.2]]), "remaining": np.array([3.0, 2.0]),
        "own": np.array([0.5, 0.5]), "other": np.array([0.5, 0.25]),
        "own_variance": np.array([[1.5, 2.0]]), "other_variance": np.array([[1.5, 1.0]]),
        "own_s": np.array([4.0, 4.0]), "other_s": np.array([3.0, 3.0]),
        "beyond_s": np.array([1.0, 2.0]),
    }  # fmt: skip
    return Visits(**told | changes)


def test_by_hand():
    # Z = 0.4 + 0.5 x 0.2 / 0.5 = 0.6, and 0.3 + 0.2 - 0.25 x 0.2 / 0.5 = 0.4; weights 3/2 / 1.5 = 2/1 / 2 = 1
    # theta = 0.5; own variance (0.01 + 0.01) / 4
    # Z' = 0.6 and 0.3 + 0.2 - 0.2 = 0.3, worth 1/2; weights 1 and 2: (1 x 0.01 + 4 x 0.02) / 9
    found = compare(by_hand(), standing(fields=4, least_fields=1, beam_time_s=100.0, before_s=20.0), 1)
    ratio = (0.09 / 9) / 0.005
    assert found.variance[0].value == pytest.approx(ratio)
    # beyond what was expected: (1 + 2) / 2, and (1 x 1 + 0.5 x 2) / 1.5
    assert found.own_visit_s == pytest.approx(5.5)
    assert found.visit.value == pytest.approx((3 + 4 / 3) / 5.5)
    # 1/2 - 1/4 is left of the variance: 1 / (0.25 / ratio + 0.25) visits instead of 2
    fields = 1 / (0.25 / ratio + 0.25) / 2
    assert found.fields.value == pytest.approx(fields)
    assert found.beam_time.value == pytest.approx(0.2 + 0.8 * fields * found.visit.value)
    assert found.effective == pytest.approx(1.5**2 / 1.25)


def test_a_field_that_was_lost_counts_for_time_alone():
    one = by_hand()
    lost = {
        name: np.concatenate([getattr(one, name), getattr(one, name)[..., -1:]], axis=-1)
        for name in Visits.__dataclass_fields__
    }
    lost["draw"], lost["measured"] = np.array([0, 1, 2]), np.array([[0.6, 0.2, np.nan]])
    lost["beyond_s"] = np.array([1.0, 2.0, 6.0])
    found = compare(Visits(**lost), standing(fields=4), 1)
    assert found.own_visit_s == pytest.approx(4 + 3)
    assert found.visit.value == pytest.approx((3 + (1 + 0.5 * 2 + 0.5 * 6) / 2) / 7)
    assert found.variance[0].value == pytest.approx(compare(one, standing(), 1).variance[0].value)


def test_no_visits_are_spared_below_the_floor_of_the_interval():
    survey, watching = session("uniform", "active", seed=5, visits=100)
    found = compare(watching.visits(survey), standing(lag=0.5), 5)
    assert found.variance[0].value < 0.8  # and yet no session stops before the 50th field
    assert found.fields.value == 1.0


def test_a_census_says_nothing_of_fields():
    found = compare(by_hand(), standing(fields=2), 1)
    assert found.fields is None and found.beam_time is None


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ("uniform", "raster", "'raster' would have given fields no chance"),
        ("uniform", "systematic", "'systematic' draws whole grids"),
        ("raster", "uniform", "'raster' gave most fields no chance"),
        ("systematic", "uniform", "'systematic' does not draw fields one by one"),
    ],
)
def test_what_cannot_be_said_is_said(own, other, said):
    _, watching = session(own, other)
    assert said in watching.obstacle


def test_a_prediction_that_is_always_right_says_nothing():
    assert "found anything but what was predicted" in obstacle_of(by_hand())


class Elsewhere:
    """Wants the odd fields a thousand times more."""

    name, sha256, floored = "elsewhere", "", False

    def propose(self, view):
        worth = np.where(view.remaining % 20 == 1, 1000.0, 0.1)
        return make_policy("uniform").propose(view).__class__(worth / worth.sum(), "elsewhere")


def test_too_few_visits_that_the_other_would_have_made():
    survey, watching = session("uniform", Elsewhere(), seed=1)
    visits = watching.visits(survey)
    assert "would have gone elsewhere: the 80 visits" in obstacle_of(visits)
    same = session("uniform", "uniform")
    assert obstacle_of(same[1].visits(same[0])) == ""


@pytest.mark.slow
def test_predicted_from_uniform_sessions_what_active_ones_do():
    """The measured ratio of the errors' squares lies within both ends' own uncertainty of the predicted."""
    grid, values, _ = table()
    truth, episodes, replays = float(values @ grid.weight), 150, 20
    errors = {
        kind: np.array(
            [session(kind, seed=seed, visits=70)[0].states()[0].estimate for seed in range(episodes)]
        )
        - truth
        for kind in ("uniform", "active")
    }
    measured = (errors["active"] ** 2).mean() / (errors["uniform"] ** 2).mean()
    found = []
    for seed in range(1000, 1000 + replays):
        survey, watching = session("uniform", "active", seed=seed, visits=70)
        found.append(compare(watching.visits(survey), standing(), seed).variance[0])
    predicted = float(np.mean([ratio.value for ratio in found]))
    error = np.hypot(
        measured * np.sqrt(4 / episodes), np.std([ratio.value for ratio in found]) / np.sqrt(replays)
    )
    assert abs(predicted - measured) < 2.6 * error
    assert predicted < 0.75  # and it is not that nothing could fail: active is far better here
    inside = sum(ratio.low <= measured <= ratio.high for ratio in found)
    assert inside >= 0.7 * replays
