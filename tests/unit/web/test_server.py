"""The command: its first line, its errors, its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "autoscope", "serve", *options]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """A server and the first line that it printed."""
    process = subprocess.Popen(
        command("--port", "0", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_link_works_and_a_signal_ends_it_cleanly(tmp_path: Path, finished, sessions, ending):
    process, link = start("--sessions", str(sessions), "--queue", f"sqlite:///{tmp_path / 'new.db'}")
    try:
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]{32})", link)
        assert found, link
        address, token = found.groups()
        asked = urllib.request.Request(
            f"{address}/api/sessions", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert [s["id"] for s in json.load(answer)] == ["finished"]
        watched = urllib.request.Request(
            f"{address}/api/sessions/finished/events", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(watched, timeout=20) as stream:
            assert stream.readline().startswith(b"retry")
        process.send_signal(ending)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_open_streams_do_not_keep_it_from_ending(running, sessions):
    process, link = start("--sessions", str(sessions), "--token", "secret")
    try:
        address = link.partition("/?")[0]
        watched = urllib.request.Request(
            f"{address}/api/sessions/running/events", headers={"Authorization": "Bearer secret"}
        )
        with urllib.request.urlopen(watched, timeout=20) as stream:
            assert stream.readline().startswith(b"retry")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--token", "a b"), "--token"),
        (("--host", "no.such.host.invalid"), "no.such.host.invalid"),
        (("--queue", "nonsense"), "nonsense"),
        (("--guidelines", "absent.toml"), "absent.toml"),
        (("--models", "absent.safetensors"), "absent.safetensors: there is no such model file"),
    ],
)
def test_bad_usage_is_one_sentence(options, says):
    done = subprocess.run(
        command("--port", "0", *options), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("autoscope: error: ")
    assert says in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = subprocess.run(
            command("--port", port), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"autoscope: error: --port {port} is taken on 127.0.0.1: choose another port, or 0 for a free one\n"
    )
