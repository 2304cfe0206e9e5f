"""The IOC: every signal of the shipped PV map over a microscope, and a watchdog for the beam."""

from __future__ import annotations

import asyncio
import math
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from textwrap import shorten
from typing import Any

import numpy as np

from autoscope.core import ImagingSettings, InstrumentError, Spectrum
from autoscope.epics.ioc.faults import Faults
from autoscope.epics.ioc.line import Line
from autoscope.epics.ioc.motors import Motors
from autoscope.epics.ioc.served import LONGEST_TEXT, PVs
from autoscope.microscope import Microscope

LARGEST_PX = 4096 * 4096
"""The largest frame that is served."""

CHANNELS = 4096
"""The most channels that a spectrum may have."""

WATCHDOG_S = 1.5
"""Real seconds without a heartbeat after which the beam is blanked and the stage stopped."""

WATCH_EVERY_S = 0.1

LOOK_S = 0.05
"""Live time between two looks of clients at the counts so far, at least."""

IDLE, ACQUIRE = 0, 1

READ_ALARM, INVALID = 1, 3
"""EPICS alarm status and severity of a value that could not be had."""


class MicroscopeIOC:
    """Serves a microscope. One thread owns it; the server runs beside it.

    Args:
        microscope: what is served; whoever made it closes it.
        prefix: of all PV names.
        bits: of a pixel, 8 or 16.
        time_scale: real seconds for each of the microscope's; said by a PV.
    """

    def __init__(
        self, microscope: Microscope, *, prefix: str = "SEM:", bits: int = 8, time_scale: float = 1.0
    ) -> None:
        self._microscope, self._bits, self._scale = microscope, bits, time_scale
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="microscope")
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat_s: float | None = None
        self._counted_enough = threading.Event()
        self.pvs = PVs(prefix)
        self._line = Line()
        self._faults = Faults(self.pvs, self._line)
        self._motors = Motors(self.pvs, microscope, self._work, self._faults)
        self._add_beam()
        self._add_image()
        self._add_focus()
        self._add_spectrum()
        self._add_rest()

    async def run(self, started: Callable[[], None]) -> None:
        """Serves until it is cancelled; the microscope is safe afterwards.

        Args:
            started: called once clients can connect.
        """
        watchdog = asyncio.create_task(self._watch())
        try:
            await self._line.serve(self.pvs.by_name, started)
        finally:
            watchdog.cancel()
            self._microscope.make_safe()
            self._thread.shutdown(wait=True)

    async def _work(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    # -- what there is ---------------------------------------------------------------------------

    def _add_beam(self) -> None:
        pvs, beam = self.pvs, self._microscope.beam()
        pvs.number("Beam:Voltage", beam.kv, "kV")
        pvs.number("Beam:Current", beam.current_pa, "pA")
        pvs.number("Beam:WorkingDistance", beam.working_distance_mm, "mm")
        pvs.text("Beam:Detector", beam.detector)
        pvs.text("Beam:Detectors", ",".join(self._microscope.detectors))
        pvs.integer("Beam:Blank", 1)
        pvs.read_only("Beam:Detectors")

    def _add_image(self) -> None:
        pvs = self.pvs
        pvs.number("Scan:FieldWidth", 100.0, "um")
        pvs.number("Scan:Dwell", 1.0, "us")
        pvs.number("Scan:SpotX", 0.0, "um")
        pvs.number("Scan:SpotY", 0.0, "um")
        pvs.integer("cam1:Acquire", 0, self._acquire)
        pvs.integer("cam1:DetectorState_RBV", IDLE)
        pvs.integer("cam1:SizeX", 512)
        pvs.integer("cam1:SizeY", 512)
        pvs.pixels("image1:ArrayData", LARGEST_PX, self._bits)
        for name in ("ArraySize0_RBV", "ArraySize1_RBV", "UniqueId_RBV"):
            pvs.integer(f"image1:{name}", 0)
            pvs.read_only(f"image1:{name}")
        pvs.read_only("cam1:DetectorState_RBV")

    def _add_focus(self) -> None:
        pvs = self.pvs
        pvs.integer("Focus:Start", 0, self._focus)
        pvs.integer("Focus:Busy", 0)
        pvs.integer("Focus:Found", 0)
        for name in ("Sharpness", "StigmatorX", "StigmatorY"):
            pvs.number(f"Focus:{name}", 0.0)
        pvs.read_only(
            *(f"Focus:{name}" for name in ("Busy", "Found", "Sharpness", "StigmatorX", "StigmatorY"))
        )

    def _add_spectrum(self) -> None:
        pvs = self.pvs
        pvs.integer("mca1.ERST", 0, self._collect)
        pvs.integer("mca1.STOP", 0, self._stop_counting)
        pvs.number("mca1.PLTM", 1.0, "s")
        pvs.number("mca1.ELTM", 0.0, "s")
        pvs.number("mca1.ERTM", 0.0, "s")
        pvs.integer("mca1.ACQG", 0)
        pvs.counts("mca1.VAL", CHANNELS)
        pvs.alias("mca1", "mca1.VAL")
        pvs.number("mca1.CALO", 0.0, "eV")
        pvs.number("mca1.CALS", 10.0, "eV")
        pvs.read_only("mca1.ELTM", "mca1.ERTM", "mca1.ACQG", "mca1.CALO", "mca1.CALS")

    def _add_rest(self) -> None:
        pvs, info = self.pvs, self._microscope.info
        for name in ("Vacuum", "Valve", "Emission"):
            pvs.integer(f"Health:{name}", 1)
        pvs.text("Name", shorten(info.name, LONGEST_TEXT, placeholder=" ..."))
        pvs.integer("Heartbeat", 0, self._beat)
        pvs.integer("Simulation:IsSimulation", int(info.simulated))
        pvs.number("Simulation:TimeScale", self._scale)
        pvs.read_only("Name", "Simulation:IsSimulation", "Simulation:TimeScale")

    # -- what clients ask for ---------------------------------------------------------------------

    async def _acquire(self, value: int) -> None:
        if value:
            self._start(self._scan())

    async def _focus(self, value: int) -> None:
        if value:
            await self.pvs["Focus:Busy"].write(1)
            self._start(self._run_focus())

    async def _collect(self, value: int) -> None:
        if value:
            self._counted_enough.clear()
            await self.pvs["mca1.ELTM"].write(0.0)
            await self.pvs["mca1.ACQG"].write(1)
            self._start(self._run_spectrum())

    async def _stop_counting(self, value: int) -> None:
        self._counted_enough.set()

    async def _beat(self, value: int) -> None:
        self._beat_s = time.monotonic() if value else None

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _scan(self) -> None:
        pvs = self.pvs
        await pvs["cam1:DetectorState_RBV"].write(ACQUIRE)
        imaging = ImagingSettings(
            float(pvs["Scan:FieldWidth"].value), int(pvs["cam1:SizeX"].value), int(pvs["cam1:SizeY"].value),
            float(pvs["Scan:Dwell"].value),
        )  # fmt: skip
        try:
            await asyncio.sleep(self._faults.slow_s)
            if not await self._faults.take("LoseFrame"):
                await self._deliver(await self._frame(imaging))
        except InstrumentError as error:
            print(f"the scan was refused: {error}", flush=True)
        await pvs["cam1:DetectorState_RBV"].write(IDLE)
        await pvs["cam1:Acquire"].write(0)

    async def _frame(self, imaging: ImagingSettings) -> Any:
        """A frame of the microscope; a beam that is kept off the specimen makes none but black pixels."""
        blanked = bool(self.pvs["Beam:Blank"].value)
        pixels = (await self._work(partial(self._expose, imaging))).pixels
        return np.zeros_like(pixels) if blanked else pixels

    def _expose(self, imaging: ImagingSettings) -> Any:
        self._set_beam()
        return self._microscope.acquire_image(imaging)

    def _set_beam(self) -> None:
        pvs, now = self.pvs, self._microscope.beam()
        wanted = replace(
            now, kv=float(pvs["Beam:Voltage"].value), current_pa=float(pvs["Beam:Current"].value),
            detector=_text(pvs["Beam:Detector"].value),
            working_distance_mm=float(pvs["Beam:WorkingDistance"].value),
        )  # fmt: skip
        if wanted != now:
            self._microscope.set_beam(wanted)

    async def _deliver(self, pixels: Any) -> None:
        pvs = self.pvs
        if await self._faults.take("RepeatFrame"):
            return
        if await self._faults.take("CorruptFrame"):
            pixels = pixels[: max(1, len(pixels) // 2)]
        await pvs["image1:ArraySize0_RBV"].write(pixels.shape[1])
        await pvs["image1:ArraySize1_RBV"].write(pixels.shape[0])
        flat = np.ascontiguousarray(pixels, np.uint8 if self._bits == 8 else np.uint16).ravel()
        flat = flat if self._bits == 8 else flat.view(np.int16)
        await pvs["image1:ArrayData"].write(flat)
        await pvs["image1:UniqueId_RBV"].write(pvs["image1:UniqueId_RBV"].value + 1)

    async def _run_focus(self) -> None:
        pvs = self.pvs
        try:
            if await self._faults.take("LoseFocus"):
                raise InstrumentError("the autofocus was told to fail")
            found = await self._work(self._find_focus)
            await pvs["Beam:WorkingDistance"].write(found.working_distance_mm)
            await pvs["Focus:Sharpness"].write(found.sharpness)
            await pvs["Focus:StigmatorX"].write(found.stigmator[0])
            await pvs["Focus:StigmatorY"].write(found.stigmator[1])
            await pvs["Focus:Found"].write(1)
        except InstrumentError as error:
            print(f"the autofocus failed: {error}", flush=True)
            await pvs["Focus:Found"].write(0)
        await pvs["Focus:Busy"].write(0)

    def _find_focus(self) -> Any:
        self._set_beam()
        return self._microscope.autofocus()

    async def _run_spectrum(self) -> None:
        pvs = self.pvs
        severity = 0
        try:
            if await self._faults.take("LoseSpectrum"):
                raise InstrumentError("the spectrum was told to fail")
            live_s = float(pvs["mca1.PLTM"].value)
            spot_um = float(pvs["Scan:SpotX"].value), float(pvs["Scan:SpotY"].value)
            loop = asyncio.get_running_loop()

            def enough(so_far: Spectrum) -> bool:
                asyncio.run_coroutine_threadsafe(self._show(so_far), loop).result()
                return self._counted_enough.is_set()

            looks_s = np.linspace(0, live_s, max(2, math.ceil(live_s / LOOK_S) + 1))[1:].tolist()
            watch = partial(self._microscope.watch_spectrum, looks_s, enough, spot_um)
            await self._show(await self._work(watch))
        except InstrumentError as error:
            print(f"the spectrum failed: {error}", flush=True)
            severity = INVALID
        await pvs["mca1.ERST"].write(0)
        await pvs["mca1.ACQG"].write(0, severity=severity, status=READ_ALARM if severity else 0)

    async def _show(self, spectrum: Spectrum) -> None:
        """Puts the counts so far out; the live time last, for it says that they are there."""
        pvs = self.pvs
        await pvs["mca1.CALO"].write(spectrum.offset_ev)
        await pvs["mca1.CALS"].write(spectrum.ev_per_channel)
        await pvs["mca1.VAL"].write(spectrum.counts.astype(np.int32))
        await pvs["mca1.ERTM"].write(spectrum.real_s)
        await pvs["mca1.ELTM"].write(spectrum.live_s)

    # -- the watchdog ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Blanks the beam and stops the stage when a client that had a heartbeat has none any more."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            if self._beat_s is not None and time.monotonic() - self._beat_s > WATCHDOG_S:
                self._beat_s = None
                print(f"no heartbeat for {WATCHDOG_S:g} s: beam blanked, stage stopped", flush=True)
                await self.pvs["Beam:Blank"].write(1)
                if self._motors.moving:
                    await self._motors.stop()


def serve(ioc: MicroscopeIOC, started: Callable[[], None]) -> None:
    """Runs an IOC until SIGINT or SIGTERM."""
    asyncio.run(_until_told(ioc, started))


async def _until_told(ioc: MicroscopeIOC, started: Callable[[], None]) -> None:
    serving = asyncio.create_task(ioc.run(started))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled() and (error := serving.exception()) is not None:
        raise error


def _text(value: Any) -> str:
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    return first.decode("latin-1") if isinstance(first, bytes) else str(first)
