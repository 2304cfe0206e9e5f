"""Eight experts answer over HTTP while the server is killed again and again: nothing is lost or doubled.

``AUTOSCOPE_LABEL_REQUESTS=2000`` makes it the whole campaign; it takes minutes.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from autoscope.labels import LabelQueue

EXPERTS, KILLS = 8, 5
REQUESTS = int(os.environ.get("AUTOSCOPE_LABEL_REQUESTS", "160"))
PATIENCE_S = 120 + REQUESTS
TOKEN = "secret"


class Server:
    """A server process on one port, which can be killed and started again."""

    def __init__(self, port: int, queue: str, sessions: Path) -> None:
        self._command = [
            sys.executable, "-m", "autoscope", "serve", "--port", str(port), "--token", TOKEN,
            "--queue", queue, "--sessions", str(sessions),
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("http://")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Client:
    """An expert's page: repeats what got no answer, since it cannot know whether it arrived."""

    def __init__(self, port: int, expert: str) -> None:
        self.port, self.expert = port, expert
        self.acknowledged: dict[int, int] = {}

    def ask(self, method: str, path: str, body: bytes, kind: str, lease: str = "") -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind, "X-Lease": lease}
        give_up = time.monotonic() + 120
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except OSError:
                if time.monotonic() > give_up:
                    raise
                gone.wait(0.05)
            except http.client.HTTPException:
                continue
            finally:
                connection.close()

    def work(self, png: bytes, count: threading.Semaphore) -> None:
        body = json.dumps({"expert": self.expert}).encode()
        while True:
            status, text = self.ask("POST", "/api/requests/lease", body, "application/json")
            if status == 204:
                return
            assert status == 200, text
            leased = json.loads(text)
            path = f"/api/requests/{leased['id']}/answer?seconds=1"
            status, text = self.ask("PUT", path, png, "image/png", leased["token"])
            assert status == 200, text
            self.acknowledged[leased["id"]] = json.loads(text)["id"]
            count.release()


gone = threading.Event()  # never set: waiting for it lets a starting server breathe


@pytest.mark.slow
def test_nothing_is_lost_or_doubled(tmp_path, request_of, mask_png, free_port):
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    with LabelQueue.open(url, second_opinion_share=0.0, lease_s=900) as queue:
        for field in range(REQUESTS):
            queue.add(request_of(field))
        server = Server(free_port, url, tmp_path)
        clients = [Client(free_port, f"expert {n}") for n in range(EXPERTS)]
        count = threading.Semaphore(0)
        threads = [threading.Thread(target=client.work, args=(mask_png(), count)) for client in clients]
        try:
            for thread in threads:
                thread.start()
            for _ in range(KILLS):
                for _ in range(REQUESTS // (KILLS + 2)):
                    assert count.acquire(timeout=120)
                server.kill()
                server.start()
            for thread in threads:
                thread.join(PATIENCE_S)
        finally:
            server.kill()
        assert not any(thread.is_alive() for thread in threads)
        answers = queue.answers()
        acknowledged = {answer: request for c in clients for request, answer in c.acknowledged.items()}
        assert {a.id: a.request_id for a in answers if a.id in acknowledged} == acknowledged, "none is lost"
        by_request = np.bincount([a.request_id for a in answers], minlength=REQUESTS + 1)[1:]
        first_opinions = [a for a in answers if not a.second_opinion]
        assert len({a.request_id for a in first_opinions}) == len(first_opinions), "none is doubled"
        held = {r.id for r in queue.requests("leased", limit=REQUESTS)}
        assert {i + 1 for i in np.flatnonzero(by_request == 0)} == held, (
            "a lease whose answer was cut off waits"
        )
        assert len(held) <= EXPERTS * KILLS
