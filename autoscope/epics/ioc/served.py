"""PVs that call back when a client writes them, on top of caproto's channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from caproto import (
    AccessRights,
    ChannelByte,
    ChannelData,
    ChannelDouble,
    ChannelInteger,
    ChannelShort,
    ChannelString,
)

from autoscope.core import ConfigurationError

OnWrite = Callable[[Any], Awaitable[None]]

LONGEST_TEXT = 39
"""Characters of a string PV, at most: 40 bytes with the one that ends it."""


class _Served(ChannelData):
    """What a client's write does, and whether a client may write at all."""

    on_write: OnWrite | None = None
    read_only = False

    async def write_from_dbr(self, *arguments: Any, **named: Any) -> Any:
        """Takes a client's value, then acts on it; the client's put completes when that has returned."""
        result = await super().write_from_dbr(*arguments, **named)
        if self.on_write is not None:
            await self.on_write(self.value)
        return result

    def check_access(self, host: str, user: str) -> AccessRights:
        """Readbacks may only be read."""
        return AccessRights.READ if self.read_only else AccessRights.READ | AccessRights.WRITE


class _Double(_Served, ChannelDouble):
    pass


class _Integer(_Served, ChannelInteger):
    pass


class _String(_Served, ChannelString):
    pass


class _Bytes(_Served, ChannelByte):
    pass


class _Shorts(_Served, ChannelShort):
    pass


class PVs:
    """The PVs of an IOC by their names.

    Args:
        prefix: of all names.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.by_name: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.by_name[self.prefix + name]

    def number(self, name: str, value: float, unit: str = "", on_write: OnWrite | None = None) -> None:
        """A floating point PV; without ``on_write`` it still takes what clients write."""
        self._add(name, _Double(value=float(value), units=unit, precision=6), on_write)

    def integer(self, name: str, value: int, on_write: OnWrite | None = None) -> None:
        """An integer PV."""
        self._add(name, _Integer(value=value), on_write)

    def text(self, name: str, value: str) -> None:
        """A string PV.

        Raises:
            ConfigurationError: Channel Access has no strings of so many characters.
        """
        if len(value) > LONGEST_TEXT:
            raise ConfigurationError(
                f"{self.prefix}{name} would be {value!r}, but a string of Channel Access has at most"
                f" {LONGEST_TEXT} characters: shorten it"
            )
        self._add(name, _String(value=value), None)

    def pixels(self, name: str, length: int, bits: int) -> None:
        """An array PV of 8 or 16 bit; 16 bit travel as the bits of signed ones."""
        if bits == 8:
            self._add(name, _Bytes(value=b"\0\0", max_length=length, strip_null_terminator=False), None)
        else:
            self._add(name, _Shorts(value=[0, 0], max_length=length), None)
        self.read_only(name)

    def counts(self, name: str, length: int) -> None:
        """An array PV of 32 bit counts."""
        self._add(name, _Integer(value=[0, 0], max_length=length), None)
        self.read_only(name)

    def read_only(self, *names: str) -> None:
        """Refuses what clients write."""
        for name in names:
            self[name].read_only = True

    def alias(self, name: str, of: str) -> None:
        """A second name of a PV, such as a record's without its field."""
        self.by_name[self.prefix + name] = self[of]

    def _add(self, name: str, pv: Any, on_write: OnWrite | None) -> None:
        pv.on_write = on_write
        self.by_name[self.prefix + name] = pv
