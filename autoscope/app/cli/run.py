"""``autoscope run``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import FrameType

from autoscope.app.cli.main import ENDED_SHORT, INTERRUPTED, OK
from autoscope.app.cli.progress import SessionProgress
from autoscope.app.config import Config
from autoscope.app.loading import config_from, load_config
from autoscope.core import ConfigurationError
from autoscope.records import SessionResult
from autoscope.session import SessionControl

STATUS = {
    "targets_reached": OK,
    "exhausted": OK,
    "budget_spent": ENDED_SHORT,
    "instrument_fault": ENDED_SHORT,
    "failed": ENDED_SHORT,
    "stopped_by_operator": INTERRUPTED,
}


def run(options: argparse.Namespace) -> int:
    """Runs or resumes a session; the exit status says how it ended."""
    from autoscope.app.running import default_folder, resume_session, run_session

    control = SessionControl()
    with _stopping(control), SessionProgress(quiet=options.json) as progress:
        if options.resume is not None:
            _refuse_with_resume(options)
            folder = options.resume
            result = resume_session(folder, control=control, listener=progress.update, announce=progress.say)
        else:
            config = _config(options)
            folder = options.out or default_folder(config)
            result = run_session(
                config, folder, control=control, listener=progress.update, announce=progress.say
            )
    _print(result, folder, as_json=options.json)
    return STATUS[result.finish_reason]


def quickstart() -> Config:
    """The configuration that runs without any other."""
    import tomllib

    text = files("autoscope.app").joinpath("quickstart.toml").read_text(encoding="utf-8")
    return config_from(tomllib.loads(text), name="quickstart")


def _config(options: argparse.Namespace) -> Config:
    overrides = list(options.set)
    if options.config is None:
        # "--set a=1 b=2 CONFIG" reads CONFIG as one more override; an override always has a "="
        bare = [item for item in overrides if "=" not in item]
        if len(bare) == 1:
            overrides.remove(bare[0])
            options.config = Path(bare[0])
    if options.config is not None:
        return load_config(options.config, overrides, options.seed)
    import tomllib

    text = files("autoscope.app").joinpath("quickstart.toml").read_text(encoding="utf-8")
    return config_from(tomllib.loads(text), overrides, options.seed, name="quickstart")


def _refuse_with_resume(options: argparse.Namespace) -> None:
    given = [
        name
        for name, value in (
            ("CONFIG", options.config),
            ("--out", options.out),
            ("--seed", options.seed),
            ("--set", options.set or None),
        )
        if value is not None
    ]
    if given:
        raise ConfigurationError(
            f"--resume goes on with exactly the configuration in the folder; leave out {', '.join(given)}"
        )


@contextmanager
def _stopping(control: SessionControl) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the session cleanly, a second Ctrl-C at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if control.stop_requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        control.stop()
        print("autoscope: stopping after this field; Ctrl-C again ends at once", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(result: SessionResult, folder: Path, *, as_json: bool) -> None:
    if as_json:
        print(result.to_json(), end="")
        return
    from autoscope.app.cli.answers import print_result

    print_result(result, folder)
