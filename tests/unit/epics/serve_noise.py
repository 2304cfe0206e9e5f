"""Serves a specimen on a quick simulated stage: ``python serve_noise.py SPECIMEN PREFIX TIME_SCALE BITS``."""

import sys
from pathlib import Path

import scipy.signal  # noqa: F401 - seconds that an instrument's first spectrum does not take

from autoscope.app.digital_twin import RunningClock
from autoscope.epics.ioc import MicroscopeIOC, serve
from autoscope.microscope import Envelope
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, Timing

specimen, prefix, scale = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
bits = int(sys.argv[4])
timing = Timing(
    stage_speed_um_per_s=400.0,
    stage_acceleration_um_per_s2=4000.0,
    stage_settle_s=0.1,
    image_overhead_s=0.2,
    autofocus_s=0.5,
    spectrum_overhead_s=0.1,
)
with SpecimenFile(specimen) as file:
    microscope = SimulatedMicroscope(
        file,
        envelope=Envelope(x_um=(0.0, 200.0), y_um=(0.0, 200.0)),
        seed=5,
        timing=timing,
        imperfections=Imperfections.ideal(),
        time_scale=scale,
        clock=RunningClock(scale),
    )
    with microscope:
        ioc = MicroscopeIOC(microscope, prefix=prefix, time_scale=scale, bits=bits)
        ioc.pvs.text("Test:Millimetre", "mm")
        serve(ioc, lambda: print("SIMULATION", flush=True))
