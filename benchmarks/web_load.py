"""How quick the web server is: requests a second, from lease to visible page, suggestions, explanations.

python benchmarks/web_load.py               # the API, two client processes' worth of threads
python benchmarks/web_load.py --browser     # pages in headless Chromium as well
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from scipy import ndimage

from autoscope.images import encode_png
from autoscope.labels import LabelQueue, NewRequest, mask_from_png
from autoscope.perception import read_card, shipped_model

TOKEN = "benchmark"
CLASSES = ("ferrite", "pearlite", "pore")
LARGEST_EXPLAINED = 1024
"""Edge of the largest frames that are explained here: larger ones take minutes."""


def new_request(field: int, size: int) -> NewRequest:
    """A striped two-phase frame with pores, and a prediction that is off along the borders."""
    rng = np.random.default_rng(field)
    smooth = ndimage.gaussian_filter(rng.normal(size=(size, size)), size / 60, mode="wrap")
    smooth /= smooth.std()
    grey = 110 + (60 + 25 * np.sin(np.arange(size) / 2.5)) * (smooth > 0.6) - 70 * (smooth < -2)
    moved = smooth + 0.25 * ndimage.gaussian_filter(rng.normal(size=(size, size)), size / 40) * size / 20
    prediction = (moved > 0.6).astype(np.uint8) + 2 * (moved < -2).astype(np.uint8)
    frame = np.clip(grey + rng.normal(0, 12, grey.shape), 0, 255).astype(np.uint8)
    return NewRequest(
        session="benchmark", field=field, frame=frame,
        prediction=prediction, uncertainty=np.exp(-(((moved - 0.6) / 0.25) ** 2)), class_names=CLASSES,
        pixel_nm=62.5, model_sha256=read_card(shipped_model("pearlite")).sha256, score=float(rng.random()),
    )  # fmt: skip


class Server:
    """``autoscope serve`` on a free port."""

    def __init__(self, queue: str, sessions: Path) -> None:
        command = [sys.executable, "-m", "autoscope", "serve", "--port", "0", "--token", TOKEN]
        command += ["--queue", queue, "--sessions", str(sessions)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.link = (self.process.stdout or sys.stdin).readline().strip()
        self.port = int(self.link.rpartition(":")[2].partition("/")[0])

    @property
    def cpu_s(self) -> float:
        """Processor time that it has used, which the machine's other work does not change."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def close(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.communicate()


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """The body of the answer; a refusal ends the benchmark."""
        headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Content-Type": kind} if body else {})
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content


def requests_per_second(server: Server, path: str, seconds: float, threads: int) -> None:
    """Prints requests a second over all threads, how long 95 of 100 took at most, and what one costs."""
    times: list[float] = []
    before = server.cpu_s
    ending = time.perf_counter() + seconds

    def work() -> None:
        client = Client(server.port)
        while time.perf_counter() < ending:
            begun = time.perf_counter()
            client.ask("GET", path)
            times.append(time.perf_counter() - begun)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    rate, p95 = len(times) / seconds, 1000 * float(np.quantile(times, 0.95))
    cpu_ms = 1000 * (server.cpu_s - before) / len(times)
    print(
        f"GET {path}: {rate:.0f} requests/s, 95 of 100 within {p95:.0f} ms; {cpu_ms:.1f} ms of processor each"
    )


def answers_per_second(port: int, count: int) -> tuple[float, float]:
    """Whole answers a second by four experts, and the median ms of a lease with its three pictures."""
    png, opened = encode_png(np.ones((512, 512), np.uint8)), []

    def work(expert: int) -> None:
        client = Client(port)
        for _ in range(count // 4):
            begun = time.perf_counter()
            leased = json.loads(
                client.ask("POST", "/api/requests/lease", json.dumps({"expert": f"e{expert}"}).encode())
            )
            for name in ("image", "prediction", "uncertainty"):
                client.ask("GET", leased[name])
            opened.append(time.perf_counter() - begun)
            client.ask("PUT", f"/api/requests/{leased['id']}/answer?seconds=1", png, "image/png")

    begun = time.perf_counter()
    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 4 * (count // 4) / (time.perf_counter() - begun), 1000 * float(np.median(opened))


def suggestion_ms(port: int, request: int, size: int, times: int) -> tuple[float, float]:
    """Median and slowest ms of a suggestion on a frame whose features are ready."""
    scribbles = np.full((size, size), 255, np.uint8)
    scribbles[size // 4, size // 4 : size // 2], scribbles[size // 2, size // 4 : size // 2] = 0, 1
    client, body, took = Client(port), encode_png(scribbles), []
    client.ask("POST", f"/api/requests/{request}/suggest", body, "image/png")
    for _ in range(times):
        begun = time.perf_counter()
        mask = client.ask("POST", f"/api/requests/{request}/suggest", body, "image/png")
        took.append(1000 * (time.perf_counter() - begun))
        mask_from_png(mask, size, size)
    return float(np.median(took)), max(took)


def explain(server: Server, request: int, size: int, *, first: bool = False) -> None:
    """Prints how long an expert waits for both maps of a frame, and what they cost."""
    client = Client(server.port)
    for kind in ("grad-cam", "occlusion"):
        begun, before, state = time.perf_counter(), server.cpu_s, ""
        while state != "ready":
            path = f"/api/requests/{request}/explanation?value=1&kind={kind}"
            state = json.loads(client.ask("GET", path))["state"]
        took, cpu_s = time.perf_counter() - begun, server.cpu_s - before
        loading = ", with loading the network" if first and kind == "grad-cam" else ""
        print(f"{kind} of {size} x {size}{loading}: {took:.1f} s; {cpu_s:.1f} s of processor")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument(
        "--browser", action="store_true", help="measure the labelling page in headless Chromium"
    )
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/labels.db"
        with LabelQueue.open(url, second_opinion_share=0.0) as queue:
            for field in range(options.answers):
                queue.add(new_request(field, 512))
        server = Server(url, Path(folder))
        try:
            suggestion_ms(server.port, 1, 512, 1)  # everything is loaded after it
            for path in ("/api/requests/1", "/api/requests?state=open", "/api/requests/1/image.png"):
                requests_per_second(server, path, options.seconds, 4)
            before = server.cpu_s
            rate, opened = answers_per_second(server.port, options.answers)
            cpu_ms = 1000 * (server.cpu_s - before) / options.answers
            print(f"answers (lease, pictures, mask stored): {rate:.1f}/s; {cpu_ms:.0f} ms of processor each")
            print(f"lease with its three pictures of 512 x 512: {opened:.0f} ms median, 4 experts at once")
            explain(server, 1, 512, first=True)
            explain(server, 2, 512)
        finally:
            server.close()
        _frames(folder, browser=options.browser)


def _frames(folder: str, *, browser: bool) -> None:
    for size in (1024, 2048):
        url = f"sqlite:///{folder}/frames{size}.db"
        with LabelQueue.open(url, second_opinion_share=0.0) as queue:
            for field in range(6):
                queue.add(new_request(field, size))
        server = Server(url, Path(folder))
        try:
            median, slowest = suggestion_ms(server.port, 1, size, 9)
            print(f"suggestion on {size} x {size}: {median:.0f} ms median, {slowest:.0f} ms slowest")
            if size <= LARGEST_EXPLAINED:
                explain(server, 1, size, first=True)
                explain(server, 2, size)
            if browser:
                from web_pages import measure_page

                measure_page(server.link, size)
        finally:
            server.close()


if __name__ == "__main__":
    main()
