"""A session as it would look on disk, made with the writer: a banded two-phase specimen, active policy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
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
    WarningDocument,
)

HFW_UM = 50.0
CONFIG = 'seed = 7\n\n[microscope]\nkind = "simulated"\nspecimen = "synthetic:pearlite"\n'
POSITION, BEAM = StagePosition(0.0, 0.0), BeamSettings()


class FakeSession:
    """Plays a session: uniform overview, draws with a floor, the estimator of METHODS equation (1)."""

    def __init__(
        self, folder: Path, *, columns=16, rows=12, pixels=64, targets=("pearlite",), **started
    ) -> None:
        self.rng = np.random.default_rng(3)
        self.columns, self.rows, self.pixels, self.targets = columns, rows, pixels, targets
        self.n = columns * rows
        column, row = np.meshgrid(np.arange(columns), np.arange(rows))
        self.column, self.row = column.ravel(), row.ravel()
        self.x_um, self.y_um = (self.column + 0.5) * HFW_UM, (self.row + 0.5) * HFW_UM
        bands = 0.28 + 0.16 * np.sin(self.y_um / 70.0) + 0.05 * np.sin(self.x_um / 160.0)
        self.truth = np.clip(bands + self.rng.normal(0, 0.03, self.n), 0.01, 0.95)
        self.forecast = np.clip(bands + self.rng.normal(0, 0.04, self.n), 0.0, 1.0)
        weight = np.full(self.n, 1 / self.n)
        self.fields = {
            "x_um": self.x_um, "y_um": self.y_um, "row": self.row, "column": self.column, "weight": weight,
            "valid_fraction": np.ones(self.n), "hfw_um": np.float64(HFW_UM), "vfw_um": np.float64(HFW_UM),
        }  # fmt: skip
        self.started_changes = started
        self.writer = SessionWriter.create(folder, CONFIG, self.fields)
        self.folder, self.frames, self.clock_s, self.step, self.z = folder, 0, 0.0, 0, []
        self.lost = 0
        self.left = np.ones(self.n, bool)
        self.quantities: tuple[QuantityResult, ...] = ()

    def start(self) -> None:
        document = StartedDocument(
            autoscope_version="0.1.0", seed=7,
            microscope=MicroscopeRecord(kind="simulated", simulated=True, name="simulated SEM"),
            sample=SampleRecord(id="A-17", operator="J. Smith", comment="plate, longitudinal section"),
            specimen="synthetic:pearlite", specimen_source="generated, seed 0", specimen_licence="CC0-1.0",
            policy=KindRecord(kind="proportional", sha256="3f" * 32),
            model=KindRecord(kind="segmentation", sha256="a9" * 32), exploration=0.2,
            targets=tuple(
                TargetRecord(quantity="area_fraction", class_name=name, half_width=0.0125, min_feature_um=0.5)
                for name in self.targets
            ),
            classes=("ferrite", "pearlite"), fields_in_region=self.n,
            region_area_um2=float(self.n * HFW_UM**2),
        )  # fmt: skip
        self.writer.append(document.model_copy(update=self.started_changes), StateDocument(state="overview"))

    def driver(self) -> DriverRecord:
        spent = SpentRecord(
            beam_time_s=self.clock_s,
            dose_e_per_nm2_max=11.2,
            frames=self.frames,
            stage_travel_um=95.0 * self.frames,
        )
        return DriverRecord(
            spent=spent, position=POSITION, beam=BEAM, clock_s=self.clock_s, frame_id=self.frames
        )

    def texture(self, fraction: float, pixels: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
        noise = ndimage.gaussian_filter(self.rng.normal(size=(pixels, pixels)), sigma, mode="wrap")
        mask = noise > np.quantile(noise, 1 - fraction)
        lamellae = 25 * np.sin(np.arange(pixels) / 1.5)[None, :] * mask
        image = 90 + 70 * mask + lamellae + self.rng.normal(0, 9, (pixels, pixels))
        return np.clip(image, 0, 255).astype(np.uint8), mask.astype(np.uint8)

    def take(self, pixels: np.ndarray, labels, x_um, y_um, hfw_um, purpose, field) -> FrameDocument:
        self.clock_s += 4.2
        self.frames += 1
        imaging = ImagingSettings(hfw_um, pixels.shape[1], pixels.shape[0], 3.0)
        position = StagePosition(float(x_um), float(y_um))
        frame = Frame(pixels, position, imaging, BEAM, self.clock_s, self.frames, 5.6, "sim")
        index = self.writer.add_frame(frame, purpose=purpose, field=field)
        if labels is not None:
            self.writer.add_labels(index, labels)
        return FrameDocument(
            frame=index, purpose=purpose, field=field, x_um=x_um, y_um=y_um, working_distance_mm=10.0,
            hfw_um=hfw_um, dwell_us=3.0, dose_e_per_nm2=5.6, driver=self.driver(),
        )  # fmt: skip

    def overview(self) -> None:
        block = 4
        for row in range(0, self.rows, block):
            for column in range(0, self.columns, block):
                inside = (self.row // block == row // block) & (self.column // block == column // block)
                local = self.truth[inside].reshape(block, block)
                tiles = [[self.texture(f, 32, 1.0)[0] for f in line] for line in local]
                x_um, y_um = (column + block / 2) * HFW_UM, (row + block / 2) * HFW_UM
                pixels = np.block(tiles)
                self.writer.append(
                    self.take(pixels, None, x_um, y_um, block * HFW_UM, "overview", None),
                )
        self.writer.append(StateDocument(state="measuring"))

    def measure(self, lost: bool = False) -> None:
        self.step += 1
        remaining = np.flatnonzero(self.left)
        b = np.sqrt(self.forecast[remaining])
        q = 0.8 * b / b.sum() + 0.2 / len(remaining)
        pick = self.rng.choice(len(remaining), p=q)
        field = int(remaining[pick])
        x, y, f = float(self.x_um[field]), float(self.y_um[field]), float(self.forecast[field])
        decision = DecisionDocument(
            step=self.step, draw=self.step, field=field, x_um=x, y_um=y, propensity=q[pick],
            candidates=len(remaining), reason=f"the overview expects {100 * f:.0f} % pearlite here",
            predicted=(f,), predicted_cost_s=4.0, policy_sha256="3f" * 32,
        )  # fmt: skip
        self.writer.append(decision)
        frame = self.take(
            *self.texture(self.truth[field], self.pixels, self.pixels / 60), x, y, HFW_UM, "field", field
        )
        self.writer.append(frame)
        self.lost += lost
        value = None if lost else float(self.truth[field])
        known = self.truth[~self.left].sum()
        self.z.append((known + self.forecast[remaining].sum() + ((value or f) - f) / q[pick]) / self.n)
        self.left[field] = False
        observations = [
            ObservationDocument(
                step=self.step,
                field=field,
                quantity="area_fraction",
                class_name=name,
                value=value,
                predicted=f,
            )
            for name in self.targets
        ]
        self.quantities = tuple(self.quantity(name) for name in self.targets)
        self.writer.append(*observations, EstimateDocument(step=self.step, quantities=self.quantities))

    def quantity(self, name: str) -> QuantityResult:
        t = np.arange(1, len(self.z) + 1)
        w = 1.0 / ((self.n - t) * (self.n - t + 1.0)) if len(t) < self.n else np.ones(len(t))
        z, sum_w = np.array(self.z), w.sum()
        estimate = float((w * z).sum() / sum_w)
        half = None
        if len(t) > 2:
            k = sum_w**2 / (w**2).sum()
            error = np.sqrt(k / (k - 1) * (w**2 * (z - estimate) ** 2).sum()) / sum_w
            half = float(1.1 * stats.t.ppf(0.975, k - 1) * error)
        return QuantityResult(
            quantity="area_fraction", class_name=name, estimate=estimate,
            ci_low=None if half is None else estimate - half,
            ci_high=None if half is None else estimate + half,
            relative_accuracy_percent=None if half is None else 100 * half / estimate,
            fields_measured=len(t) - self.lost, fields_in_region=self.n, fields_lost=self.lost,
            estimator="difference (Des Raj)", tier="standard",
            target_met=half is not None and half <= 0.0125,
        )  # fmt: skip

    def finish(self, reason: str = "targets_reached", warnings: tuple[str, ...] = ()) -> None:
        self.writer.append(
            FinishedDocument(
                finish_reason=reason, spent=self.driver().spent, wall_time_s=31.5, quantities=self.quantities,
                warnings=warnings,
            )
        )  # fmt: skip

    def warn(self, message: str) -> None:
        self.writer.append(WarningDocument(message=message))


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., FakeSession]:
    """Plays a session of some steps and closes it."""

    def play(steps: int = 12, reason: str | None = "targets_reached", **options) -> FakeSession:
        session = FakeSession(tmp_path / "session", **options)
        with session.writer:
            session.start()
            session.overview()
            for _ in range(steps):
                session.measure()
            if reason is not None:
                session.finish(reason)
        return session

    return play
