"""``autoscope report``."""

from __future__ import annotations

import argparse

from autoscope.app.cli.main import OK


def run(options: argparse.Namespace) -> int:
    """Rebuilds result and report of a session folder."""
    from autoscope.app.census import write_census
    from autoscope.app.cli.answers import print_result
    from autoscope.app.running import existing_session
    from autoscope.report import write_report

    view = existing_session(options.folder)
    result = view.result()
    write_census(options.folder)
    if options.explain:
        from autoscope.app.explaining import explained_fields

        write_report(options.folder, explained_fields(view, options.explain))
    else:
        write_report(options.folder)
    if options.json:
        print(result.to_json(), end="")
    else:
        print_result(result, options.folder)
    return OK
