"""``autoscope ioc``."""

from __future__ import annotations

import argparse
import os

from autoscope.app.cli.main import OK
from autoscope.app.cli.run import quickstart
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Serves the simulated microscope over Channel Access until Ctrl-C."""
    if not options.time_scale > 0:
        raise ConfigurationError(
            f"--time-scale {options.time_scale:g} must be positive: real seconds for each simulated one"
        )
    from autoscope.app.digital_twin import digital_twin
    from autoscope.epics.ioc import MicroscopeIOC, serve

    config = quickstart().microscope
    if options.specimen is not None:
        config = config.model_copy(update={"specimen": options.specimen, "specimen_size_um": None})
    config = config.model_copy(update={"time_scale": options.time_scale})
    with digital_twin(config, seed=options.seed, ideal=options.ideal, announce=print) as (microscope, bits):
        ioc = MicroscopeIOC(microscope, prefix=options.prefix, bits=bits, time_scale=options.time_scale)
        where = os.environ.get("EPICS_CA_SERVER_PORT", "5064")

        def started() -> None:
            print(
                f"SIMULATION, no instrument: {microscope.info.name} as {options.prefix}*, Channel Access port"
                f" {where}, {len(ioc.pvs.by_name)} PVs; Ctrl-C ends it",
                flush=True,
            )

        serve(ioc, started)
    return OK
