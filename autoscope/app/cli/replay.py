"""``autoscope replay``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError

if TYPE_CHECKING:
    from autoscope.app.replaying.comparing import Comparison, Ratio
    from autoscope.app.replaying.replay import Replay
    from autoscope.survey import Policy


def run(options: argparse.Namespace) -> int:
    """Prints what another policy would have done."""
    from autoscope.app.replaying.replay import replay_session

    replay = replay_session(options.folder, _policy(options))
    if options.json:
        print(json.dumps(replay.to_json(), indent=2, allow_nan=False))
    else:
        print_replay(replay)
    return OK


def _policy(options: argparse.Namespace) -> Policy:
    from autoscope.app.config import PolicyConfig
    from autoscope.app.loading import override, validated
    from autoscope_policies import make_policy

    table: dict[str, object] = {"kind": options.policy, "options": {}}
    if options.weights is not None:
        table["weights"] = str(options.weights.resolve())
    for item in options.option:
        if "=" not in item:
            raise ConfigurationError(f"--option {item!r}: write key=value, such as batch=4")
        override(table, f"options.{item}")
    asked = validated(PolicyConfig, table, name="--policy")
    return make_policy(asked.kind, **asked.made_with)


def print_replay(replay: Replay) -> None:
    """What can be said, on the terminal."""
    console = Console(highlight=False)
    console.print(
        f"{escape(replay.other.kind)} on what {escape(replay.recorded.kind)} recorded in {replay.folder}",
        soft_wrap=True,
    )
    found = replay.comparison
    if found is None:
        console.print(f"nothing can be said: {escape(replay.obstacle)}", soft_wrap=True)
        return
    from autoscope.app.replaying.replay import ONE_STEP

    console.print(_table(replay, found))
    console.print(
        f"from {found.visits} visits, worth {found.effective:.0f} of the other policy's (Kish); 95 %"
        f" intervals from resampled draws. {ONE_STEP}",
        soft_wrap=True,
    )


def _table(replay: Replay, found: Comparison) -> Table:
    from autoscope.app.cli.answers import named

    table = Table("", "recorded", "other", "ratio", "95 % interval", title_justify="left")
    for target, ratio in zip(replay.targets, found.variance, strict=True):
        name = named(target.quantity, target.class_name)
        table.add_row(f"variance of {escape(name)}", "", "", *_figures(ratio))
    if found.fields is not None:
        table.add_row("visits to the targets", "", "", *_figures(found.fields))
    own_s = found.own_visit_s
    table.add_row(
        "seconds of a visit", f"{own_s:.2f}", f"{own_s * found.visit.value:.2f}", *_figures(found.visit)
    )
    if found.beam_time is not None:
        total_s = replay.beam_time_s
        table.add_row(
            "beam time, overview included", f"{total_s:.0f} s", f"{total_s * found.beam_time.value:.0f} s",
            *_figures(found.beam_time),
        )  # fmt: skip
    return table


def _figures(ratio: Ratio) -> tuple[str, str]:
    return f"{ratio.value:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}"
