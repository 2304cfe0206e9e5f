"""The simulated microscope in a process of its own, for what is measured over Channel Access."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

START_S = 120.0
"""How long a server may take until clients can connect."""


def free_port() -> int:
    """A port that is free for both TCP and UDP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
            except OSError:
                continue
            return int(tcp.getsockname()[1])


def on_loopback() -> int:
    """Confines Channel Access to the loopback and a free port; to be called before it is first used."""
    port = free_port()
    os.environ.update(
        {
            "EPICS_CA_ADDR_LIST": "127.0.0.1",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_SERVER_PORT": str(port),
            "EPICS_CA_REPEATER_PORT": str(free_port()),
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_CAS_BEACON_ADDR_LIST": "",
        }
    )
    return port


class ServedIOC:
    """``autoscope ioc`` with these arguments.

    Args:
        log: takes what it prints.
        arguments: of the command.
    """

    def __init__(self, log: Path, *arguments: str) -> None:
        self._arguments, self._log = arguments, log
        self.start()

    def start(self) -> None:
        """Starts it and waits until clients can connect.

        Raises:
            RuntimeError: it does not come up.
        """
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autoscope", "ioc", *self._arguments], stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + START_S
        while "SIMULATION" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the IOC does not come up: {self._log.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Pulls its plug."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
