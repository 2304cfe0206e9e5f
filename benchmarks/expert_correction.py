"""Do corrected intervals cover the truth when the model is wrong? Simulated sessions on tables.

    python benchmarks/expert_correction.py --jobs 2

The model finds ``--bias`` too much on every field, with an error of ``--noise`` from field to field and a
share ``--slope`` of the value itself. Frames are put to the experts as a session does, and ``--answers`` of
them are answered, exactly. Prints the coverage of the model's own interval and of the corrected one with its
99 % Monte-Carlo interval (Clopper-Pearson), the half-widths, and how far corrected estimates are off.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.special import betaincinv

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tables import SYNTHETIC, Table

from autoscope.core import Prediction, component_rng
from autoscope.labels import Chances
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.survey import (
    ExpertCorrection,
    Lessons,
    Outcome,
    Predictor,
    QuantityState,
    Statistics,
    Survey,
    Target,
)
from autoscope_policies import make_policy

TARGET = Target("area_fraction", "phase", 1e-6, None, 0.95)


@dataclass(frozen=True, slots=True)
class Model:
    """How a simulated model errs: bias + slope (value - mean) + noise, within the bounds."""

    bias: float
    slope: float
    noise: float

    def values(self, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What it measures on every field."""
        error = self.bias + self.slope * (truth - truth.mean()) + self.noise * rng.standard_normal(len(truth))
        return np.clip(truth + error, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Session:
    """How one simulated session ended: errors of both estimates, and half of both intervals' widths."""

    model_error: float
    model_half: float
    error: float
    half: float
    covers: str
    answers: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the printed table."""

    population: str
    policy: str
    fields: int
    answers: float
    sessions: int
    corrected: float
    coverage: float
    coverage_low: float
    coverage_high: float
    half_width: float
    rmse: float
    bias: float
    model_coverage: float
    model_half_width: float


@dataclass(frozen=True, slots=True)
class Adoption:
    """A model that learns from a share of the answers takes over, as it would in a session.

    It takes away the error that it saw on average, and knows the frames that it has learnt from by heart.

    Attributes:
        after: so many answers.
        held_out: chance of each answer to be held out.
        naive: whether the frames that it learnt from correct it as if it had never seen them.
    """

    after: int
    held_out: float
    naive: bool = False

    def take_place(
        self,
        correction: ExpertCorrection,
        fields: Sequence[int],
        measured: np.ndarray,
        truth: np.ndarray,
        seed: int,
    ) -> np.ndarray:
        """Tells the correction; returns what the new model measures on every field."""
        visits = correction.settled
        learnt = [
            visit
            for visit in correction.given(visits)
            if component_rng(seed, "held out", visit + 1).random() >= self.held_out
        ]
        lesson = [fields[visit] for visit in learnt]
        error = float((measured - truth)[lesson].mean()) if lesson else 0.0
        new = np.clip(measured - error, 0.0, 1.0)
        new[lesson] = truth[lesson]
        lessons = Lessons(0, 1.0) if self.naive else Lessons(visits, self.held_out)
        values = [new[field : field + 1] for field in fields]
        correction.adopt(values, () if self.naive else learnt, lessons)
        return new


class TaughtPredictor:
    """Learns the expert's value of a field that is answered at once, and the model's of all others.

    Args:
        inner: the predictor that sessions use.
    """

    def __init__(self, inner: OverviewPredictor) -> None:
        self._inner = inner
        self.answers: dict[int, np.ndarray] = {}

    def predict(self) -> Prediction:
        """The present prediction of every field."""
        return self._inner.predict()

    def update(self, field: int, value: np.ndarray) -> None:
        """Learns a field."""
        self._inner.update(field, self.answers.get(field, value))


def simulate(
    table: Table,
    policy: str,
    model: Model,
    fields: int,
    answers: int,
    share: float,
    seed: int,
    *,
    teach: bool = False,
    adoption: Adoption | None = None,
) -> Session:
    """One session: its frames' scores are noisy readings of the model's error, as a network's entropy is.

    With ``teach`` the overview predictor learns what experts say rather than what the model measures, where
    both are known. With ``adoption`` another model takes over on the way.
    """
    truth = table.values[0]
    rng = np.random.default_rng([seed, 17])
    measured = model.values(truth, rng)
    scores = np.abs(measured - truth) * rng.uniform(0.5, 1.5, len(truth)) + 0.01
    new_predictor = partial(OverviewPredictor, len(table.grid), 0.0, 1.0, table.groups)
    predictor = TaughtPredictor(new_predictor())
    survey = survey_over(table, policy, predictor, seed)
    correction, chances, asked = ExpertCorrection([TARGET]), Chances(share, 0.5), 0
    fields_seen: list[int] = []
    survey.correct_with(correction)
    for visit in range(fields):
        decision = survey.decide()
        if decision is None:
            break
        field = decision.field
        chance = chances.chance(float(scores[field])) if asked < answers else None
        coin = chance is not None and float(component_rng(seed, "labels", decision.step).random()) < chance
        if coin and teach:
            predictor.answers[field] = truth[field : field + 1]
        survey.observe(decision, Outcome(measured[field : field + 1]))
        fields_seen.append(field)
        if chance is not None:
            correction.choose(visit, chance, asked=coin)
        if coin:
            correction.answer(visit, truth[field : field + 1])
            asked += 1
        if adoption is not None and coin and asked == adoption.after:
            measured = adoption.take_place(correction, fields_seen, measured, truth, seed)
            survey.remeasure([measured[f : f + 1] for f in fields_seen], new_predictor())
    return ended(survey.states()[0], table.truth, asked)


def survey_over(table: Table, policy: str, predictor: Predictor, seed: int) -> Survey:
    """A survey that nothing but the number of its fields ends."""
    return Survey(
        grid=table.grid,
        targets=(TARGET,),
        policy=make_policy(policy),
        predictor=predictor,
        statistics=Statistics("standard", 0.2),
        seed=seed,
        travel_s=lambda distance_um: distance_um / 500.0 + 1.0,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )


def ended(state: QuantityState, truth: float, asked: int) -> Session:
    """How far off a session's result is, and the model's alone."""
    low, high = state.ci_low or 0.0, 1.0 if state.ci_high is None else state.ci_high
    extra = state.extra
    before = extra.get("model_estimate", state.estimate)
    half = (extra.get("model_high", high) - extra.get("model_low", low)) / 2
    return Session(before - truth, half, state.estimate - truth, (high - low) / 2, state.covers, asked)


def summarise(table: Table, policy: str, fields: int, sessions: list[Session]) -> Row:
    """Coverage of many sessions."""
    error, half, model_error, model_half = np.array(
        [(s.error, s.half, s.model_error, s.model_half) for s in sessions]
    ).T
    count, hits = len(sessions), int((np.abs(error) <= half).sum())
    return Row(
        table.name, policy, fields, float(np.mean([s.answers for s in sessions])), count,
        float(np.mean([s.covers == "expert-corrected" for s in sessions])), hits / count,
        0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, 0.005)),
        1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 0.995)),
        float(half.mean()), float(np.sqrt((error**2).mean())), float(error.mean()),
        float((np.abs(model_error) <= model_half).mean()), float(model_half.mean()),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--populations", nargs="+", default=["banded", "clustered"], choices=list(SYNTHETIC))
    parser.add_argument("--policies", nargs="+", default=["active", "uniform"])
    parser.add_argument("--fields", type=int, default=100, help="fields that are measured")
    parser.add_argument("--answers", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--bias", type=float, default=0.05)
    parser.add_argument("--slope", type=float, default=0.1)
    parser.add_argument("--noise", type=float, default=0.02)
    parser.add_argument(
        "--teach",
        action="store_true",
        help="the overview predictor learns answers, not measured values",
    )
    parser.add_argument(
        "--adopt-after",
        type=int,
        help="another model that has learnt from some of so many answers takes over",
    )
    parser.add_argument("--held-out", type=float, default=0.5, help="chance of an answer to be held out")
    parser.add_argument(
        "--naive", action="store_true", help="correct with the answers that it learnt from as with all others"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model, rows = Model(options.bias, options.slope, options.noise), []
    adoption = None
    if options.adopt_after is not None:
        adoption = Adoption(options.adopt_after, options.held_out, options.naive)
    for name in options.populations:
        table = SYNTHETIC[name]()
        for policy in options.policies:
            session = partial(
                simulate, table, policy, model, options.fields, options.answers, options.share,
                teach=options.teach, adoption=adoption,
            )  # fmt: skip
            with ProcessPoolExecutor(options.jobs) as pool:
                sessions = list(pool.map(session, range(options.sessions), chunksize=10))
            rows.append(summarise(table, policy, options.fields, sessions))
            if not options.json:
                _print(rows[-1], header=len(rows) == 1)
    if options.json:
        print(
            json.dumps(
                {"schema": "autoscope.expert-correction/1", "rows": [asdict(r) for r in rows]}, indent=1
            )
        )


def _print(row: Row, *, header: bool) -> None:
    if header:
        print(
            f"{'population':12} {'policy':9} {'fields':>6} {'answers':>7} {'corrected':>9}"
            f" {'coverage [99 % MC]':>22} {'+-':>7} {'rmse':>7} {'bias':>8}   model alone"
        )
    print(
        f"{row.population:12} {row.policy:9} {row.fields:6d} {row.answers:7.1f} {row.corrected:9.3f}"
        f" {row.coverage:7.3f} [{row.coverage_low:.3f}, {row.coverage_high:.3f}] {row.half_width:7.4f}"
        f" {row.rmse:7.4f} {row.bias:8.4f}   {row.model_coverage:.3f} +- {row.model_half_width:.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
