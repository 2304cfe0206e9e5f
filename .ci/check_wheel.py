"""Says which files of the four packages a wheel lacks: a template or a model left out is found here."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (".", "envs", "policies", "simulators")
PACKAGES = ("autoscope", "autoscope_envs", "autoscope_policies", "autoscope_simulators")


def main(wheel: str) -> int:
    """Compares the wheel with the tree; 0 when nothing is missing."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    wanted = {
        path.relative_to(ROOT / source).as_posix()
        for source, package in zip(SOURCES, PACKAGES, strict=True)
        for path in (ROOT / source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".tmp"
    }
    missing = sorted(wanted - packed)
    for name in missing:
        print(f"{wheel} lacks {name}", file=sys.stderr)
    megabytes = Path(wheel).stat().st_size / 1e6
    print(f"{wheel}: {len(packed)} files, {megabytes:.1f} MB, {len(missing)} missing")
    return 1 if missing or not wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
