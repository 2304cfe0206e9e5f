"""A session that is being written, a queue with requests, and an application that shows both."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.labels import Effect, LabelQueue, NewRequest
from autoscope.perception import read_card, shipped_model
from autoscope.records import (
    DecisionDocument,
    DriverRecord,
    EstimateDocument,
    FinishedDocument,
    FrameDocument,
    KindRecord,
    MicroscopeRecord,
    ObservationDocument,
    QuantityResult,
    SampleRecord,
    SessionWriter,
    SpentRecord,
    StartedDocument,
    StateDocument,
    TargetRecord,
)
from autoscope.web.application import create_app
from autoscope.web.settings import WebSettings

TOKEN = "correct-horse"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
CONFIG = 'seed = 7\n\n[budget]\nbeam_time_s = 3600.0\n\n[microscope]\nkind = "simulated"\n'
FIELDS_X = 6
HFW_UM = 50.0


class SmallSession:
    """Writes a session of a few fields, the way the runner does."""

    def __init__(self, folder: Path) -> None:
        column, row = (a.ravel() for a in np.meshgrid(np.arange(FIELDS_X), np.arange(4)))
        self.x_um, self.y_um = (column + 0.5) * HFW_UM, (row + 0.5) * HFW_UM
        n = len(column)
        fields = {
            "x_um": self.x_um, "y_um": self.y_um, "row": row, "column": column,
            "weight": np.full(n, 1 / n), "valid_fraction": np.ones(n),
            "hfw_um": np.float64(HFW_UM), "vfw_um": np.float64(HFW_UM),
        }  # fmt: skip
        self.folder, self.fields, self.step, self.clock_s = folder, n, 0, 0.0
        self.writer = SessionWriter.create(folder, CONFIG, fields)

    def start(self) -> None:
        self.writer.append(
            StartedDocument(
                autoscope_version="0.1.0", seed=7,
                microscope=MicroscopeRecord(kind="simulated", simulated=True, name="simulated SEM"),
                sample=SampleRecord(id="A-17", operator="J. Smith"),
                policy=KindRecord(kind="active"), model=KindRecord(kind="threshold"),
                targets=(TargetRecord(quantity="area_fraction", class_name="pearlite", half_width=0.05),),
                classes=("ferrite", "pearlite"), fields_in_region=self.fields, region_area_um2=6e4,
            ),
            StateDocument(state="overview"),
        )  # fmt: skip
        self.writer.append(self._frame("overview", None, 150.0, 100.0, 300.0))
        self.writer.append(StateDocument(state="measuring"))

    def measure(self, value: float | None = 0.2) -> None:
        self.step += 1
        field = self.step
        x_um, y_um = float(self.x_um[field]), float(self.y_um[field])
        self.writer.append(
            DecisionDocument(
                step=self.step, draw=self.step, field=field, x_um=x_um, y_um=y_um, propensity=0.25,
                candidates=20, reason="the overview expects 20 % pearlite here", predicted=(0.2,),
                predicted_cost_s=4.0,
            )
        )  # fmt: skip
        self.writer.append(self._frame("field", field, x_um, y_um, HFW_UM))
        self.writer.append(
            ObservationDocument(
                step=self.step, field=field, quantity="area_fraction", class_name="pearlite", value=value,
                note="" if value is not None else "skipped by the operator",
            ),
            EstimateDocument(step=self.step, quantities=(self._quantity(),)),
        )  # fmt: skip

    def finish(self) -> None:
        self.writer.append(
            StateDocument(state="done"),
            FinishedDocument(
                finish_reason="targets_reached", spent=SpentRecord(frames=self.step + 1), wall_time_s=9.0,
                quantities=(self._quantity(),),
            ),
        )  # fmt: skip

    def _quantity(self) -> QuantityResult:
        half = None if self.step < 2 else 0.4 / self.step**0.5
        return QuantityResult(
            quantity="area_fraction", class_name="pearlite", estimate=0.2,
            ci_low=None if half is None else 0.2 - half, ci_high=None if half is None else 0.2 + half,
            fields_measured=self.step, fields_in_region=self.fields,
        )  # fmt: skip

    def _frame(self, purpose, field, x_um: float, y_um: float, hfw_um: float) -> FrameDocument:
        self.clock_s += 4.0
        pixels = np.random.default_rng(self.step).integers(0, 256, (32, 48), dtype=np.uint8)
        imaging, beam = ImagingSettings(hfw_um, 48, 32, 3.0), BeamSettings()
        frame = Frame(pixels, StagePosition(x_um, y_um), imaging, beam, self.clock_s, 1, 5.0, "sim")
        index = self.writer.add_frame(frame, purpose=purpose, field=field)
        if purpose == "field":
            self.writer.add_labels(index, (pixels > 128).astype(np.uint8))
        driver = DriverRecord(
            spent=SpentRecord(beam_time_s=self.clock_s, frames=self.step + 1),
            position=StagePosition(x_um, y_um), beam=beam, clock_s=self.clock_s, frame_id=index,
        )  # fmt: skip
        return FrameDocument(
            frame=index, purpose=purpose, field=field, x_um=x_um, y_um=y_um, working_distance_mm=10.0,
            hfw_um=hfw_um, dwell_us=3.0, dose_e_per_nm2=5.0, driver=driver,
        )  # fmt: skip


def new_request(field: int, size: tuple[int, int] = (12, 16), **changes: object) -> NewRequest:
    rng = np.random.default_rng(field)
    values = {
        "session": "A-17", "field": field, "frame": rng.integers(0, 256, size, dtype=np.uint8),
        "prediction": rng.integers(0, 3, size, dtype=np.uint8), "uncertainty": rng.random(size),
        "class_names": ("ferrite", "pearlite", "pore"), "pixel_nm": 97.5, "model_sha256": "m" * 64,
        "score": field / 10,
    }  # fmt: skip
    return NewRequest(**(values | changes))  # type: ignore[arg-type]


def png_of(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    folder.mkdir()
    return folder


@pytest.fixture
def running(sessions: Path) -> Iterator[SmallSession]:
    """A session that this process is writing: two fields measured."""
    session = SmallSession(sessions / "running")
    with session.writer:
        session.start()
        session.measure()
        session.measure()
        yield session


@pytest.fixture
def finished(sessions: Path) -> SmallSession:
    session = SmallSession(sessions / "finished")
    with session.writer:
        session.start()
        for value in (0.2, None, 0.3):
            session.measure(value)
        session.finish()
    return session


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[LabelQueue]:
    """Three requests; the second opinion is left to chance that never comes."""
    with LabelQueue.open(f"sqlite:///{tmp_path / 'labels.db'}", second_opinion_share=0.0) as queue:
        for field in range(3):
            queue.add(new_request(field))
        effect = Effect(
            "A-17", "area_fraction", "pearlite", 2, (0.2, 0.1, 0.3), (0.22, 0.15, 0.29), "expert-corrected"
        )
        queue.record_effect(effect)
        yield queue


@pytest.fixture
def pearlite(queue: LabelQueue) -> int:
    """The most informative request, whose prediction the shipped pearlite model made."""
    y, x = np.mgrid[:96, :128]
    rng = np.random.default_rng(3)
    stripes = 140 + 50 * np.sin(y / 2.0) * (x < 64) + rng.normal(0, 10, y.shape)
    model = read_card(shipped_model("pearlite"))
    return queue.add(
        new_request(
            9, score=9.0, frame=np.clip(stripes, 0, 255).astype(np.uint8),
            prediction=(x < 64).astype(np.uint8),
            uncertainty=np.zeros(y.shape), class_names=model.classes, pixel_nm=125.0,
            model_sha256=model.sha256,
        )
    )  # fmt: skip


@pytest.fixture
def make_app(sessions: Path, queue: LabelQueue) -> Callable[..., FastAPI]:
    def make(**changes: object) -> FastAPI:
        return create_app(WebSettings(sessions=sessions, token=TOKEN, **changes), queue)  # type: ignore[arg-type]

    return make


@pytest.fixture
def anyone(make_app: Callable[..., FastAPI]) -> Iterator[TestClient]:
    """A client without the token."""
    with TestClient(make_app(), base_url="http://127.0.0.1:8000", follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(anyone: TestClient) -> TestClient:
    """A client with the token."""
    anyone.headers.update(AUTHORISED)
    return anyone


@pytest.fixture
def mask_png() -> Callable[..., bytes]:
    """An index PNG of one class, of the requests' size unless told otherwise."""

    def make(value: int = 1, size: tuple[int, int] = (12, 16)) -> bytes:
        return png_of(np.full(size, value, np.uint8))

    return make


@pytest.fixture
def as_png() -> Callable[[np.ndarray], bytes]:
    return png_of


@pytest.fixture
def request_of() -> Callable[..., NewRequest]:
    return new_request


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
