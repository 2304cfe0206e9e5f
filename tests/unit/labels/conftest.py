"""Queues to test on: SQLite files, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscope.labels import LabelQueue, NewRequest


class Clock:
    """A clock that goes only when told."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def new_request(field: int | None = 0, **changes: object) -> NewRequest:
    """A small request; its frame and prediction depend on the field."""
    rng = np.random.default_rng(0 if field is None else field)
    values = {
        "session": "s",
        "field": field,
        "frame": rng.integers(0, 256, (12, 16), dtype=np.uint8),
        "prediction": rng.integers(0, 3, (12, 16), dtype=np.uint8),
        "uncertainty": rng.random((12, 16)).astype(np.float16),
        "class_names": ("ferrite", "pearlite", "pore"),
        "pixel_nm": 97.5,
        "model_sha256": "m" * 64,
        "score": 0.5,
    }
    return NewRequest(**(values | changes))  # type: ignore[arg-type]


def mask_of(value: int) -> np.ndarray:
    return np.full((12, 16), value, np.uint8)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL server on loopback, which ends with the tests."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed: initdb is neither on the path nor in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="autoscope-pg-") as folder:
        yield from _server(Path(initdb).resolve().parent, Path(folder))


def _server(programs: Path, folder: Path) -> Iterator[str]:
    as_user = _not_root(folder)
    data = folder / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", "labels", "-A", "trust", "-E", "UTF8"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder}"
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"],
        check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"postgresql://labels@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)


def _not_root(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then another user owns the folder and runs it."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A queue that is not there yet, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.db'}"
    return _empty_database(request.getfixturevalue("postgresql"))


def _empty_database(server: str) -> str:
    from sqlalchemy import create_engine, text

    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = f"q{connection.execute(text('SELECT count(*) FROM pg_database')).scalar_one()}"
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def queue(url: str, clock: Clock) -> Iterator[LabelQueue]:
    with LabelQueue.open(url, lease_s=100.0, second_opinion_share=0.0, clock=clock) as opened:
        yield opened
