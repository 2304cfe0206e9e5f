"""Kills a writing process at random moments and looks at what it left."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import RecordError
from autoscope.records import FrameDocument, SessionWriter, WarningDocument, open_session

WRITER = """
import sys
from pathlib import Path
import numpy as np
from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.records import (
    DriverRecord, FrameDocument, ObservationDocument, SessionWriter, SpentRecord,
)
folder = Path(sys.argv[1])
N = 48


def pixels(index):
    return np.random.default_rng(index).integers(0, 256, (N, N), dtype=np.uint8)


def step(writer):
    index = writer._next_frame
    purpose = "overview" if index < 5 else "field"
    imaging, position = ImagingSettings(50, N, N, 1), StagePosition(index, 0)
    frame = Frame(pixels(index), position, imaging, BeamSettings(), 0.0, index, 1.0, "m")
    assert writer.add_frame(frame, purpose=purpose, field=index) == index
    writer.add_labels(index, frame.pixels // 64)
    driver = DriverRecord(spent=SpentRecord(), position=position, beam=frame.beam, clock_s=0, frame_id=index)
    document = FrameDocument(
        frame=index, purpose=purpose, field=index, x_um=index, y_um=0, working_distance_mm=10, hfw_um=50,
        dwell_us=1, dose_e_per_nm2=1, driver=driver,
    )
    writer.append(document, *(
        ObservationDocument(step=index, field=index, quantity=q, class_name="c", value=0.5) for q in "ab"
    ))
    print(index, flush=True)


if folder.exists():
    writer, _ = SessionWriter.resume(folder)
else:
    writer = SessionWriter.create(folder, "seed = 1", {"x_um": np.arange(9.0), "hfw_um": np.float64(50)})
print("open", flush=True)
while True:
    step(writer)
"""


def start(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


def expected(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (48, 48), dtype=np.uint8)


def check(folder: Path, acknowledged: int) -> int:
    """Every acknowledged frame, map and document is there, nothing is half there; returns how many."""
    view = open_session(folder)
    documents = view.documents()
    assert len(documents) % 3 == 0
    frames = [d.frame for d in documents if isinstance(d, FrameDocument)]
    assert frames == list(range(len(frames)))
    assert len(frames) >= acknowledged
    for index in frames[-8:] + frames[:8]:
        np.testing.assert_array_equal(view.frame(index).pixels, expected(index))
        np.testing.assert_array_equal(view.labels(index), expected(index) // 64)
    return len(frames)


@pytest.mark.slow
def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path):
    rng, folder, acknowledged = random.Random(1), tmp_path / "session", 0
    kills = 0
    while kills < 20 or acknowledged <= 20:  # a busy machine writes little between two kills
        kills += 1
        assert kills < 200
        process = start(folder)
        assert process.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        acknowledged = max(acknowledged, int(said[-1]) + 1 if said else 0)
        acknowledged = check(folder, acknowledged)
    for _ in range(2):  # resuming is idempotent
        writer, documents = SessionWriter.resume(folder)
        writer.close()
        assert len(documents) == 3 * acknowledged
        check(folder, acknowledged)


def test_a_reader_reads_while_another_process_writes_and_is_killed(tmp_path):
    folder = tmp_path / "session"
    process = start(folder)
    try:
        assert process.stdout.readline() == "open\n"
        reads, give_up = 0, time.monotonic() + 30
        while (seen := check(folder, 0)) < 15:
            reads += 1
            assert time.monotonic() < give_up, f"only {seen} frames became visible in {reads} reads"
        with pytest.raises(RecordError, match="another process is writing"):
            SessionWriter.resume(folder)
    finally:
        process.kill()
        process.communicate()
    writer, _ = SessionWriter.resume(folder)  # a killed process leaves no lock behind
    with writer:
        assert writer.dropped_frames <= 1
        writer.append(WarningDocument(message="resumed"))
    assert isinstance(open_session(folder).documents()[-1], WarningDocument)


DISK_FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from autoscope.core import RecordError
source = sys.stdin.read()
try:
    exec(source)
except RecordError as error:
    print("RecordError", error, flush=True)
    try:
        writer.add_frame(None, purpose="field", field=0)
    except (RecordError, AttributeError):
        pass
    writer.close()
    print("closed", flush=True)
"""


def test_a_file_that_cannot_grow_loses_nothing(tmp_path):
    """A real refusal by the operating system (the limit of a file's size), in the middle of HDF5's writes."""
    folder = tmp_path / "session"
    result = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(folder)],
        input=WRITER,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stderr
    assert lines[-1] == "closed"
    assert lines[-2].startswith(f"RecordError cannot write to {folder}")
    acknowledged = int(lines[-3]) + 1
    assert acknowledged > 5
    assert check(folder, acknowledged) == acknowledged
    writer, _ = SessionWriter.resume(folder)
    writer.close()
    assert check(folder, acknowledged) == acknowledged
