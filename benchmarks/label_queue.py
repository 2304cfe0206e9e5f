"""Is anything lost or doubled? Experts as processes on one queue, killed again and again.

    python benchmarks/label_queue.py                                   # 8 experts, 2000 answers, 5 kills
    python benchmarks/label_queue.py --queue postgresql://me@127.0.0.1/labels

Each expert is a process that leases, answers and at once writes down what the queue acknowledged. A kill
is SIGKILL to all of them at once, wherever they are; new ones go on. Afterwards every answer that was
acknowledged must be in the queue, once, with the mask that was sent, and no request may have two answers
unless a second opinion was wanted. Prints what was found and how fast it went; exits 1 on any loss or double.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from autoscope.core import LabelError
from autoscope.labels import LabelQueue, NewRequest

CLASSES = tuple(f"class {k}" for k in range(250))
LEASE_S = 3.0
"""So short that what a killed expert held comes back within the campaign."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign found."""

    experts: int
    requests: int
    kills: int
    answers: int
    acknowledged: int
    lost: int
    doubled: int
    wrong: int
    seconds: float
    answers_per_s: float


def mask_for(request_id: int, expert: int) -> np.ndarray:
    """A mask that nobody else would send for this request."""
    rng = np.random.default_rng([request_id, expert])
    return rng.integers(0, len(CLASSES), (16, 16), dtype=np.uint8)


def fill(queue: LabelQueue, count: int) -> None:
    """Requests of small frames."""
    plain = np.zeros((16, 16), np.uint8)
    for field in range(count):
        queue.add(
            NewRequest(
                session="campaign", field=field, frame=plain, prediction=plain, uncertainty=plain,
                class_names=CLASSES, pixel_nm=100.0, model_sha256="", score=float(field % 17),
            )
        )  # fmt: skip


def expert(url: str, number: int, diary: Path, share: float) -> None:
    """Leases and answers until nothing is left; one line in the diary for each acknowledgement."""
    with LabelQueue.open(url, lease_s=LEASE_S, second_opinion_share=share) as queue, diary.open("a") as file:
        while True:
            lease = queue.lease(f"expert {number}")
            if lease is None:
                if _nothing_left(queue):
                    return
                time.sleep(0.05)  # others hold what is left
                continue
            mask = mask_for(lease.request.id, number)
            try:
                answer = queue.answer(
                    lease.request.id, lease.token, mask, seconds=1, tool="campaign", started_from="nothing"
                )
            except LabelError:
                continue  # its time was over
            file.write(f"{answer.id} {lease.request.id} {number}\n")
            file.flush()


def _nothing_left(queue: LabelQueue) -> bool:
    counts = queue.progress()
    return counts.by_state["open"] + counts.by_state["leased"] == 0


def campaign(url: str, experts: int, requests: int, kills: int, share: float, folder: Path) -> Outcome:
    """Runs experts on a queue, kills them so often at even shares of the work, and counts."""
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with LabelQueue.open(url, lease_s=LEASE_S, second_opinion_share=share) as queue:
        fill(queue, requests)
        for stage in range(kills + 1):
            crew = [
                context.Process(target=expert, args=(url, k, folder / f"{k}.diary", share))
                for k in range(experts)
            ]
            for one in crew:
                one.start()
            if stage < kills:
                _wait_for(queue, requests * (stage + 1) // (kills + 1), crew)
                for one in crew:
                    if one.pid is not None and one.is_alive():
                        os.kill(one.pid, signal.SIGKILL)
            for one in crew:
                one.join()
        return _count(queue, folder, experts, requests, kills, time.monotonic() - began)


def _wait_for(queue: LabelQueue, answered: int, crew: list[Any]) -> None:
    while queue.progress().by_state["answered"] < answered and any(one.is_alive() for one in crew):
        time.sleep(0.02)


def _count(
    queue: LabelQueue, folder: Path, experts: int, requests: int, kills: int, seconds: float
) -> Outcome:
    answers = {answer.id: answer for answer in queue.answers()}
    said = [
        tuple(map(int, line.split()))
        for diary in folder.glob("*.diary")
        for line in diary.read_text().splitlines()
    ]
    lost = sum(a not in answers or answers[a].request_id != r for a, r, _ in said)
    state = queue.requests(limit=requests + 1)
    lost += sum(request.state != "answered" for request in state)
    first = [answer.request_id for answer in answers.values() if not answer.second_opinion]
    second = [answer.request_id for answer in answers.values() if answer.second_opinion]
    doubled = len(first) - len(set(first)) + len(second) - len(set(second)) + len(said) - len(set(said))
    wrong = sum(
        not np.array_equal(queue.mask(a.id), mask_for(a.request_id, int(a.expert.split()[1])))
        for a in answers.values()
    )
    return Outcome(
        experts,
        requests,
        kills,
        len(answers),
        len(said),
        lost,
        doubled,
        wrong,
        seconds,
        len(answers) / seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queue", help="URL of an empty queue (default: SQLite in a temporary folder)")
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--second-opinions", type=float, default=0.05)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.queue or f"sqlite:///{folder}/labels.db"
        found = campaign(
            url, options.experts, options.requests, options.kills, options.second_opinions, Path(folder)
        )
    if options.json:
        print(json.dumps({"schema": "autoscope.label-queue/1", **asdict(found)}))
    else:
        print(
            f"{found.experts} experts, {found.requests} requests, {found.kills} kills:"
            f" {found.answers} answers, {found.acknowledged} acknowledged;"
            f" lost {found.lost}, doubled {found.doubled}, wrong {found.wrong};"
            f" {found.seconds:.0f} s, {found.answers_per_s:.1f} answers a second"
        )
    sys.exit(1 if found.lost or found.doubled or found.wrong else 0)


if __name__ == "__main__":
    main()
