"""The environment on a simulated microscope and on a table of the same specimen: the same episode."""

from dataclasses import replace

import numpy as np
import pytest

from autoscope.app import build
from autoscope.app.benchmarking.tabulating import tabulate
from autoscope.app.loading import config_from
from autoscope.app.running import check
from autoscope.app.training.live import LiveWorld, table_world
from autoscope.perception.overview_groups import GREY_GROUPS
from autoscope.survey import RULE, Design
from autoscope_envs import SurveyEnv


def configured(specimen, **focus):
    return config_from(
        {
            "seed": 5,
            "microscope": {"kind": "simulated", "specimen": str(specimen)},
            "imaging": {
                "overview": {"hfw_um": 128.0, "width_px": 128, "height_px": 128},
                "reference": {"hfw_um": 16.0, "width_px": 64, "height_px": 64, "dwell_us": 3.0},
            },
            "focus": focus,
            "targets": [{"quantity": "area_fraction", "class": "pearlite", "half_width": 0.04}],
            "model": {"kind": "truth"},
            "policy": {"kind": "active", "predictor": "grey"},
        },
        name="live.toml",
    )


def played(env, designs):
    observations, rewards, over = [env.reset(seed=0)[0]], [], False
    while not over:
        action = designs[len(rewards) % len(designs)].action
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(observations), np.array(rewards), info


@pytest.mark.slow
def test_frames_and_tables_give_the_same_episode(specimen, tmp_path, monkeypatch):
    """Decisions, estimates and beam time; what is seen of the focus is the microscope's own."""
    monkeypatch.setattr("autoscope.survey.design_view.REFOCUS_BELOW", 2.0)  # offered, sharp or not
    config = configured(specimen, every_s=300.0, sharpness_drop=0.9)
    designs = [RULE, Design(travel_exponent=1.5), Design(batch=4), Design(refocus=True)]
    with check(config) as checked:
        live = LiveWorld(checked, tmp_path / "episode")
        targets = tuple(measure.target for measure in build.targets_of(config))
        table = tabulate("steel", config)
        table = replace(table, groups=table.groups[:GREY_GROUPS])  # what the session's predictor reads
        tables = table_world(table, targets, config.seed, sharpness_drop=0.9)
        one = SurveyEnv(world=lambda rng: live)
        real = played(one, designs)
        one.unwrapped._source.close()
    simulated = played(SurveyEnv(world=lambda rng: tables), designs)
    assert real[2]["fields"] == simulated[2]["fields"] > 50
    assert real[2]["intervals"] == simulated[2]["intervals"]
    assert real[2]["estimates"] == simulated[2]["estimates"]
    np.testing.assert_array_equal(real[0][:, :19], simulated[0][:, :19])
    np.testing.assert_allclose(real[0][:, 21], simulated[0][:, 21], atol=0.02)  # age of the focus
    assert real[2]["beam_time_s"] == pytest.approx(simulated[2]["beam_time_s"], rel=0.01)
