"""Entry point: parsing, errors, exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from autoscope import __version__

if TYPE_CHECKING:
    from autoscope.core import AutoscopeError

OK, ENDED_SHORT, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    from autoscope import core  # only now: --help answers before numpy could be imported

    try:
        return command(options)
    except core.ConfigurationError as error:
        return _say(options, error, BAD_USAGE, "\nautoscope: error: ".join(error.problems))
    except (
        core.ImageError,
        core.LabelError,
        core.LimitError,
        core.ModelError,
        core.SpecimenError,
    ) as error:
        return _say(options, error, BAD_USAGE)
    except core.AutoscopeError as error:
        return _say(options, error, ENDED_SHORT)
    except BrokenPipeError:
        sys.stderr.close()
        return ENDED_SHORT
    except KeyboardInterrupt:
        print("autoscope: interrupted", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from autoscope.app.cli import commands

    top = argparse.ArgumentParser(
        prog="autoscope",
        description="Runs a scanning electron microscope by itself until a quantity is known to the accuracy"
        " you asked for, and says honestly how sure it is.",
        epilog="Exit status: 0 targets reached or full census; 1 ended short (budget, fault, failure);"
        " 2 bad usage or configuration, nothing was touched; 130 stopped by the operator.",
    )
    top.add_argument("--version", action="version", version=f"autoscope {__version__}")
    commands.add_all(top.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return top


def _say(options: argparse.Namespace, error: AutoscopeError, status: int, text: str | None = None) -> int:
    if getattr(options, "debug", False):
        raise error
    print(f"autoscope: error: {text or error}", file=sys.stderr)
    return status
