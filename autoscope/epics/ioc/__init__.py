"""An IOC that serves any microscope over Channel Access."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoscope.epics.ioc.server import MicroscopeIOC, serve

__all__ = ["MicroscopeIOC", "serve"]


PROMPT = ("CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC", "0.001")
"""For how long changes of PVs are held back, to be sent together; 10 ms where nothing is set."""


def __getattr__(name: str) -> Any:
    """The server library waits until it is asked for."""
    if name in __all__:
        os.environ.setdefault(*PROMPT)
        from autoscope.epics.ioc import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
