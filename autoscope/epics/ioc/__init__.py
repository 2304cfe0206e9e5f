"""An IOC that serves any microscope over Channel Access."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoscope.epics.ioc.server import MicroscopeIOC, serve

__all__ = ["MicroscopeIOC", "serve"]


def __getattr__(name: str) -> Any:
    """The server library waits until it is asked for."""
    if name in __all__:
        from autoscope.epics.ioc import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
