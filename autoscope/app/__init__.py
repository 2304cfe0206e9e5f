"""Configuration, wiring and the command line. The only room that names concrete classes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoscope.app.config import Config
    from autoscope.app.loading import load_config
    from autoscope.app.running import run_session

__all__ = ["Config", "load_config", "run_session"]

_HOMES = {
    "Config": "autoscope.app.config",
    "load_config": "autoscope.app.loading",
    "run_session": "autoscope.app.running",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for, so that the command line starts at once."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
