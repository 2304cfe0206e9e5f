"""How fast the simulated microscope images, and how much memory a session on a gigapixel needs.

    python benchmarks/simulated_frames.py [--json] [--gigapixels 1.0] [--folder DIR]

Writes a specimen file of the given size band by band into a temporary folder, and measures in child
processes with one thread each:

- ``frames_per_s``: 512 x 512 frames through ``Microscope.acquire_image`` at random places, resampling,
  defocus blur and noise included, for several pixel sizes relative to the specimen's; by the processor's
  time, and by the wall clock, which counts what else the machine does;
- ``crop_ratio``: an aligned frame at native scale without noise against NumPy copying the same windows
  out of an array in memory, same run, alternating; once for the scan alone and once for
  ``acquire_image`` with its checks and books;
- ``peak_rss_mib``: peak memory of a process that takes overview and field frames all over the specimen.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy loads its linear algebra

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from autoscope.core import ImagingSettings, StagePosition
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, SpecimenWriter

PIXEL_NM = 100.0
FRAME_PX = 512
SCALES = (0.5, 1.0, 1.5, 2.0, 3.0, 6.0)
"""Frame pixel over native pixel."""

FRAMES = 150
"""Frames for each measurement."""


def write_gigapixel(path: Path, gigapixels: float) -> dict[str, float]:
    """Streams a specimen of smooth random texture to a file."""
    edge = round((gigapixels * 2**30) ** 0.5 / 1024) * 1024
    rng = np.random.default_rng(0)
    tile = rng.integers(60, 200, (1024 // 4, edge // 4), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    began = time.perf_counter()
    with SpecimenWriter(
        path,
        shape=(edge, edge),
        pixel_nm=PIXEL_NM,
        name="benchmark",
        synthetic=True,
        source="generated",
        licence="CC0-1.0",
        detectors={"bse": np.uint8},
    ) as writer:
        for row in range(0, edge, 1024):
            writer.write_rows(row, {"bse": np.roll(tile, 7 * row, axis=1)})
    return {"edge_px": edge, "write_s": time.perf_counter() - began, "write_peak_rss_mib": peak_rss_mib()}


def peak_rss_mib() -> float:
    """Largest resident memory of this process so far, MiB.

    On Linux ``ru_maxrss`` (KiB) counts what the parent held before the child was started; VmHWM does not.
    On macOS ``ru_maxrss`` is in bytes.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def places(specimen: SpecimenFile, margin_um: float, count: int, seed: int) -> np.ndarray:
    """Random places, ``count x 2`` um, on whole native pixels, whose frames lie on the specimen."""
    size_um = specimen.extent.width_um
    step_um = specimen.pixel_nm / 1000
    xy = np.random.default_rng(seed).uniform(margin_um, size_um - margin_um, (count, 2))
    return np.round(xy / step_um) * step_um


def frames_per_s(path: Path) -> dict[str, float]:
    """Frames a second for every scale, moves not counted."""
    rates = {}
    for scale in SCALES:
        hfw_um = FRAME_PX * PIXEL_NM / 1000 * scale
        imaging = ImagingSettings(hfw_um, FRAME_PX, FRAME_PX, 3.0)
        specimen = SpecimenFile(path)
        with SimulatedMicroscope(specimen, imperfections=Imperfections(focus_offset_um=30.0)) as microscope:
            wall_s = core_s = 0.0
            for x, y in places(specimen, hfw_um, FRAMES, seed=1):
                microscope.move_to(StagePosition(float(x), float(y)))
                began = time.perf_counter(), time.process_time()
                microscope.acquire_image(imaging)
                wall_s += time.perf_counter() - began[0]
                core_s += time.process_time() - began[1]
        rates[f"scale {scale:g}, core"] = FRAMES / core_s
        rates[f"scale {scale:g}, wall"] = FRAMES / wall_s
    return rates


def crop_ratio(path: Path) -> dict[str, float]:
    """Speed of perfect native frames relative to NumPy copying the same windows, 1 is as fast."""
    specimen = SpecimenFile(path)
    edge = min(8192, specimen.shape[0])
    array = specimen.levels("bse")[0].read(0, edge, 0, edge)
    imaging = ImagingSettings(FRAME_PX * PIXEL_NM / 1000, FRAME_PX, FRAME_PX, 3.0)
    corners = np.random.default_rng(2).integers(0, edge - FRAME_PX, (3 * FRAMES, 2))
    spent = {"numpy": [], "scan": [], "acquire_image": []}
    with SimulatedMicroscope(specimen, imperfections=Imperfections.ideal()) as microscope:
        beam, column = microscope.beam(), microscope.column
        for row, col in corners:
            centre_um = (np.array([col, row]) + FRAME_PX / 2) * PIXEL_NM / 1000
            position = microscope.move_to(StagePosition(*centre_um.tolist()))
            begun = [time.perf_counter()]
            copied = array[row : row + FRAME_PX, col : col + FRAME_PX].copy()
            begun.append(time.perf_counter())
            column.scan(position, imaging, beam, 0.0, stigmator=(0.0, 0.0), keys=("frame", 1))
            begun.append(time.perf_counter())
            frame = microscope.acquire_image(imaging)
            begun.append(time.perf_counter())
            if not np.array_equal(frame.pixels, copied):
                raise SystemExit("an aligned native frame is not the crop that it should be")
            for name, seconds in zip(spent, np.diff(begun), strict=True):
                spent[name].append(seconds)
    medians = {name: float(np.median(values)) for name, values in spent.items()}
    return {
        "numpy_copy_us": medians["numpy"] * 1e6,
        "scan": medians["numpy"] / medians["scan"],
        "acquire_image": medians["numpy"] / medians["acquire_image"],
    }


def memory(path: Path) -> dict[str, float]:
    """Peak memory of a session's worth of frames all over the specimen."""
    before = peak_rss_mib()
    specimen = SpecimenFile(path)
    overview = ImagingSettings(specimen.extent.width_um / 8, FRAME_PX, FRAME_PX, 1.0)
    field = ImagingSettings(FRAME_PX * PIXEL_NM / 1000, FRAME_PX, FRAME_PX, 3.0)
    with SimulatedMicroscope(specimen) as microscope:
        for imaging, count in ((overview, 64), (field, 1500)):
            for x, y in places(specimen, imaging.hfw_um / 2, count, seed=3):
                microscope.move_to(StagePosition(float(x), float(y)))
                microscope.acquire_image(imaging)
    return {
        "imports_rss_mib": before,
        "peak_rss_mib": peak_rss_mib(),
        "file_mib": path.stat().st_size / 2**20,
    }


MEASUREMENTS = {"frames_per_s": frames_per_s, "crop_ratio": crop_ratio, "memory": memory}


def in_child(measurement: str, path: Path) -> dict[str, float]:
    """Runs one measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", measurement, "--specimen", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--gigapixels", type=float, default=1.0, help="size of the specimen (default 1)")
    parser.add_argument(
        "--folder", type=Path, help="where the specimen is written (default: a temporary one)"
    )
    parser.add_argument("--measure", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--specimen", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(MEASUREMENTS[arguments.measure](arguments.specimen)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "specimen.h5"
        results = {"specimen": write_gigapixel(path, arguments.gigapixels)}
        results |= {name: in_child(name, path) for name in MEASUREMENTS}
    if arguments.json:
        print(json.dumps({"schema": "autoscope.simulated_frames/1", **results}, indent=2))
        return
    for name, values in results.items():
        print(name)
        for key, value in values.items():
            print(f"  {key:20s} {value:10.2f}")


if __name__ == "__main__":
    main()
