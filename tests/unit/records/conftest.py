from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.records import (
    DriverRecord,
    FrameDocument,
    KindRecord,
    MicroscopeRecord,
    SessionWriter,
    SpentRecord,
    StartedDocument,
    TargetRecord,
)


def _frame(index: int, height: int = 16, width: int = 24, dtype: str = "u1") -> Frame:
    rng = np.random.default_rng(index)
    pixels = rng.integers(0, np.iinfo(dtype).max, (height, width), dtype=dtype)
    position = StagePosition(10.0 * index, 5.0, -1.0, 0.5)
    beam = BeamSettings(15.0, 250.0, "se", 9.5)
    return Frame(
        pixels,
        position,
        ImagingSettings(50.0, width, height, 3.0),
        beam,
        2.5 * index,
        index + 1,
        7.0,
        "µ-scope",
    )


def _frame_document(index: int, purpose: str = "field") -> FrameDocument:
    spent = SpentRecord(beam_time_s=4.0 * (index + 1), frames=index + 1, stage_travel_um=10.0 * index)
    driver = DriverRecord(
        spent=spent,
        position=StagePosition(0.0, 0.0),
        beam=BeamSettings(),
        clock_s=4.0 * index,
        frame_id=index,
    )
    return FrameDocument(
        frame=index, purpose=purpose, field=index, x_um=1.0, y_um=2.0, working_distance_mm=10.0, hfw_um=50.0,
        dwell_us=3.0, dose_e_per_nm2=7.0, driver=driver,
    )  # fmt: skip


def _started() -> StartedDocument:
    return StartedDocument(
        autoscope_version="0.1.0",
        seed=7,
        microscope=MicroscopeRecord(kind="simulated", simulated=True, name="sim"),
        policy=KindRecord(kind="uniform", sha256="ab"),
        model=KindRecord(kind="threshold", sha256="cd"),
        targets=(TargetRecord(quantity="area_fraction", class_name="pearlite", half_width=0.01),),
        fields_in_region=4,
        region_area_um2=1e4,
    )


@pytest.fixture
def make_frame() -> Callable[..., Frame]:
    return _frame


@pytest.fixture
def make_frame_document() -> Callable[..., FrameDocument]:
    return _frame_document


@pytest.fixture
def started() -> StartedDocument:
    return _started()


@pytest.fixture
def fields() -> dict[str, np.ndarray]:
    return {
        "x_um": np.array([25.0, 75.0, 25.0, 75.0]),
        "y_um": np.array([25.0, 25.0, 75.0, 75.0]),
        "weight": np.full(4, 0.25),
        "hfw_um": np.float64(50.0),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture
def writer(folder: Path, fields: dict[str, np.ndarray]):
    with SessionWriter.create(folder, "seed = 7\n", fields) as writer:
        yield writer
