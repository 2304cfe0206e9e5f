"""An IOC in a subprocess, on the loopback and a free port, for every test of the driver."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscope.epics import Costs, EpicsMicroscope, PVMap, default_pvs
from autoscope.microscope import Budget, Envelope

ROOT = Path(__file__).parents[3]


def _free_port() -> int:
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


QUICK, OWN = _free_port(), _free_port()
"""Ports of the IOC that most tests share, and of the one that a test starts, kills and starts again."""

os.environ.update(  # the library reads it once, when it is first used
    {
        "EPICS_CA_ADDR_LIST": f"127.0.0.1:{QUICK} 127.0.0.1:{OWN}",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_REPEATER_PORT": str(_free_port()),
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
    }
)


NUMBERS = itertools.count()


class Server:
    """A process that serves a microscope, and prints SIMULATION when clients can connect."""

    def __init__(self, log: Path, port: int, *arguments: str) -> None:
        self._arguments, self._port, self.log = arguments, port, log
        self.prefix = arguments[2]
        self.start()

    def start(self) -> None:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._arguments], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
                env=os.environ | {"EPICS_CA_SERVER_PORT": str(self._port)},
            )  # fmt: skip
        deadline = time.monotonic() + 90
        while "SIMULATION" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 x 200 um of noise with a flat X-ray spectrum: every place looks different from every other."""
    return _noise(tmp_path_factory.mktemp("specimen") / "noise.h5", bits=8)


def _noise(path: Path, bits: int) -> Path:
    import numpy as np

    from autoscope.xray import EnergyAxis
    from autoscope_simulators import ClassSpectrum, SpecimenData, write_specimen

    kind = np.dtype(f"uint{bits}")
    grey = np.random.default_rng(0).integers(0, 2**bits, (1000, 1000), kind)
    data = SpecimenData(
        name="noise", pixel_nm=200.0, synthetic=True, source="a test", licence="CC0",
        detectors={"bse": grey, "se": np.iinfo(kind).max - grey}, classes=np.zeros((1000, 1000), np.uint8),
        class_names=("noise",), spectra={"noise": ClassSpectrum(np.full(1024, 20.0), EnergyAxis(), kv=20.0)},
    )  # fmt: skip
    write_specimen(data, path)
    return path


Make = Callable[..., EpicsMicroscope]


@pytest.fixture(scope="session")
def quick(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The noise on a quick stage in real time, under the prefix ``Q:``."""
    log = tmp_path_factory.mktemp("ioc") / "quick.log"
    server = Server(log, QUICK, str(Path(__file__).parent / "serve_noise.py"), str(noise), "Q:", "1.0", "8")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def make(quick: Server) -> Make:
    """Makes a microscope on the shared IOC."""

    def connect(
        envelope: Envelope | None = None, budget: Budget | None = None, *, prefix: str = "Q:", **other: Any
    ) -> EpicsMicroscope:
        costs = Costs(stage_settle_s=0.1, image_overhead_s=0.2, autofocus_s=0.5, spectrum_overhead_s=0.1)
        document = tomllib.loads(default_pvs())
        document["stage"]["x"] |= other.pop("x_axis", {})
        pv_map = PVMap.model_validate(document)
        given: dict[str, Any] = {"costs": costs, "margin_s": 3.0, "connect_timeout_s": 20.0, **other}
        return EpicsMicroscope(pv_map, prefix=prefix, envelope=envelope, budget=budget, **given)

    return connect


@pytest.fixture
def own(noise: Path, tmp_path: Path) -> Iterator[Server]:
    """An IOC of the test's own, under a prefix of its own: names that were dead are looked for seldom."""
    script, prefix = Path(__file__).parent / "serve_noise.py", f"O{next(NUMBERS)}:"
    server = Server(tmp_path / "own.log", OWN, str(script), str(noise), prefix, "1.0", "8")
    yield server
    server.kill()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Server]:
    """An IOC whose pixels have 16 bit."""
    script, prefix = Path(__file__).parent / "serve_noise.py", f"D{next(NUMBERS)}:"
    specimen = _noise(tmp_path / "deep.h5", bits=16)
    server = Server(tmp_path / "deep.log", OWN, str(script), str(specimen), prefix, "1.0", "16")
    yield server
    server.kill()
