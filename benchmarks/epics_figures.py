"""What the driver costs over the loopback, each figure against what is wanted.

    python benchmarks/epics_figures.py [--frames 25] [--json]

One ``autoscope ioc`` serves all of them: a frame beyond the time that it is predicted to take, and what of
that the simulator takes; a one-megapixel image against a plain pyepics get of the same array; connecting; and
``autoscope doctor`` where half of the PVs are dead. Exit status 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import served_ioc

TIME_SCALE = 0.05
PREFIX = "F:"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its median and its best, and what is wanted of the median."""

    name: str
    unit: str
    median: float
    best: float
    wanted: float | None


def figure(name: str, unit: str, values: list[float], wanted: float | None = None) -> Figure:
    return Figure(name, unit, round(statistics.median(values), 3), round(min(values), 3), wanted)


def timed(act: Callable[[], Any]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def frames(microscope: Any, number: int) -> list[Figure]:
    """Frames of 512 x 512 over EPICS, and by the simulator alone."""
    from autoscope.app.cli.run import quickstart
    from autoscope.app.digital_twin import digital_twin
    from autoscope.core import ImagingSettings, StagePosition

    imaging = ImagingSettings(100.0, 512, 512, 1.0)
    config = quickstart().microscope.model_copy(update={"time_scale": TIME_SCALE})

    def beyond_ms(scope: Any) -> list[float]:
        lasts_s = scope.predict_image_s(imaging) * TIME_SCALE
        taken = []
        for k in range(number + 1):
            scope.move_to(StagePosition(150.0 + 5 * k, 200.0))
            taken.append(1e3 * (timed(lambda: scope.acquire_image(imaging)) - lasts_s))
        return taken[1:]

    with digital_twin(config, seed=0, ideal=False, announce=lambda said: None) as (simulator, _):
        alone = beyond_ms(simulator)
    return [
        figure("a 512 x 512 frame beyond its predicted time", "ms", beyond_ms(microscope), 30.0),
        figure("of that, the simulator alone", "ms", alone),
    ]


def megapixel(microscope: Any, number: int) -> list[Figure]:
    """The driver's way of fetching 1000 x 1000 pixels, and pyepics's own, in turns."""
    import epics

    from autoscope.core import ImagingSettings

    imaging = ImagingSettings(100.0, 1000, 1000, 0.1)
    microscope.acquire_image(imaging)
    pv = epics.PV(f"{PREFIX}image1:ArrayData", auto_monitor=False)
    pv.wait_for_connection(5.0)
    plain, driver = [], []
    for _ in range(number):
        plain.append(1e3 * timed(lambda: pv.get(use_monitor=False, timeout=5.0)))
        driver.append(1e3 * timed(lambda: microscope._camera.fetch(imaging)))
    ratio = statistics.median(driver) / statistics.median(plain)
    return [
        figure("a plain pyepics get of 1 megapixel", "ms", plain),
        figure("the driver's fetch of 1 megapixel", "ms", driver),
        figure("their ratio", "", [ratio], 1.5),
    ]


def doctor(root: Path) -> Figure:
    """The whole command, with every second PV misspelt."""
    from autoscope.epics import default_pvs

    lines, dead = default_pvs().splitlines(), 0
    for n, line in enumerate(lines):
        if "$(P)" in line and " = " in line and not line.startswith("#"):
            dead += 1
            if dead % 2:
                lines[n] = line.replace("$(P)", "$(P)Dead:")
    (root / "half.toml").write_text("\n".join(lines))
    text = (Path(__file__).parents[1] / "configs/epics.toml").read_text()
    text = text.replace('prefix = "SEM:"', f'prefix = "{PREFIX}"\npv_map = "half.toml"')
    text = text.replace("../autoscope", str(Path(__file__).parents[1] / "autoscope"))
    (root / "half-session.toml").write_text(text)
    command = [sys.executable, "-m", "autoscope", "doctor", str(root / "half-session.toml"), "--json"]
    taken = [timed(lambda: subprocess.run(command, capture_output=True, check=False)) for _ in range(3)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    if not any("PVs do not connect" in item["detail"] for item in said):
        raise RuntimeError("doctor did not say that half of the PVs are dead")
    return figure("doctor, half of the PVs dead, the program's start included", "s", taken, 5.0)


def connecting() -> Figure:
    """Connecting in a process of its own: this one keeps its connections."""
    script = (
        "import time, tomllib\n"
        "from autoscope.epics import EpicsMicroscope, PVMap, default_pvs\n"
        "pv_map = PVMap.model_validate(tomllib.loads(default_pvs()))\n"
        "from autoscope.epics.channels import channel_access; channel_access()\n"
        f"began_s = time.perf_counter(); microscope = EpicsMicroscope(pv_map, prefix={PREFIX!r})\n"
        "print(time.perf_counter() - began_s); microscope.close()\n"
    )
    command = [sys.executable, "-c", script]
    taken = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
    ]
    return figure("connecting all PVs of the shipped map, units and limits checked", "s", taken, 2.0)


def main() -> int:
    """Measures and prints."""
    served_ioc.on_loopback()
    from autoscope.epics import EpicsMicroscope, PVMap, default_pvs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        arguments = ("--prefix", PREFIX, "--time-scale", f"{TIME_SCALE}")
        with served_ioc.ServedIOC(root / "ioc.log", *arguments):
            pv_map = PVMap.model_validate(tomllib.loads(default_pvs()))
            with EpicsMicroscope(pv_map, prefix=PREFIX) as microscope:
                figures = frames(microscope, options.frames) + megapixel(microscope, options.frames)
            figures += [connecting(), doctor(root)]
    if options.json:
        print(json.dumps([asdict(item) for item in figures]))
    else:
        for item in figures:
            wanted = "" if item.wanted is None else f"wanted: under {item.wanted:g} {item.unit}".rstrip()
            print(f"{item.name:64} {item.median:8.3g} {item.unit:2} (best {item.best:.3g})  {wanted}")
    return int(any(item.wanted is not None and item.median > item.wanted for item in figures))


if __name__ == "__main__":
    sys.exit(main())
