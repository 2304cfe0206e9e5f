"""``autoscope plan``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.main import OK


def run(options: argparse.Namespace) -> int:
    """Prints what a session would image and cost."""
    from autoscope.app.loading import load_config
    from autoscope.app.planning import plan_session
    from autoscope.app.running import check

    with check(load_config(options.config, options.set)) as checked:
        plan = plan_session(checked)
    if options.json:
        print(json.dumps(plan.to_json(), indent=2))
    else:
        from autoscope.app.cli.answers import print_plan

        print_plan(plan)
    return OK
