"""``autoscope doctor``."""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoscope import __version__
from autoscope.app.cli.main import BAD_USAGE, OK
from autoscope.app.config import Config
from autoscope.core import AutoscopeError

if TYPE_CHECKING:
    from autoscope.epics.diagnosis import Diagnosis

PACKAGES = ("numpy", "scipy", "h5py", "torch", "torchvision", "segmentation-models-pytorch", "timm")
LITTLE_DISK_GB = 2.0

CONNECT_S = 3.0
"""The longest that a diagnosis waits for PVs to connect."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def run(options: argparse.Namespace) -> int:
    """Prints what works here; status 2 when something that is needed does not."""
    configured = None if options.config is None else _Configured(options.config)
    findings = [_python(), *map(_package, PACKAGES), _processor(), _gpu(), _disk()]
    if configured is not None:
        findings += configured.findings()
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'BAD '} {finding.name}: {finding.detail}")
    return OK if all(finding.ok for finding in findings) else BAD_USAGE


def _python() -> Finding:
    return Finding("autoscope", True, f"{__version__} on Python {platform.python_version()}")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed")


def _processor() -> Finding:
    return Finding("processor", True, f"{os.cpu_count()} cores, {platform.machine()}")


def _gpu() -> Finding:
    """The GPU that models would run on; without a driver there is none, and torch need not be imported."""
    try:
        ctypes.CDLL("nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1")
    except OSError:
        return Finding("GPU", True, "none, no NVIDIA driver: models run on the processor")
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("GPU", False, f"torch cannot be imported: {error}")
    if not torch.cuda.is_available():
        return Finding("GPU", True, "none that torch can use: models run on the processor")
    return Finding("GPU", True, torch.cuda.get_device_name(0))


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk", free_gb >= LITTLE_DISK_GB, f"{free_gb:.1f} GB free in the working directory")


class _Configured:
    """A configuration; its PVs connect while the rest of the machine is looked at.

    Args:
        path: of the configuration.
    """

    def __init__(self, path: Path) -> None:
        from autoscope.app.loading import load_config

        self._problem, self._diagnosis = "", None
        try:
            self._config = load_config(path)
            if self._config.microscope.kind == "epics":
                self._diagnosis = _begin(self._config)
        except AutoscopeError as error:
            self._problem = str(error)

    def findings(self) -> list[Finding]:
        """Every PV that it needs, with state, unit, limits, alarm, round-trip time; then the session."""
        if self._problem:
            return [Finding("configuration", False, self._problem)]
        if self._diagnosis is None:
            return _session(self._config)
        pvs = [Finding(f"{r.signal} ({r.pv})", r.connected, str(r)) for r in self._diagnosis.reports()]
        dead = sum(not finding.ok for finding in pvs)
        if dead:
            return [*pvs, Finding("configuration", False, f"{dead} of {len(pvs)} PVs do not connect")]
        return [*pvs, *_session(self._config)]


def _begin(config: Config) -> Diagnosis:
    from autoscope.app.build import pv_map_of
    from autoscope.epics.diagnosis import Diagnosis

    names = pv_map_of(config).names(config.microscope.prefix)
    return Diagnosis(names, min(config.microscope.connect_timeout_s, CONNECT_S))


def _session(config: Config) -> list[Finding]:
    from autoscope.app.running import check

    try:
        with check(config) as checked:
            found = [
                Finding("configuration", True, f"{len(checked.grid)} fields, model {checked.model.kind}")
            ]
            if checked.specimen is not None:
                licence = checked.specimen.licence or "not said"
                source = checked.specimen.source or "no source"
                found.append(Finding("licence of the data", True, f"{licence} ({source})"))
            return found
    except AutoscopeError as error:
        return [Finding("configuration", False, str(error))]
