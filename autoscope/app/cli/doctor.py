"""``autoscope doctor``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from autoscope import __version__
from autoscope.app.cli.main import BAD_USAGE, OK
from autoscope.app.config import Config
from autoscope.core import AutoscopeError

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
    findings = [_python(), *map(_package, PACKAGES), _processor(), _gpu(), _disk()]
    if options.config is not None:
        findings += _config(options.config)
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
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("GPU", False, f"torch cannot be imported: {error}")
    if not torch.cuda.is_available():
        return Finding("GPU", True, "none: models run on the processor")
    return Finding("GPU", True, torch.cuda.get_device_name(0))


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk", free_gb >= LITTLE_DISK_GB, f"{free_gb:.1f} GB free in the working directory")


def _config(path: Path) -> list[Finding]:
    from autoscope.app.loading import load_config

    try:
        config = load_config(path)
        if config.microscope.kind != "epics":
            return _session(config)
        pvs = _pvs(config)
        dead = sum(not finding.ok for finding in pvs)
        if dead:
            return [*pvs, Finding("configuration", False, f"{dead} of {len(pvs)} PVs do not connect")]
        return [*pvs, *_session(config)]
    except AutoscopeError as error:
        return [Finding("configuration", False, str(error))]


def _pvs(config: Config) -> list[Finding]:
    """Every PV that the configuration needs: state, unit, limits, alarm, round-trip time."""
    from autoscope.app.build import pv_map_of
    from autoscope.epics.diagnosis import diagnose

    names = pv_map_of(config).names(config.microscope.prefix)
    reports = diagnose(names, min(config.microscope.connect_timeout_s, CONNECT_S))
    return [Finding(f"{report.signal} ({report.pv})", report.connected, str(report)) for report in reports]


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
