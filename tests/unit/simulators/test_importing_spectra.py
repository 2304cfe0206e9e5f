"""Real spectrum images to specimens."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ImageError, StagePosition
from autoscope_simulators import SimulatedMicroscope, SpecimenFile, import_spectrum_image, write_specimen

DATA = Path(os.environ.get("AUTOSCOPE_DATA", "../shared/data")) / "eds_p45"
MAP = DATA / "P45_the_default_job.bcf"
needs_map = pytest.mark.skipif(not MAP.is_file(), reason=f"{MAP} is not there (AUTOSCOPE_DATA)")


@needs_map
@pytest.mark.data
def test_a_real_map_becomes_a_specimen(tmp_path: Path) -> None:
    write_specimen(import_spectrum_image(MAP, licence="PDDL 1.0"), tmp_path / "p45.h5")
    specimen = SpecimenFile(tmp_path / "p45.h5")
    cube = specimen.eds_cube
    assert cube is not None
    assert specimen.detectors == ("bse", "se")
    assert int(cube.dataset[...].sum()) == 165_941
    assert (cube.kv, round(cube.pixel_nm), round(cube.axis.ev_per_channel)) == (20.0, 8737, 10)
    with SimulatedMicroscope(specimen) as microscope:
        microscope.move_to(StagePosition(400, 300))
        spectrum = microscope.acquire_spectrum(cube.live_s * 0.99)
    peak = np.argmax(spectrum.counts) * spectrum.ev_per_channel + spectrum.offset_ev
    assert spectrum.counts.sum() > 3
    assert 0 < peak < 8000


@needs_map
@pytest.mark.data
@pytest.mark.parametrize("share", [0.999, 0.5, 0.1, 0.0004, 0.0])
def test_a_truncated_map_is_refused(tmp_path: Path, share: float) -> None:
    whole = MAP.read_bytes()
    path = tmp_path / "short.bcf"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match=r"short\.bcf is truncated"):
        import_spectrum_image(path)


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"there is no file .*none\.bcf"):
        import_spectrum_image(tmp_path / "none.bcf")
